"""Kernels at start: warm ones are checked only, cold ones compiled with progress, and a stop is heeded."""

from types import SimpleNamespace

import pytest
import trio

from punktfunk.control import kernels
from punktfunk.control.kernels import warm_kernels
from punktfunk.control.readiness import Readiness
from punktfunk.errors import EnvironmentProblem

STREAMABLE_FROM = 6


def step(done, total=10):
    return SimpleNamespace(
        name="gf8", done=done, total=total, share=done / total, left_s=2.0 * (total - done),
        can_stream=done >= STREAMABLE_FROM,
    )  # fmt: skip


@pytest.fixture
def calls(monkeypatch):
    noted = []

    def compile_in_child(progress, _check, *, beside_streams):
        noted.append("compile")
        for done in range(1, 11):
            progress(step(done))

    def self_check(*, stream_only=False):
        noted.append("check for streams" if stream_only else "check")

    monkeypatch.setattr(kernels, "is_warm", lambda: False)
    monkeypatch.setattr(kernels, "can_stream", lambda: False)
    monkeypatch.setattr(kernels, "compile_in_child", compile_in_child)
    monkeypatch.setattr(kernels, "self_check", self_check)
    return noted


@pytest.mark.trio
async def test_cold(calls):
    readiness, lines = Readiness(), []
    await warm_kernels(readiness, lines.append)
    assert calls[0] == "compile"
    assert sorted(calls[1:]) == ["check", "check for streams"]
    assert lines[0].startswith("kernels: compiling")
    assert lines[1] == "kernels: compiled 30 %, about 14 s left"
    assert "kernels: ready for streams; the rest is compiled beside them" in lines
    assert lines[-1] == "kernels: ready"
    assert readiness.waiting_for == "its kernels are being checked"


@pytest.mark.trio
async def test_streams_can_begin_before_all_is_compiled(calls, monkeypatch):
    rest = trio.Event()

    def compile_in_child(progress, _check, *, beside_streams):
        for done in range(1, STREAMABLE_FROM + 1):
            progress(step(done))
        trio.from_thread.run(rest.wait)

    monkeypatch.setattr(kernels, "compile_in_child", compile_in_child)
    lines = []
    async with trio.open_nursery() as nursery:
        await nursery.start(warm_kernels, Readiness(), lines.append)
        assert calls == ["check for streams"]
        assert "kernels: ready" not in lines
        rest.set()
    assert calls == ["check for streams", "check"]
    assert lines[-1] == "kernels: ready"


@pytest.mark.trio
async def test_a_start_that_was_cut_short_streams_at_once(calls, monkeypatch):
    monkeypatch.setattr(kernels, "can_stream", lambda: True)
    lines = []
    await warm_kernels(Readiness(), lines.append)
    assert lines[0] != "kernels: compiling, once for this machine and version; pairing already works"
    assert "check for streams" in calls


@pytest.mark.trio
async def test_a_failure_before_streams_ends_the_start(calls, monkeypatch):
    def compile_in_child(_progress, _check, *, beside_streams):
        raise EnvironmentProblem("no compiler today")

    monkeypatch.setattr(kernels, "compile_in_child", compile_in_child)
    with pytest.raises(ExceptionGroup) as caught:
        await warm_kernels(Readiness(), lambda _: None)
    assert caught.group_contains(EnvironmentProblem, match="no compiler today")


@pytest.mark.trio
async def test_a_failure_of_the_rest_is_told_and_streams_go_on(calls, monkeypatch):
    def compile_in_child(progress, _check, *, beside_streams):
        progress(step(STREAMABLE_FROM))
        raise EnvironmentProblem("the disk is full")

    monkeypatch.setattr(kernels, "compile_in_child", compile_in_child)
    lines = []
    await warm_kernels(Readiness(), lines.append)
    assert "kernels: the disk is full; streams are not affected" in lines
    assert calls == ["check for streams"]


@pytest.mark.trio
async def test_warm(calls, monkeypatch):
    monkeypatch.setattr(kernels, "is_warm", lambda: True)
    lines = []
    await warm_kernels(Readiness(), lines.append)
    assert calls == ["check for streams", "check"]
    assert lines == ["kernels: ready"]


@pytest.mark.trio
async def test_a_warm_start_waits_for_the_check_of_its_streams_only(calls, monkeypatch):
    monkeypatch.setattr(kernels, "is_warm", lambda: True)
    rest, lines = trio.Event(), []

    def self_check(*, stream_only=False):
        if not stream_only:
            trio.from_thread.run(rest.wait)
            raise EnvironmentProblem("kernels differ")

    monkeypatch.setattr(kernels, "self_check", self_check)
    async with trio.open_nursery() as nursery:
        await nursery.start(warm_kernels, Readiness(), lines.append)
        assert lines == []
        rest.set()
    assert lines == ["kernels: kernels differ; streams are not affected"]


@pytest.mark.trio
async def test_a_stop_ends_the_compilation(calls, monkeypatch):
    """At the next step, not after a minute: nobody may need a second Ctrl-C."""
    steps = []

    def compile_in_child(progress, _check, *, beside_streams):
        for done in range(1, 11):
            steps.append(done)
            if done == 3:
                trio.from_thread.run_sync(scope.cancel)
            progress(step(done))

    monkeypatch.setattr(kernels, "compile_in_child", compile_in_child)
    with trio.CancelScope() as scope:
        await warm_kernels(Readiness(), lambda _: None)
    assert scope.cancelled_caught
    assert steps == [1, 2, 3]
    assert calls == []
