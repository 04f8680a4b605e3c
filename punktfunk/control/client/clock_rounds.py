"""Rounds of ClockProbe and ClockEcho over the control stream: eight at connect, eight again every minute.

Which round counts, and whether a series may move the clock, is decided by ``control.adapt.clock_sync``.
Source: punktfunk-1 sections 2.3 and 2.8.
"""

import time
from collections.abc import Awaitable, Callable

import trio

from punktfunk.control.adapt.clock_sync import ClockSeries, Reading
from punktfunk.control.client.host_clock import SteadyClock
from punktfunk.wire.native.control import ClockEcho, ClockProbe

_NS_PER_S = 1_000_000_000


class ClockRounds:
    """Runs one series at a time. ``send`` writes at once: a stamp must not age in a queue."""

    def __init__(self, steady: SteadyClock, send: Callable[[ClockProbe], Awaitable[None]]) -> None:
        self._steady = steady
        self._send = send
        self._series: ClockSeries | None = None
        self._echoed = trio.Event()

    def take_echo(self, echo: ClockEcho, t4_ns: int) -> None:
        """Take an echo that was read at ``t4_ns`` of the steady clock."""
        if self._series is not None:
            self._series.on_echo(echo.t1_ns, echo.t2_ns, echo.t3_ns, t4_ns, time.monotonic_ns())
            self._echoed.set()

    async def run(self, series: ClockSeries) -> Reading | None:
        """Run a series to its end; its best round, None if none was answered."""
        self._series = series
        while not series.over:
            await self._step(series)
        self._series = None
        return series.best()

    async def _step(self, series: ClockSeries) -> None:
        deadline_ns = series.deadline_ns()
        assert deadline_ns is not None
        wait_s = max(0, deadline_ns - time.monotonic_ns()) / _NS_PER_S
        if series.next_ns is not None:
            await trio.sleep(wait_s)
            t1_ns = self._steady.now_ns()
            self._echoed = trio.Event()
            series.begin_round(t1_ns, time.monotonic_ns())
            await self._send(ClockProbe(t1_ns))
        else:
            with trio.move_on_after(wait_s):
                await self._echoed.wait()
            series.tick(time.monotonic_ns())
