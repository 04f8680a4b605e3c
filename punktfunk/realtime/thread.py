"""Threads of the realtime room: their names, their CPU and policy, and what becomes of a crash.

Threads and children inherit policy and affinity from the thread that starts them, so exactly one kind of
thread here is ever promoted: one that starts nothing. Promotion happens from the outside, by thread id, so
that a slow D-Bus never stands between a thread and its work.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

from punktfunk.errors import EnvironmentProblem, PipelineFailed, PunktfunkError
from punktfunk.plan import RealtimePlan
from punktfunk.realtime.bells import close_bell, ring
from punktfunk.realtime.heap import keep_few_heaps
from punktfunk.realtime.realtimekit import RealtimeKit

SWITCH_INTERVAL_S: Final = 1e-4
"""How long a Python thread may keep the GIL from another. The default, 5 ms, is a third of a 60 Hz frame."""

PREFERRED_NICENESS: Final = -10

_POLICY_NAMES: Final = {
    getattr(os, name): name for name in ("SCHED_OTHER", "SCHED_FIFO", "SCHED_RR") if hasattr(os, name)
}

scheduling = threading.Lock()
"""Held while policies are changed or an encoder library opens: see ``keeping_policies``."""

_demotable: set[int] = set()
_prepared = threading.Event()


@dataclass(frozen=True, slots=True)
class Placement:
    """What a thread got. ``reason`` says why it is less than was asked for; empty where it is not."""

    thread_name: str
    policy: str
    priority: int
    cpu: int | None
    reason: str


def prepare_process() -> None:
    """Set the GIL's switch interval and heaps, and the SIGXCPU handler that RealtimeKit's terms need.

    To be called once, by the main thread (Python delivers signals nowhere else) before threads start. Without
    it everything works, but RealtimeKit is not asked: SIGXCPU would then end the process.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    keep_few_heaps()
    if threading.current_thread() is threading.main_thread() and _POLICY_NAMES:
        signal.signal(signal.SIGXCPU, _demote_all)
        _prepared.set()


def _demote_all(_signal: int, _frame: FrameType | None) -> None:
    """SIGXCPU: a realtime thread computed for 100 ms without sleeping. All of them become ordinary."""
    for thread_id in list(_demotable):
        make_ordinary(thread_id)


def make_ordinary(thread_id: int) -> None:
    """Give a thread SCHED_OTHER; one that has ended meanwhile is no error."""
    _demotable.discard(thread_id)
    try:
        os.sched_setscheduler(thread_id, os.SCHED_OTHER, os.sched_param(0))
    except (ProcessLookupError, PermissionError):
        return


def promote(
    thread_name: str, thread_id: int, plan: RealtimePlan, kit: RealtimeKit | None = None
) -> Placement:
    """Pin a thread and make it realtime: SCHED_FIFO where the process may, else SCHED_RR by ``kit``, if any.

    Takes at most the two seconds of a D-Bus call. Never raises for what the machine refuses: the refusal is
    in ``Placement.reason``, for ``doctor`` and the log.
    """
    if not _POLICY_NAMES:
        return Placement(thread_name, "ordinary", 0, None, "Python cannot set policies on this system")
    reasons = []
    cpu = plan.cpu
    with scheduling:
        if cpu is not None:
            try:
                os.sched_setaffinity(thread_id, {cpu})
            except OSError as error:
                reasons.append(f"CPU {cpu}: {error.strerror}")
                cpu = None
        if plan.priority > 0:
            reasons += _make_realtime(thread_id, plan.priority, kit)
        try:
            policy = os.sched_getscheduler(thread_id) & ~os.SCHED_RESET_ON_FORK
            priority = os.sched_getparam(thread_id).sched_priority
        except ProcessLookupError:
            return Placement(thread_name, "ended", 0, None, "the thread has ended")
    return Placement(thread_name, _POLICY_NAMES.get(policy, str(policy)), priority, cpu, "; ".join(reasons))


