"""Gathering what the overlay shows from those who count."""

import time

from punktfunk.control.client.window.canvas import Canvas
from punktfunk.control.client.window.messages import Opened
from punktfunk.control.client.window.overlay import Figures
from punktfunk.control.client.window.presenter import Presenter
from punktfunk.plan import Mode
from punktfunk.realtime import SoundPlayer


class RateMeter:
    """Bits per second from a count of bytes that only grows."""

    def __init__(self) -> None:
        self._byte_count = 0.0
        self._at_ns = 0

    def rate_bps(self, byte_count: float, now_ns: int) -> float:
        """Tell the rate since the last call; 0 at the first and after a new beginning."""
        passed_ns = now_ns - self._at_ns
        grown = byte_count - self._byte_count
        first = not self._at_ns or grown < 0
        self._byte_count, self._at_ns = byte_count, now_ns
        return 0.0 if first or passed_ns <= 0 else grown * 8e9 / passed_ns


def figures_of(
    title: str,
    opened: Opened | None,
    presenter: Presenter,
    canvas: Canvas,
    player: SoundPlayer | None,
    mode: Mode,
    meter: RateMeter,
) -> Figures:
    """Take a snapshot; each number is exact, together they are not one moment."""
    frames_per_s, step_p99_ns = presenter.stages.cadence()
    window = "{} x {}".format(*canvas.size_px)
    session = opened.session.statistics() if opened else {}
    return Figures(
        title=title,
        mode=f"{mode} in {window}",
        decoder=opened.decoder.name if opened else "no decoder",
        renderer=canvas.renderer_name,
        display_hz=canvas.refresh_hz,
        locked=presenter.cadence.locked,
        frames_per_s=frames_per_s,
        step_p99_ns=step_p99_ns,
        stream_hz=mode.refresh_millihertz / 1000,
        jitter_ns=presenter.jitter.jitter_ns,
        hold_ns=presenter.jitter.hold_ns,
        left_out_count=presenter.jitter.superseded_count,
        held_count=opened.decoder.counters()["held"] if opened else 0,
        stages=presenter.stages.percentiles(),
        session=session,
        rate_bps=meter.rate_bps(session.get("bytes", 0), time.monotonic_ns()),
        sound=player.counters() if player else {},
        sound_delay_ns=player.delay_ns if player else None,
        notes=opened.decoder.notes if opened else (),
    )
