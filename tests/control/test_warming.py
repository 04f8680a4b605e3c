"""Kernels at start: warm ones are checked only, cold ones compiled with progress, and a stop is heeded."""

from types import SimpleNamespace

import pytest
import trio

from punktfunk.control import kernels
from punktfunk.control.kernels import warm_kernels
from punktfunk.control.readiness import Readiness


def step(done, total=10):
    return SimpleNamespace(name="gf8", done=done, total=total)


@pytest.fixture
def calls(monkeypatch):
    noted = []

    def compile_in_child(progress, _check):
        noted.append("compile")
        for done in range(1, 11):
            progress(step(done))

    monkeypatch.setattr(kernels, "is_warm", lambda: False)
    monkeypatch.setattr(kernels, "compile_in_child", compile_in_child)
    monkeypatch.setattr(kernels, "self_check", lambda: noted.append("check"))
    return noted


@pytest.mark.trio
async def test_cold(calls):
    readiness, lines = Readiness(), []
    await warm_kernels(readiness, lines.append)
    assert calls == ["compile", "check"]
    assert lines[0].startswith("kernels: compiling")
    assert lines[1:] == [
        *(f"kernels: {percent} % compiled" for percent in (30, 50, 80, 100)),
        "kernels: ready",
    ]
    assert readiness.waiting_for == "its kernels are being checked"


@pytest.mark.trio
async def test_warm(calls, monkeypatch):
    monkeypatch.setattr(kernels, "is_warm", lambda: True)
    lines = []
    await warm_kernels(Readiness(), lines.append)
    assert calls == ["check"]
    assert lines == ["kernels: ready"]


@pytest.mark.trio
async def test_a_stop_ends_the_compilation(calls, monkeypatch):
    """At the next step, not after a minute: nobody may need a second Ctrl-C."""
    steps = []

    def compile_in_child(progress, _check):
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
