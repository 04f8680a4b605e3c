"""Compiled kernels at start: from the cache when they are there, else compiled in a child, with progress."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from punktfunk.control.readiness import Readiness
from punktfunk.realtime import compile_in_child, is_warm, self_check

if TYPE_CHECKING:
    from punktfunk.realtime import WarmStep

Report = Callable[[str], None]


async def warm_kernels(readiness: Readiness, report: Report) -> None:
    """Return when every kernel is compiled, loaded and equal to its twin. EnvironmentProblem if that fails.

    Compiling happens in a child process: it would hold this one's interpreter for tens of seconds.
    """
    if not await trio.to_thread.run_sync(is_warm):
        report("kernels: compiling, once for this machine and version; pairing already works")
        progress = _Progress(readiness, report)
        await trio.to_thread.run_sync(compile_in_child, progress.note, trio.from_thread.check_cancelled)
    readiness.waiting_for = "its kernels are being checked"
    await trio.to_thread.run_sync(self_check)
    report("kernels: ready")


class _Progress:
    """Keeps ``waiting_for`` up to date, and says every quarter."""

    def __init__(self, readiness: Readiness, report: Report) -> None:
        self._readiness = readiness
        self._report = report
        self._said = 0

    def note(self, step: "WarmStep") -> None:
        """Take one step of the child; called from a worker thread. Raises Cancelled once the host stops."""
        trio.from_thread.check_cancelled()
        percent = 100 * step.done // max(step.total, 1)
        self._readiness.waiting_for = f"its kernels are being compiled ({percent} % done)"
        if percent // 25 > self._said // 25:
            self._said = percent
            trio.from_thread.run_sync(self._report, f"kernels: {percent} % compiled")
