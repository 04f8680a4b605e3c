import errno
import os
import resource
import select
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from punktfunk.errors import EnvironmentProblem, PunktfunkError
from punktfunk.plan import RealtimePlan
from punktfunk.realtime import thread
from punktfunk.realtime.bells import open_bells
from punktfunk.realtime.realtimekit import Terms
from punktfunk.realtime.thread import (
    Failures,
    Worker,
    join_all,
    keeping_policies,
    prefer,
    promote,
)

SECOND_NS = 1_000_000_000


@pytest.fixture
def failures():
    failures = Failures(*open_bells(1))
    yield failures
    failures.close()


@pytest.fixture
def sleeper(failures):
    """A thread that waits, to be promoted."""
    release = threading.Event()
    worker = Worker("pf-test", release.wait, failures, lambda: None)
    worker.start()
    yield worker
    release.set()
    join_all([worker], SECOND_NS)


@pytest.fixture
def prepared():
    """The process as `prepare_process` leaves it, and afterwards as it was."""
    before = signal.getsignal(signal.SIGXCPU)
    thread.prepare_process()
    yield
    signal.signal(signal.SIGXCPU, before)
    thread._prepared.clear()


def readable(fd):
    return bool(select.select([fd], [], [], 0)[0])


def test_a_worker_has_a_name_in_the_kernel_and_reports_its_end(failures):
    names, ends = [], []

    def body():
        names.append(Path(f"/proc/self/task/{threading.get_native_id()}/comm").read_text().strip())

    worker = Worker("pf-a-name-that-is-long", body, failures, lambda: ends.append(1))
    worker.start()
    join_all([worker], SECOND_NS)
    assert names == ["pf-a-name-that-is-long"[:15]]
    assert ends == [1]
    assert failures.first() is None
    assert not readable(failures.event_fd)


def test_a_crash_becomes_a_failure_with_its_cause_and_hint(failures):
    def body():
        raise EnvironmentProblem("the output is gone", hint="Start again.")

    worker = Worker("pf-capture", body, failures, lambda: None)
    worker.start()
    join_all([worker], SECOND_NS)
    failure = failures.first()
    assert str(failure) == "pf-capture stopped: the output is gone"
    assert failure.hint == "Start again."
    assert isinstance(failure.__cause__, EnvironmentProblem)
    assert readable(failures.event_fd)
    failures.report("pf-encode", ValueError())
    assert failures.first() is failure


def test_a_thread_that_does_not_end_is_named(failures):
    release = threading.Event()
    worker = Worker("pf-stuck", release.wait, failures, lambda: None)
    worker.start()
    with pytest.raises(PunktfunkError, match="pf-stuck did not stop within"):
        join_all([worker], 1_000_000)
    release.set()
    join_all([worker], SECOND_NS)


def test_a_worker_that_never_started_is_joined(failures):
    join_all([Worker("pf-none", lambda: None, failures, lambda: None)], SECOND_NS)


class Refusing:
    def terms(self):
        raise EnvironmentProblem("nobody is there")


class Granting:
    def __init__(self):
        self.asked = []

    def terms(self):
        return Terms(20, 200_000)

    def make_realtime(self, thread_id, priority):
        self.asked.append((thread_id, priority))


