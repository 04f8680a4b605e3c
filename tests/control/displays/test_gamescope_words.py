"""What gamescope says, and how it is started: read, fuzzed, found."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.displays.gamescope.holder import ANSWER, holder, read_answer
from punktfunk.control.displays.gamescope.inside import VARIABLES, parse_environ, variables_inside
from punktfunk.control.displays.gamescope.output import describe, eis_path, rescaled
from punktfunk.control.displays.gamescope.words import (
    LOG_BYTES,
    Said,
    command_line,
    find_sockets,
    has_headless,
    parse_log,
    rounded,
)
from punktfunk.plan import Mode, PipeWireSource

LOG = (
    b"[\x1b[0;34mInfo\x1b[0m]  \x1b[0;37mwlserver:\x1b[0m Running compositor on wayland display 'gamescope-1'\n"
    b"[Info]  wlserver: Successfully initialized libei for input emulation!\n"
    b"[Info]  pipewire: stream available on node ID: 56\n"
)


def test_the_log_tells_node_display_and_input():
    assert parse_log(LOG) == Said(56, "gamescope-1", takes_input=True)
    assert parse_log(LOG[:60]) == Said()
    assert parse_log(b"stream available on node ID: 4294967295").node_id is None
    assert parse_log(b"x" * LOG_BYTES + LOG) == Said()


@settings(max_examples=40)
@given(data=st.binary(max_size=300), cut=st.integers(0, len(LOG)))
def test_any_log_is_read(data, cut):
    for seen in (data, LOG[:cut] + data, data + LOG[cut:]):
        said = parse_log(seen)
        assert said.node_id is None or 0 <= said.node_id < 1 << 32
        assert re.fullmatch(r"[\w.-]*", said.display)


@settings(max_examples=40)
@given(data=st.binary(max_size=200), name=st.sampled_from(VARIABLES))
def test_any_environment_is_read(data, name):
    found = parse_environ(data + b"\0" + name.encode() + b"=value\0")
    assert found[name] == "value"
    assert set(found) <= set(VARIABLES)


def test_it_is_started_in_the_clients_size_and_a_whole_rate():
    words = command_line("gamescope", Mode(1280, 800, 59_940), ["sh", "-c", "true"])
    assert words == [
        "gamescope",
        "--backend",
        "headless",
        "-W",
        "1280",
        "-H",
        "800",
        "-w",
        "1280",
        "-h",
        "800",
        "-r",
        "60",
        "--xwayland-count",
        "1",
        "--expose-wayland",
        "--",
        "sh",
        "-c",
        "true",
    ]
    assert rounded(Mode(1280, 800, 59_940)) == Mode(1280, 800, 60_000)
    assert rounded(Mode(1280, 800, 300)).refresh_millihertz == 1000


@pytest.mark.parametrize(
    ("usage", "known"), [(b"--backend\n headless => use", True), (b"-W, --output-width", False), (b"", False)]
)
def test_an_old_one_has_no_headless_backend(usage, known):
    assert has_headless(usage) is known


def test_its_sockets_are_found_and_nothing_else(tmp_path):
    for name in ("gamescope-0", "gamescope-0.lock", "gamescope-0-ei", "gamescope-12", "wayland-0"):
        (tmp_path / name).touch()
    assert find_sockets(tmp_path) == [str(tmp_path / "gamescope-0"), str(tmp_path / "gamescope-12")]
    assert find_sockets(tmp_path, "gamescope-12")[0].endswith("gamescope-12")
    assert find_sockets(tmp_path, "../evil") == find_sockets(tmp_path)
    assert find_sockets(tmp_path / "none") == []


def test_variables_are_read_from_programs_inside(tmp_path):
    for pid, text in {
        "10": b"GAMESCOPE_WAYLAND_DISPLAY=gamescope-0\0LIBEI_SOCKET=gamescope-0-ei\0",
        "11": b"GAMESCOPE_WAYLAND_DISPLAY=gamescope-0\0DISPLAY=:1\0LIBEI_SOCKET=gamescope-0-ei\0HOME=/\0",
        "12": b"GAMESCOPE_WAYLAND_DISPLAY=gamescope-1\0DISPLAY=:2\0",
        "self": b"DISPLAY=:3\0",
    }.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "environ").write_bytes(text)
    (tmp_path / "13").mkdir()
    assert variables_inside("gamescope-0", tmp_path) == {
        "GAMESCOPE_WAYLAND_DISPLAY": "gamescope-0",
        "DISPLAY": ":1",
        "LIBEI_SOCKET": "gamescope-0-ei",
    }
    assert variables_inside("gamescope-7", tmp_path) == {}


def test_the_first_program_tells_variables(tmp_path):
    assert read_answer(tmp_path) == {}
    (tmp_path / ANSWER).write_text(":3\nwayland\n\n")
    assert read_answer(tmp_path) == {"DISPLAY": ":3", "WAYLAND_DISPLAY": "wayland"}
    assert holder(tmp_path)[:2] == ["sh", "-c"]


def test_a_stream_of_another_size_gets_scaled_pictures(tmp_path):
    host = {"XDG_RUNTIME_DIR": str(tmp_path)}
    inside = {**host, "GAMESCOPE_WAYLAND_DISPLAY": "gamescope-0"}
    deck, wanted = Mode(1280, 800, 90_000), Mode(1920, 1080, 60_000)
    output = describe("gamescope", mode=wanted, games=deck, node_id=7, environment=inside, host=host)
    assert output.source.remote == output.pipewire_remote == str(tmp_path / "pipewire-0")
    assert output.notes[1] == "gamescope shows 1280x800; its pictures are scaled to 1920x1080"
    again = rescaled(output, deck)
    assert isinstance(again.source, PipeWireSource)
    assert again.source.mode == again.mode == deck
    assert len(again.notes) == 1
    assert eis_path(inside, tmp_path) == str(tmp_path / "gamescope-0-ei")
    assert eis_path({"LIBEI_SOCKET": "/run/x"}, tmp_path) == "/run/x"
