"""Bandwidth probes: filler beside the video at a rate that the client names, and what became of it.

A client that cannot tell filler from video, zeros, and a probe less than ten seconds after the last one are
refused by an answer of zeros; before the first picture probes need no distance, so that a client can find its
rate while the display is still being made. Spec: punktfunk-1 section 2.5.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from punktfunk.wire.native.control import ProbeRequest, ProbeResult, ProbeShaped

MOST_KBPS: Final = 10_000_000
MOST_MS: Final = 5000
SPACING_S: Final = 10.0
UNIT_BYTES: Final = (1200, 16 << 10)
UNITS_PER_S: Final = 240
SLICE_S: Final = 0.001
REFUSED: Final = ProbeResult(0, 0, 0, 0, 0)

Fill = Callable[[int], bool]


class Line(Protocol):
    """What a probe needs of the video."""

    def fill(self, unit_bytes: int) -> bool:
        """Send one unit; False while there is no room."""

    def counters(self) -> dict[str, int]:
        """Count what the sender did."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: ``burst_hz`` 0 spreads it evenly, else it leaves in so many bursts a second."""

    rate_kbps: int
    duration_ns: int
    unit_bytes: int
    burst_hz: int = 0

    def due_bytes(self, elapsed_ns: int) -> int:
        """Tell how much should have left by then."""
        if self.burst_hz:
            period_ns = 1_000_000_000 // self.burst_hz
            elapsed_ns = (elapsed_ns // period_ns + 1) * period_ns  # a period's share leaves as it begins
        return min(elapsed_ns, self.duration_ns) * self.rate_kbps // 8_000_000


def load_of(request: ProbeRequest | ProbeShaped) -> Load | None:
    """Return what is asked for within the bounds; None for a request that is refused."""
    if not request.target_kbps or not request.duration_ms:
        return None
    rate_kbps = min(request.target_kbps, MOST_KBPS)
    low, high = UNIT_BYTES
    unit_bytes = min(max(rate_kbps * 125 // UNITS_PER_S, low), high)
    burst_hz = request.burst_hz if isinstance(request, ProbeShaped) else 0
    return Load(rate_kbps, min(request.duration_ms, MOST_MS) * 1_000_000, unit_bytes, burst_hz)


def pump(
    fill: Fill,
    load: Load,
    stopped: Callable[[], bool],
    *,
    clock_ns: Callable[[], int] = time.monotonic_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[int, int]:
    """Send the load on the caller's thread; units that left, and how long it took in nanoseconds."""
    began_ns, units = clock_ns(), 0
    while (elapsed_ns := clock_ns() - began_ns) < load.duration_ns and not stopped():
        due = load.due_bytes(elapsed_ns) // load.unit_bytes
        while units < due and fill(load.unit_bytes):
            units += 1
        sleep(SLICE_S)
    return units, clock_ns() - began_ns


class Probes:
    """Serves the probes of one session, one at a time. ``say`` sends an answer."""

    def __init__(self, line: Line, say: Callable[[ProbeResult], Awaitable[None]], *, allowed: bool) -> None:
        self._line = line
        self._say = say
        self._allowed = allowed
        self._last_s: float | None = None
        self.pictures_flow = False
        """Set with the first picture: from then on probes keep their distance."""
        self._asked, self._to_serve = trio.open_memory_channel[Load | None](4)

    def request(self, message: ProbeRequest | ProbeShaped) -> None:
        """Take a request; more than a few at once are forgotten."""
        load = load_of(message) if self._allowed else None
        try:
            self._asked.send_nowait(load)
        except trio.WouldBlock:
            return

    async def serve(self, line_is_up: trio.Event) -> None:
        """Serve until cancelled, as soon as there is a line to fill."""
        await line_is_up.wait()
        async for load in self._to_serve:
            await self._say(REFUSED if load is None or self._is_early() else await self._run(load))

    def _is_early(self) -> bool:
        last_s = self._last_s
        return self.pictures_flow and last_s is not None and trio.current_time() - last_s < SPACING_S

    async def _run(self, load: Load) -> ProbeResult:
        before = self._line.counters()
        stopped = False

        def is_stopped() -> bool:
            return stopped

        try:
            units, took_ns = await trio.to_thread.run_sync(
                pump, self._line.fill, load, is_stopped, abandon_on_cancel=True
            )
        finally:
            stopped = True  # an abandoned thread ends within a slice
        if not units:
            return REFUSED
        self._last_s = trio.current_time()
        after = self._line.counters()
        packets, dropped = (
            max(0, after.get(name, 0) - before.get(name, 0))
            for name in ("filler_datagrams", "lost_datagrams")
        )
        sent = max(0, packets - dropped)
        return ProbeResult(units * load.unit_bytes, units, took_ns // 1_000_000, sent, dropped)
