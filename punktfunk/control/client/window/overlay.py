"""The lines of the statistics overlay, from numbers; how they are drawn is ``text``'s and ``canvas``'s.

Everything is over the last seconds (as many pictures as the recorder keeps), save what says "so far".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from punktfunk.realtime import StageTimes

_MEANINGS: Final = {
    "host": "capture, encode, send",
    "network": "on the way",
    "reassembly": "first packet to last",
    "queue": "waiting for the decoder",
    "decode": "decoding",
    "hold": "jitter buffer",
    "present": "drawing, display",
    "total": "capture to screen",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the overlay shows. ``session`` is the session's own ``statistics()``."""

    title: str
    mode: str
    decoder: str
    renderer: str
    display_hz: float
    locked: bool
    frames_per_s: float
    step_p99_ns: int
    stream_hz: float
    jitter_ns: int
    hold_ns: int
    left_out_count: int
    held_count: int
    stages: Mapping[str, StageTimes]
    session: Mapping[str, float]
    rate_bps: float = 0.0
    sound: Mapping[str, int] = field(default_factory=dict)
    sound_delay_ns: int | None = None
    notes: Sequence[str] = ()


def lines(figures: Figures) -> list[str]:
    """Write the overlay's lines."""
    display = f"{figures.display_hz:.0f} Hz" if figures.display_hz else "display of unknown rate"
    sync = "in step" if figures.locked else "free running"
    return [
        f"{figures.title}   {figures.mode}",
        f"{figures.decoder}, {figures.renderer}, {display} {sync}",
        "",
        *_pictures(figures),
        *_network(figures),
        "",
        f"{'':11}{'p50':>8}{'p99':>9}{'max':>9}  ms",
        *(_stage(name, figures.stages.get(name)) for name in _MEANINGS),
        *_sound(figures),
        *(f"! {note}" for note in figures.notes),
    ]


def _pictures(figures: Figures) -> list[str]:
    rate = f"{figures.frames_per_s:.1f} fps of {figures.stream_hz:.0f}"
    left_out = f"left out {figures.left_out_count}   frozen {figures.held_count}"
    return [
        f"{rate}   step to step {_ms(figures.step_p99_ns)} (p99)",
        f"jitter {_ms(figures.jitter_ns)}   buffer {_ms(figures.hold_ns)}   {left_out}",
    ]


def _network(figures: Figures) -> list[str]:
    """Rate and loss: what the session knows; a number that it does not know is a dash."""
    session = figures.session

    def number(key: str, form: str = ".0f", scale: float = 1.0) -> str:
        return format(session[key] * scale, form) if key in session else "-"

    rate = f"{figures.rate_bps / 1e6:.1f} of {number('bitrate_kbps', '.1f', 0.001)} Mbit/s"
    loss = f"loss {number('loss_ppm', '.2f', 1e-4)} %   parity {number('fec_percent')} %"
    repaired = f"recovered {number('recovered_shards')} packets, lost {number('dropped_frames')} frames"
    return [
        f"{rate}   {loss}   rtt {number('rtt_ns', '.1f', 1e-6)} ms",
        f"so far: {repaired}, late {number('late_shards')} packets",
    ]


def _stage(name: str, times: StageTimes | None) -> str:
    if times is None or not times.known_count:
        return f"{name:11}{'-':>8}{'-':>9}{'-':>9}  {_MEANINGS[name]}"
    p50, p99, most = (value / 1e6 for value in times[:3])
    return f"{name:11}{p50:8.2f}{p99:9.2f}{most:9.2f}  {_MEANINGS[name]}"


def _sound(figures: Figures) -> list[str]:
    if not figures.sound:
        return ["", "no sound"]
    if figures.sound_delay_ns is None:
        return ["", "no sound so far"]
    sound = figures.sound
    delay = _ms(figures.sound_delay_ns)
    apart = f"picture {sound['sync_error_us'] / 1000:+.0f} ms from it"
    return [
        "",
        f"sound {delay} after capture, {apart}, buffer {sound['target_us'] / 1000:.0f} ms",
        f"so far: concealed {sound['concealed']}, lost {sound['lost']}, late {sound['late']} packets",
    ]


def _ms(value_ns: int) -> str:
    return f"{value_ns / 1e6:.1f} ms"
