"""Which backend a setting means, and why."""

import os

import pytest
import trio

from punktfunk.control.displays.base import Capabilities, DisplayOptions
from punktfunk.control.displays.choice import BACKENDS, DESKTOPS, choose_backend, is_absent, make_backend
from punktfunk.control.displays.private_session import session_folder
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.displays.spawned import SpawnedSway
from punktfunk.control.displays.sway_config import build_config, build_environment
from punktfunk.control.displays.testcard import Testcard
from punktfunk.control.displays.topology import topology_lock
from punktfunk.control.input.base import open_injector
from punktfunk.control.system.journal import Journal, new_entry
from punktfunk.control.system.processes import ProcessIdentity
from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.plan import Mode, TestcardSource
from punktfunk.wire.input import Text

MODE = Mode(1290, 2796, 59940)
pytestmark = pytest.mark.trio


@pytest.fixture(autouse=True)
def no_session(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("SWAYSOCK", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


async def test_auto_without_sway_shows_the_test_card_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    backend, reason = await choose_backend("auto", tmp_path)
    assert backend.name == "testcard"
    said = reason.split("; ")
    assert said[0].startswith("no desktop of this user runs (sway, Hyprland, ")
    assert "sway is not installed" in said
    assert said[-1] == "the test card needs no compositor"


async def test_every_backend_of_the_table_can_be_made_and_asked(tmp_path):
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": str(tmp_path)}
    for name in BACKENDS:
        backend = make_backend(name, Journal(tmp_path), DisplayOptions("exclusive"), environment)
        found = await backend.probe()
        assert found.available == (name == "testcard")
        assert found.available or found.hint, name
        if name in DESKTOPS:
            assert is_absent(name, found), f"{name}: {found.reason}"


async def test_an_arrangement_that_cannot_be_had_is_said(tmp_path, monkeypatch):
    async def probe(_backend):
        await trio.lowlevel.checkpoint()
        return Capabilities(available=True, reason="it runs")

    monkeypatch.setattr(Testcard, "probe", probe)
    _backend, reason = await choose_backend("testcard", tmp_path, DisplayOptions("primary"))
    assert reason == "asked for; it runs; it cannot do display_arrangement = 'primary': extend it is"


async def test_root_is_refused_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(EnvironmentProblem, match="sway refuses to run as root") as refused:
        await choose_backend("sway", tmp_path)
    assert "ordinary user" in refused.value.hint
    with pytest.raises(EnvironmentProblem, match="root"):
        async with SpawnedSway(Journal(tmp_path)).create(MODE, "client"):
            pass
    backend, reason = await choose_backend("auto", tmp_path)
    assert backend.name == "testcard"
    assert "root" in reason


@pytest.mark.parametrize(
    ("setting", "said"), [("attach", "no desktop of this user runs"), ("sway", "not installed")]
)
async def test_what_is_asked_for_by_name_is_never_replaced(tmp_path, monkeypatch, setting, said):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(EnvironmentProblem, match=said):
        await choose_backend(setting, tmp_path)


async def test_unknown_settings_are_the_users_to_edit(tmp_path):
    with pytest.raises(ConfigError) as refused:
        await choose_backend("windows", tmp_path)
    assert "testcard" in refused.value.hint


async def test_testcard_describes_itself_and_counts_input():
    backend = Testcard()
    async with backend.create(MODE, "client") as output:
        assert output.source == TestcardSource(MODE)
        changed = await backend.change_mode(output, Mode(2, 2, 1000))
        assert (changed.mode, changed.source) == (Mode(2, 2, 1000), TestcardSource(Mode(2, 2, 1000)))
        async with open_injector(output) as injector:
            injector.inject(Text("x"))
            injector.release_all()
        assert injector.unsupported == {"Text": 1}
        assert not injector.injected


async def test_the_lock_of_a_compositor_keeps_others_out(tmp_path, autojump_clock):
    path = str(tmp_path / "sway.sock")
    async with topology_lock(path):
        with pytest.raises(EnvironmentProblem, match="another process"):
            async with topology_lock(path):
                pass
    async with topology_lock(path):
        pass
    assert list(tmp_path.iterdir()) == []


async def test_configuration_has_exactly_the_mode_and_leads_nobody_out(monkeypatch):
    assert "mode --custom 1290x2796@59.940Hz scale 1" in build_config(MODE, xwayland=False)
    assert "xwayland disable" in build_config(MODE, xwayland=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/real")
    environment = build_environment("/private", "/private/sway.sock", "pixman")
    assert not {"WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"} & environment.keys()
    assert environment["XDG_RUNTIME_DIR"] == "/private"
    assert environment["WLR_RENDERER"] == "pixman"


async def test_a_deep_runtime_folder_does_not_break_sockets(tmp_path):
    deep = tmp_path / ("d" * 90)
    assert len(str(session_folder(deep, "0" * 16))) < 60
    assert session_folder(tmp_path.parent, "0" * 16).parent in (
        tmp_path.parent,
        session_folder(deep, "").parent,
    )


async def test_reclaim_deletes_no_folder_but_its_own(tmp_path):
    journal = Journal(tmp_path / "run")
    precious = tmp_path / "precious"
    precious.mkdir()
    dead = ProcessIdentity(1, 1, "an earlier boot")
    for kind in ("spawned", "output", "parked"):
        entry = new_entry(kind, folder=str(precious), processes=(dead,))
        object.__setattr__(entry, "owner", dead)
        journal.write(entry)
    (journal.folder / "x.json").write_text("{}")
    with trio.fail_after(10):
        said = await reclaim(journal)
    assert sorted(line.split()[0] for line in said) == ["ended", "set", "the"]
    assert precious.exists()
    assert journal.entries() == ([], [])
