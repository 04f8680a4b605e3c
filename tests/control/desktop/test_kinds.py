"""What a session consists of, and what is said where something is not installed."""

import os

import pytest

from punktfunk.control.desktop import kinds as module
from punktfunk.control.desktop.kinds import (
    KINDS,
    Kind,
    absence,
    build_parts,
    find_kind,
    how_to_install,
    missing_parts,
    refuse,
)
from punktfunk.control.desktop.parts import Part, Start, at_once, clean_environment
from punktfunk.control.desktop.services import base_environment
from punktfunk.control.displays.choice import BACKENDS
from punktfunk.errors import ConfigError, EnvironmentProblem


def fake_compositor(folder, environment):
    start = Start(["shell"], at_once)
    panel = Part("panel", "panel", {"debian": ["panel"]}, [start], frozenset({"compositor"}))
    return [Part("anything", "shell", {"debian": ["shell"]}, [start]), panel]


@pytest.fixture
def programs(tmp_path):
    """A folder for PATH, and a way to put programs into it."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def install(*names):
        for name in names:
            (folder / name).write_text("#!/bin/sh\n")
            (folder / name).chmod(0o755)
        return {"PATH": str(folder)}

    return install


@pytest.fixture
def ordinary_user(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


def test_every_kind_attaches_by_a_backend_that_exists():
    assert {kind.backend for kind in KINDS.values()} <= set(BACKENDS)


def test_unknown_kinds_are_refused():
    with pytest.raises(ConfigError, match="session = 'twm'") as refused:
        find_kind("twm")
    assert "sway" in refused.value.hint


def test_parts_of_sway(tmp_path):
    parts = {part.name: part for part in build_parts(KINDS["sway"], tmp_path, {})}
    assert list(parts) == ["session bus", "PipeWire", "WirePlumber", "Pulse server", "compositor"]
    assert parts["compositor"].needs == frozenset()  # sway lives without a bus and without PipeWire
    assert [part.name for part in parts.values() if not part.without] == ["compositor"]
    assert "enabled = false" in (tmp_path / "config/wireplumber/main.lua.d/80-punktfunk.lua").read_text()


@pytest.mark.parametrize("has_system_bus", [True, False])
def test_parts_of_a_desktop_on_the_buses(tmp_path, monkeypatch, has_system_bus):
    monkeypatch.setattr(module, "has_system_bus", lambda: has_system_bus)
    kind = Kind("gnome", f"{__name__}:fake_compositor", on_system=True)
    parts = {part.name: part for part in build_parts(kind, tmp_path, {})}
    assert ("system bus" in parts) is not has_system_bus
    assert parts["compositor"].needs == {"session bus"} | ({"system bus"} if not has_system_bus else set())
    assert list(parts)[-1] == "panel"
    assert not parts["PipeWire"].without  # its pictures go through it


def test_a_missing_compositor_is_named_with_the_command(tmp_path, programs, ordinary_user):
    environment = programs("dbus-daemon")
    parts = build_parts(KINDS["sway"], tmp_path, environment)
    with pytest.raises(EnvironmentProblem, match=r"session = sway: not installed: sway$") as refused:
        refuse("sway", parts, environment)
    assert all(name in refused.value.hint for name in ("sway", "pipewire", "wireplumber"))


def test_missing_sound_is_no_refusal(tmp_path, programs, ordinary_user):
    environment = programs("dbus-daemon", "sway")
    parts = build_parts(KINDS["sway"], tmp_path, environment)
    refuse("sway", parts, environment)
    missing = missing_parts(parts, environment)
    assert absence(missing) == (
        "pipewire and wireplumber not installed: applications have no sound; "
        "pipewire-pulse not installed: applications that know only PulseAudio (most games) have no sound"
    )
    assert how_to_install(missing).endswith(("pipewire wireplumber pipewire-pulse", "pipewire-pulseaudio"))


def test_root_is_refused(tmp_path, monkeypatch, programs):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(EnvironmentProblem, match="root"):
        refuse("sway", [], programs())


def test_nothing_leads_out_of_the_session(tmp_path):
    outside = {
        "SWAYSOCK": "/run/theirs",
        "PULSE_SERVER": "tcp:there",
        "HOME": "/home/me",
        "XDG_RUNTIME_DIR": "/run/1",
    }
    inside = base_environment(tmp_path, outside)
    assert inside["SWAYSOCK"] == inside["PULSE_SERVER"] == ""
    assert clean_environment(inside) == {
        "HOME": "/home/me",
        "XDG_RUNTIME_DIR": str(tmp_path),
        "XDG_SESSION_TYPE": "wayland",
    }


def test_gamescope_has_no_compositor_of_the_session(tmp_path):
    kind = find_kind("gamescope")
    assert [part.name for part in build_parts(kind, tmp_path, {})] == [
        "session bus",
        "PipeWire",
        "WirePlumber",
        "Pulse server",
    ]
    assert kind.heart == "PipeWire"


@pytest.mark.parametrize("name", ["gnome", "plasma"])
def test_desktops_live_by_their_compositor(tmp_path, monkeypatch, name):
    monkeypatch.setattr(module, "has_system_bus", lambda: False)
    kind = find_kind(name)
    parts = {part.name: part for part in build_parts(kind, tmp_path, {})}
    assert kind.heart == "compositor"
    assert {"session bus", "system bus"} <= parts["compositor"].needs