def may_be_realtime(thread_id):
    try:
        os.sched_setscheduler(thread_id, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        return False
    thread.make_ordinary(thread_id)
    return True


def test_promotion_pins_and_makes_realtime_or_says_why_not(sleeper):
    cpu = max(os.sched_getaffinity(0))
    allowed = may_be_realtime(sleeper.native_id)
    placement = promote("pf-test", sleeper.native_id, RealtimePlan(cpu, 20), Refusing())
    assert placement.cpu == cpu
    assert os.sched_getaffinity(sleeper.native_id) == {cpu}
    assert os.sched_getaffinity(0) != {cpu} or os.cpu_count() == 1
    if allowed:
        assert (placement.policy, placement.priority, placement.reason) == ("SCHED_FIFO", 20, "")
        assert os.sched_getscheduler(sleeper.native_id) == os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    else:
        assert placement.policy == "SCHED_OTHER"
        assert "SCHED_FIFO" in placement.reason
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_cpu_that_is_not_there_is_said(sleeper):
    placement = promote("pf-test", sleeper.native_id, RealtimePlan(1000, 0))
    assert placement.cpu is None
    assert "CPU 1000" in placement.reason
    assert placement.policy == "SCHED_OTHER"


class Preferring:
    def __init__(self):
        self.asked = []

    def make_preferred(self, thread_id, niceness):
        self.asked.append((thread_id, niceness))
        if niceness > -5:
            raise EnvironmentProblem("nobody is there")


def test_a_preferred_thread_runs_first_and_starts_ordinary_ones(sleeper):
    kit, own = Preferring(), os.getpriority(os.PRIO_PROCESS, 0)
    assert prefer(sleeper.native_id, kit=kit) == ""
    if not kit.asked:
        assert os.getpriority(os.PRIO_PROCESS, sleeper.native_id) == -10
        assert os.sched_getscheduler(sleeper.native_id) & os.SCHED_RESET_ON_FORK
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_nobody_lets_it_run_first(sleeper, no_fifo):
    kit = Preferring()
    assert prefer(sleeper.native_id, -1, kit) == (
        "niceness -1: Operation not permitted; RealtimeKit: nobody is there"
    )
    assert kit.asked == [(sleeper.native_id, -1)]


@pytest.fixture
def no_fifo(monkeypatch):
    """A process that may not make itself realtime."""

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(thread.os, "sched_setscheduler", refuse)
    monkeypatch.setattr(thread.os, "setpriority", refuse)
    limits = []
    monkeypatch.setattr(resource, "setrlimit", lambda what, limit: limits.append((what, limit)))
    return limits


def test_realtimekit_is_asked_on_its_terms(sleeper, no_fifo, prepared):
    kit = Granting()
    placement = promote("pf-test", sleeper.native_id, RealtimePlan(None, 50), kit)
    assert kit.asked == [(sleeper.native_id, 20)]
    assert no_fifo == [(resource.RLIMIT_RTTIME, (100_000, 200_000))]
    assert placement.reason == ""
    assert sleeper.native_id in thread._demotable


def test_realtimekit_is_not_asked_while_its_signal_would_kill(sleeper, no_fifo):
    kit = Granting()
    placement = promote("pf-test", sleeper.native_id, RealtimePlan(None, 20), kit)
    assert kit.asked == []
    assert no_fifo == []
    assert "SIGXCPU" in placement.reason


def test_without_a_kit_the_refusal_is_all(sleeper, no_fifo, prepared):
    placement = promote("pf-test", sleeper.native_id, RealtimePlan(None, 20))
    assert placement.reason == "SCHED_FIFO: Operation not permitted"


def test_realtimekit_may_refuse(sleeper, no_fifo, prepared):
    placement = promote("pf-test", sleeper.native_id, RealtimePlan(None, 20), Refusing())
    assert placement.reason == "SCHED_FIFO: Operation not permitted; RealtimeKit: nobody is there"
    assert sleeper.native_id not in thread._demotable


def test_the_signal_demotes_what_realtimekit_promoted(sleeper, prepared):
    if not may_be_realtime(sleeper.native_id):
        pytest.skip("this process may not make threads realtime")
    promote("pf-test", sleeper.native_id, RealtimePlan(None, 10))
    thread._demotable.add(sleeper.native_id)
    signal.raise_signal(signal.SIGXCPU)
    assert os.sched_getscheduler(sleeper.native_id) == os.SCHED_OTHER


def test_an_ended_thread_is_not_promoted():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert promote("pf-short", gone.pid, RealtimePlan(None, 0)).policy == "ended"


def test_libraries_cannot_leave_threads_realtime(sleeper):
    if not may_be_realtime(sleeper.native_id):
        pytest.skip("this process may not make threads realtime")
    with keeping_policies():
        os.sched_setscheduler(sleeper.native_id, os.SCHED_FIFO, os.sched_param(99))
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))
    assert os.sched_getscheduler(sleeper.native_id) == os.SCHED_OTHER
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    promote("pf-test", sleeper.native_id, RealtimePlan(None, 10))
    with keeping_policies():
        pass
    assert os.sched_getscheduler(sleeper.native_id) == os.SCHED_FIFO | os.SCHED_RESET_ON_FORK


def test_policies_that_cannot_be_read_block_nobody_for_ever(monkeypatch):
    def refuse():
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(thread, "_policies", refuse)
    with pytest.raises(OSError, match="Too many"), keeping_policies():
        pass
    monkeypatch.undo()
    guard = keeping_policies()
    guard.__enter__()
    monkeypatch.setattr(thread, "_policies", refuse)
    with pytest.raises(OSError, match="Too many"):
        guard.__exit__(None, None, None)
    assert not thread.scheduling.locked()


def test_a_thread_that_cannot_be_named_runs_all_the_same(monkeypatch, failures):
    def refuse(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(thread.Path, "write_text", refuse)
    ran = threading.Event()
    worker = Worker("pf-test", ran.set, failures, lambda: None)
    worker.start()
    join_all([worker], SECOND_NS)
    assert ran.is_set()
    assert failures.first() is None