def prefer(thread_id: int, niceness: int = PREFERRED_NICENESS, kit: RealtimeKit | None = None) -> str:
    """Let an ordinary thread run before other ordinary ones; what it starts does not inherit that.

    For threads that may not become realtime, as nothing bounds what they compute. Takes at most the two
    seconds of a D-Bus call, and raises nothing: returns why it did not work, "" if it did.
    """
    if not _POLICY_NAMES:
        return "Python cannot set priorities of threads on this system"
    with scheduling:
        try:
            os.setpriority(os.PRIO_PROCESS, thread_id, niceness)
            os.sched_setscheduler(thread_id, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
        except OSError as error:
            refusal = f"niceness {niceness}: {error.strerror}"
        else:
            return ""
        try:
            (kit or RealtimeKit()).make_preferred(thread_id, niceness)
        except EnvironmentProblem as problem:
            return f"{refusal}; RealtimeKit: {problem}"
    return ""


def _make_realtime(thread_id: int, priority: int, kit: RealtimeKit | None) -> list[str]:
    """Reasons why it did not work, none if it did."""
    try:
        os.sched_setscheduler(thread_id, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        refusal = f"SCHED_FIFO: {error.strerror}"
    else:
        return []
    if kit is None:
        return [refusal]
    if not _prepared.is_set():
        return [refusal, "RealtimeKit: not asked, as SIGXCPU has no handler"]
    try:
        terms = kit.terms()
        _limit_cpu_time(terms.cpu_time_us)
        _demotable.add(thread_id)
        kit.make_realtime(thread_id, min(priority, terms.priority))
    except (EnvironmentProblem, OSError, ValueError) as error:
        _demotable.discard(thread_id)
        return [refusal, f"RealtimeKit: {error}"]
    return []


def _limit_cpu_time(maximum_us: int) -> None:
    """RealtimeKit's condition. The soft limit comes first: SIGXCPU must demote before the hard one kills."""
    import resource  # Unix has it, Windows does not

    _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    limit_us = maximum_us if hard == resource.RLIM_INFINITY else min(hard, maximum_us)
    resource.setrlimit(resource.RLIMIT_RTTIME, (limit_us // 2, limit_us))


class keeping_policies:  # noqa: N801  (used like a function, as contextlib's are)
    """While this is open no library may leave a thread realtime: what it promoted is made ordinary again.

    SVT-AV1 gives SCHED_FIFO 99 to its workers *and* to the calling process when it runs as root (seen with
    4.1: every worker, the opening thread, the main thread). Two cores then belong to the encoder.
    """

    def __enter__(self) -> Self:
        scheduling.acquire()
        try:
            self._before = _policies()
        except BaseException:  # no descriptor may be left to read /proc with
            scheduling.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for thread_id, policy in _policies().items():
                if policy != os.SCHED_OTHER and self._before.get(thread_id, os.SCHED_OTHER) == os.SCHED_OTHER:
                    make_ordinary(thread_id)
        finally:
            scheduling.release()


def _policies() -> dict[int, int]:
    policies = {}
    for entry in Path("/proc/self/task").iterdir():
        try:
            policies[int(entry.name)] = os.sched_getscheduler(int(entry.name)) & ~os.SCHED_RESET_ON_FORK
        except ProcessLookupError:
            continue
    return policies


class Failures:
    """The first failure of a group of threads, and the bell that tells about it, which it owns.

    ``event_fd`` becomes readable with the first failure and stays so. Written by any thread, read by control.
    """

    def __init__(self, event_fd: int) -> None:
        self.event_fd = event_fd
        self._first: PipelineFailed | None = None
        self._lock = threading.Lock()

    def report(self, thread_name: str, cause: BaseException) -> None:
        """Remember the first failure and ring; later ones are its consequences."""
        with self._lock:
            if self._first is None:
                failure = PipelineFailed(
                    f"{thread_name} stopped: {str(cause) or type(cause).__name__}",
                    hint=getattr(cause, "hint", ""),
                )
                failure.__cause__ = cause
                self._first = failure
            if self.event_fd >= 0:
                ring(self.event_fd)

    def first(self) -> PipelineFailed | None:
        """Tell the first failure, None so far."""
        return self._first

    def close(self) -> None:
        """Close the bell; nobody may be waiting on it."""
        with self._lock:
            if self.event_fd >= 0:
                close_bell(self.event_fd)
                self.event_fd = -1


class Worker:
    """A named thread with a body. What leaves the body goes to ``failures``; then ``on_end`` is called."""

    def __init__(
        self, name: str, body: Callable[[], None], failures: Failures, on_end: Callable[[], None]
    ) -> None:
        self.name = name
        self._body = body
        self._failures = failures
        self._on_end = on_end
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; ``native_id`` is known afterwards."""
        self._thread.start()

    @property
    def native_id(self) -> int:
        """The kernel's thread id."""
        native_id = self._thread.native_id
        assert native_id is not None
        return native_id

    def is_alive(self) -> bool:
        """Whether the body still runs."""
        return self._thread.is_alive()

    def cpu_ns(self) -> int:
        """CPU time that the thread has used so far; 0 once it has ended, before, and where nothing tells."""
        identity, clock_of = self._thread.ident, getattr(time, "pthread_getcpuclockid", None)
        if identity is None or clock_of is None or not self._thread.is_alive():
            return 0
        return time.clock_gettime_ns(clock_of(identity))

    def join(self, deadline_ns: int) -> bool:
        """Wait until the CLOCK_MONOTONIC deadline; False if the thread still runs then."""
        if self._thread.ident is not None:
            self._thread.join(max(0, deadline_ns - time.monotonic_ns()) / 1e9)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with _Watch(self):
            # The kernel's name for the thread, at most 15 characters: what top and gdb show.
            with suppress(OSError):  # no descriptor left: it runs without one
                Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(self.name[:15])
            self._body()

    def ended(self, error: BaseException | None) -> None:
        """Report what the body left by, and tell the owner."""
        _demotable.discard(self.native_id)
        if error is not None:
            self._failures.report(self.name, error)
        self._on_end()


class _Watch:
    """Sees every way out of a thread's body, as an exception in a thread would otherwise only be printed."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._worker.ended(error)
        return True


def join_all(workers: list[Worker], join_ns: int) -> None:
    """Join threads within ``join_ns`` altogether; PunktfunkError names those that did not end."""
    deadline_ns = time.monotonic_ns() + join_ns
    left = [worker.name for worker in workers if not worker.join(deadline_ns)]
    if left:
        raise PunktfunkError(f"{', '.join(left)} did not stop within {join_ns / 1e9:.1f} s")
