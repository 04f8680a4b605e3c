"""Realtime threads as context managers: what was started is stopped, once, whatever happens."""

import os
import threading
from typing import ClassVar

import pytest
import trio
import trio.testing

from punktfunk.control import pipelines
from punktfunk.control.pipelines import JOIN_NS, running_audio, running_video, watch
from punktfunk.control.problems import first_leaf, worded
from punktfunk.errors import EnvironmentProblem, PipelineFailed


class Threads:
    """Made-up threads. A plan that is an exception is raised by start."""

    made: ClassVar = []

    def __init__(self, plan, socket_fd):
        self.plan, self.socket_fd = plan, socket_fd
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.calls, self.problem, self.hanging = [], None, False
        Threads.made.append(self)

    def start(self):
        assert threading.current_thread() is not threading.main_thread()
        self.calls.append("start")
        if isinstance(self.plan, Exception):
            raise self.plan

    def stop(self, join_ns):
        assert threading.current_thread() is not threading.main_thread()
        assert join_ns == (0 if "hung" in self.calls else JOIN_NS)
        if self.hanging:
            self.calls.append("hung")
            raise PipelineFailed("it hangs")
        self.calls.append("stop")
        os.close(self.event_fd)

    def failure(self):
        return self.problem


@pytest.fixture(autouse=True)
def made(monkeypatch):
    monkeypatch.setattr(Threads, "made", [])
    monkeypatch.setattr(pipelines, "Pipeline", Threads)
    monkeypatch.setattr(pipelines, "AudioLink", Threads)
    return Threads


@pytest.mark.trio
@pytest.mark.parametrize("running", [running_video, running_audio])
async def test_started_and_stopped(made, running):
    async with running("plan", 7) as threads:
        assert (threads.plan, threads.socket_fd, threads.calls) == ("plan", 7, ["start"])
    assert threads.calls == ["start", "stop"]


@pytest.mark.trio
async def test_half_started_is_stopped_too(made):
    with pytest.raises(EnvironmentProblem, match="busy"):
        async with running_video(EnvironmentProblem("the encoder is busy"), 7):
            pytest.fail("it did not start")
    assert made.made[0].calls == ["start", "stop"]


@pytest.mark.trio
async def test_a_cancelled_session_still_joins_its_threads(made):
    with trio.CancelScope() as scope:
        async with running_video("plan", 7) as threads:
            scope.cancel()
            await trio.sleep_forever()
    assert threads.calls == ["start", "stop"]


@pytest.mark.trio
async def test_watch_raises_the_failure(made):
    problem, caught = PipelineFailed("pf-encode stopped: out of memory"), []
    try:
        async with running_video("plan", 7) as threads, trio.open_nursery() as nursery:
            nursery.start_soon(watch, threads)
            await trio.testing.wait_all_tasks_blocked()
            threads.problem = problem
            os.eventfd_write(threads.event_fd, 1)
    except* PipelineFailed as group:
        caught.append(first_leaf(group))
    assert caught == [problem]
    assert threads.calls == ["start", "stop"]


def test_the_first_leaf():
    problem = EnvironmentProblem("no GPU", hint="Buy one.")
    deep = ExceptionGroup("a", [ExceptionGroup("b", [problem, OSError()]), OSError()])
    assert first_leaf(deep) is problem
    assert worded(problem) == "no GPU Buy one."
    assert worded(OSError()) == "OSError"
    assert worded(OSError(28, "No space left on device")) == "[Errno 28] No space left on device"


@pytest.mark.trio
async def test_threads_that_hang_are_closed_once_they_have_ended():
    with pytest.raises(PipelineFailed, match="hangs"):
        async with running_video("plan", 7) as first:
            first.hanging = True
    async with running_audio("plan", 7):
        assert first.calls == ["start", "hung", "hung"]
    first.hanging = False
    async with running_video("plan", 7):
        assert first.calls == ["start", "hung", "hung", "stop"]
    async with running_video("plan", 7):
        assert first.calls.count("stop") == 1
    assert not pipelines._hanging
