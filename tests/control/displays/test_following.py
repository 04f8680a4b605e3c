"""Displays appear on the desktop that runs when they are wanted, and stay with it."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from punktfunk.control.displays.base import Capabilities, VirtualOutput
from punktfunk.control.displays.choice import choose_backend, walk_backends
from punktfunk.control.displays.following import AbsentBackend, FollowingBackend
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, TestcardSource

pytestmark = pytest.mark.trio
MODE = Mode(1280, 720, 60_000)


class Desk:
    """A backend that notes what is asked of it."""

    def __init__(self, name):
        self.name, self.changed = name, []

    async def probe(self):
        await trio.lowlevel.checkpoint()
        return Capabilities(available=True, reason=f"{self.name} runs")

    @asynccontextmanager
    async def create(self, mode, identity):
        await trio.lowlevel.checkpoint()
        yield VirtualOutput(identity, mode, TestcardSource(mode), self.name, notes=("its own",))

    async def change_mode(self, output, mode):
        await trio.lowlevel.checkpoint()
        self.changed.append(mode)
        return replace(output, mode=mode)


async def test_a_login_while_the_host_runs_is_followed():
    private, desktop = Desk("sway"), Desk("kwin")
    answers = [(private, "no desktop"), *[(desktop, "KWin runs")] * 4]

    async def choose():
        await trio.lowlevel.checkpoint()
        return answers.pop(0)

    backend = FollowingBackend(private, choose)
    async with backend.create(MODE, "first") as first:
        assert (backend.name, first.notes) == ("sway", ("its own",))
        assert ((await backend.probe()).reason, backend.name) == ("kwin runs", "kwin")
        async with backend.create(MODE, "second") as second, backend.create(MODE, "third") as third:
            assert second.notes == ("kwin from now on (KWin runs)", "its own")
            assert (third.notes, backend.name) == (("its own",), "kwin")
            assert (backend.sends_pointer, backend.bit_depth) == (False, 8)
            desktop.sends_pointer, desktop.bit_depth = True, 10
            assert (backend.sends_pointer, backend.bit_depth) == (True, 10)
            assert (await backend.probe()).reason == "kwin runs"
            await backend.change_mode(first, Mode(2, 2, 1000))
            assert (private.changed, desktop.changed) == ([Mode(2, 2, 1000)], [])
    with pytest.raises(EnvironmentProblem, match="no display of this host"):
        await backend.change_mode(replace(first, backend="gnome"), MODE)


async def test_backends_are_asked_again_and_not_made_again(tmp_path, monkeypatch):
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": str(tmp_path)}
    made = {}
    first = await walk_backends("auto", tmp_path, environment=environment, made=made)
    again = await walk_backends("auto", tmp_path, environment=environment, made=made)
    assert first.backend is again.backend is made["testcard"]
    backend, reason = await choose_backend("auto", tmp_path, environment=environment)
    async with backend.create(MODE, "client") as output:
        assert output.backend == "testcard"
        assert output.notes == ()
    assert reason.startswith("no desktop of this user runs (")
    assert reason.endswith("the test card needs no compositor")


async def test_a_host_may_wait_for_its_desktop(tmp_path):
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": str(tmp_path)}
    for setting in ("attach", "kwin"):
        backend, reason = await choose_backend(setting, tmp_path, environment=environment, may_wait=True)
        assert reason.startswith("not there yet: no ")
        assert reason.endswith("clients are refused until it is")
        found = await backend.probe()
        assert (found.available, bool(found.hint)) == (False, True)
        with pytest.raises(EnvironmentProblem, match=f"display {setting}: no "):
            async with backend.create(MODE, "client"):
                pass
    with pytest.raises(EnvironmentProblem, match="not installed"):  # nobody will log into that one
        await choose_backend("sway", tmp_path, environment=environment, may_wait=True)
    absent = AbsentBackend("kwin", EnvironmentProblem("gone"))
    with pytest.raises(EnvironmentProblem, match="gone"):
        async with absent.create(MODE, "client"):
            pass
    with pytest.raises(EnvironmentProblem, match="gone"):
        await absent.change_mode(VirtualOutput("x", MODE, TestcardSource(MODE), "kwin"), MODE)


async def test_a_desktop_that_runs_is_named_and_those_that_do_not_are_not(tmp_path):
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": str(tmp_path)}
    made = {"kwin": Desk("kwin"), "hyprland": Desk("hyprland")}

    async def refuse():
        await trio.lowlevel.checkpoint()
        return Capabilities(available=False, reason="Hyprland runs, but is too old", hint="Update it.")

    made["hyprland"].probe = refuse
    choice = await walk_backends("auto", tmp_path, environment=environment, made=made)
    assert choice.reasons == ["Hyprland runs, but is too old", "kwin runs"]
    assert [name for name, _ in choice.failed] == ["hyprland"]
