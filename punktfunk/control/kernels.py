"""Compiled kernels at start: from the cache when they are there, else compiled in a child, with progress."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from punktfunk.control.readiness import Readiness
from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime import can_stream, compile_in_child, is_warm, self_check

if TYPE_CHECKING:
    from punktfunk.realtime import WarmStep

Report = Callable[[str], None]


async def warm_kernels(
    readiness: Readiness,
    report: Report,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Start once the kernels of a stream are compiled, loaded and equal to their twins; return when all are.

    EnvironmentProblem if that fails before the start; later it is reported, and streams go on. Compiling
    happens in a child process: it would hold this one's interpreter for tens of seconds.
    """
    if not await trio.to_thread.run_sync(is_warm):
        await _compile(readiness, report, task_status)
        return
    readiness.waiting_for = "its kernels are being checked"
    await trio.to_thread.run_sync(_check_for_streams)
    task_status.started()
    try:
        await trio.to_thread.run_sync(self_check)
    except EnvironmentProblem as error:
        report(f"kernels: {error}; streams are not affected")
    else:
        report("kernels: ready")


async def _compile(readiness: Readiness, report: Report, task_status: trio.TaskStatus[None]) -> None:
    progress = _Progress(readiness, report)
    if await trio.to_thread.run_sync(can_stream):
        progress.streamable.set()
    else:
        report("kernels: compiling, once for this machine and version; pairing already works")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_compile_all, progress, report)
        await progress.streamable.wait()
        readiness.waiting_for = "its kernels are being checked"
        await trio.to_thread.run_sync(_check_for_streams)
        report("kernels: ready for streams; the rest is compiled beside them")
        task_status.started()
        progress.started.set()


async def _compile_all(progress: "_Progress", report: Report) -> None:
    try:
        await trio.to_thread.run_sync(_compile_beside_streams, progress.note)
        await progress.started.wait()
        await trio.to_thread.run_sync(self_check)
    except EnvironmentProblem as error:
        if not progress.streamable.is_set():
            raise
        report(f"kernels: {error}; streams are not affected")
    else:
        report("kernels: ready")


def _compile_beside_streams(progress: "Callable[[WarmStep], None]") -> None:
    compile_in_child(progress, trio.from_thread.check_cancelled, beside_streams=True)


def _check_for_streams() -> None:
    self_check(stream_only=True)


class _Progress:
    """Keeps ``waiting_for`` up to date, and says every quarter."""

    def __init__(self, readiness: Readiness, report: Report) -> None:
        self._readiness = readiness
        self._report = report
        self._said = 0
        self.streamable = trio.Event()
        self.started = trio.Event()

    def note(self, step: "WarmStep") -> None:
        """Take one step of the child; called from a worker thread. Raises Cancelled once the host stops."""
        trio.from_thread.check_cancelled()
        percent = int(100 * step.share)
        words = f"{percent} %, about {step.left_s:.0f} s left"
        if not step.can_stream:
            self._readiness.waiting_for = f"its kernels are being compiled ({words})"
        if percent // 25 > self._said // 25:
            self._said = percent
            trio.from_thread.run_sync(self._report, f"kernels: compiled {words}")
        if step.can_stream:
            trio.from_thread.run_sync(self.streamable.set)
