"""A recorded session played back: the same network, today's geometry, receiver and adaptation.

As it was: frames have their recorded sizes, kinds and parity, so what the receiver makes of them is what it
made of them then, unless its code changed. Adapting: only the times of the frames and the fates of packets
are the recording's; parity, recovery and, if asked, the bitrate follow from today's code, with a modelled
encoder.

Nothing depends on the machine or the time, so the whole report is the same byte for byte. ``digest`` is over
every delivered frame, every freeze and every report: one number that says whether anything changed.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from punktfunk.measure.network.engines import ENGINES, Engine
from punktfunk.measure.network.host_model import SECOND_NS, StreamSettings
from punktfunk.measure.network.recorded import LEAST_DELAY_NS, RecordedWay, SentFrame, rebuild, told
from punktfunk.measure.network.recording import Facts, Row
from punktfunk.measure.network.world import Outcome, World
from punktfunk.wire.native.packet import FecScheme

_TRAIL_NS: Final = 100_000_000
_MS: Final = 1_000_000
DEFAULT_KBPS: Final = 20_000


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to play: ``adapt`` lets today's code decide, with ``parity`` fixed if that is not None."""

    adapt: bool = False
    parity: int | None = None
    automatic: bool = False
    invalidate: bool = False
    engine: str = "kernels"


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a recording said, and what became of it now."""

    facts: Facts
    options: ReplayOptions
    recorded_frames: int
    recorded_packets: int
    recorded_lost: int
    outcome: Outcome
    digest: str

    def as_json(self) -> dict[str, Any]:
        """Give everything, in plain values; no date and no machine are among them."""
        outcome = self.outcome
        return {
            "options": {name: getattr(self.options, name) for name in type(self.options).__slots__},
            "facts": {name: getattr(self.facts, name) for name in type(self.facts).__slots__},
            "recorded": {
                "frames": self.recorded_frames,
                "packets": self.recorded_packets,
                "lost_packets": self.recorded_lost,
            },
            "replayed": {
                "frames": outcome.sent_frames,
                "packets": outcome.sent_packets,
                "parity_packets": outcome.parity_packets,
                "lost_packets": outcome.lost_packets,
                "lost_frames": outcome.lost_frames,
                "recovered_frames": outcome.recovered_frames,
                "recovered_shards": outcome.recovered_shards,
                "late_shards": outcome.late_shards,
                "corrupt_frames": outcome.corrupt_frames,
                "freezes": outcome.freezes,
                "frozen_us": outcome.frozen_ns // 1000,
                "asks": outcome.asks,
                "key_frames": outcome.key_frames,
                "p50_us": outcome.latency_ns(0.5) // 1000,
                "p99_us": outcome.latency_ns(0.99) // 1000,
                "last_kbps": outcome.last_kbps,
            },
            "windows": [
                [
                    window.at_ns // _MS, window.budget_kbps, window.delivered_kbps, window.loss_ppm,
                    window.fec_percent, -1 if window.latency_ns is None else window.latency_ns // 1000,
                ]
                for window in outcome.windows
            ],
            "digest": self.digest,
        }  # fmt: skip


def replay(facts: Facts, rows: list[Row], options: ReplayOptions) -> Replayed:
    """Play a recording. ConfigError for one that no session leaves."""
    frames = rebuild(facts, rows)
    stream = _stream(facts, options, frames)
    kbps = stream.ceiling_kbps if stream.automatic else facts.bitrate_kbps
    engine: Engine = ENGINES[options.engine](stream.geometry(), kbps, facts.refresh_hz)
    way = RecordedWay(frames)
    world = World(stream, way, LEAST_DELAY_NS, told=told(frames, as_it_was=not options.adapt), engine=engine)
    outcome = world.run(frames[-1].pts_ns + _TRAIL_NS)
    fates = [fate for frame in frames for fate in frame.delays_ns]
    lost = sum(fate is None for fate in fates)
    return Replayed(facts, options, len(frames), len(fates), lost, outcome, digest(outcome))


def digest(outcome: Outcome) -> str:
    """Hash everything that happened."""
    summed = hashlib.sha256()
    for frame in outcome.frames:
        summed.update(
            b"%d %d %d %d %d\n"
            % (frame.frame_index, frame.complete_ns, frame.latency_ns, frame.recovered_count, frame.shown)
        )
    for window in outcome.windows:
        summed.update(repr(window).encode())
    counted = (
        outcome.sent_packets,
        outcome.lost_packets,
        outcome.late_shards,
        outcome.asks,
        outcome.frozen_ns,
    )
    summed.update(repr(counted).encode())
    return summed.hexdigest()


def _stream(facts: Facts, options: ReplayOptions, frames: list[SentFrame]) -> StreamSettings:
    kbps = facts.bitrate_kbps or _rate_of(frames)
    return StreamSettings(
        bitrate_kbps=kbps,
        refresh_hz=facts.refresh_hz,
        fec_percent=options.parity,
        welcome_percent=facts.fec_percent,
        fec_scheme=FecScheme(facts.fec_scheme),
        shard_bytes=facts.shard_bytes,
        data_max=facts.data_max,
        automatic=options.automatic,
        ceiling_kbps=max(kbps, 100_000),
        can_invalidate=options.invalidate,
        audio_kbps=0,
    )


def _rate_of(frames: list[SentFrame]) -> int:
    """Say at what rate the frames were sent, for a session whose Welcome named none."""
    span_ns = frames[-1].pts_ns - frames[0].pts_ns
    sent_bytes = sum(frame.frame_bytes for frame in frames)
    return max(500, sent_bytes * 8 * (SECOND_NS // 1000) // span_ns) if span_ns > 0 else DEFAULT_KBPS
