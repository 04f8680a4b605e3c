"""Connections to a real PipeWire daemon: what is there, what is chosen, and how everything ends."""

import os
import time

import pytest
from pipewire_session import kill_daemon, needs_pipewire, pipewire_session
from video_node import VideoNode

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.pipewire import library
from punktfunk.realtime.pipewire.core import METADATA, NODE, Core, Metadata, default_socket
from punktfunk.realtime.pipewire.loop import Loop
from punktfunk.realtime.pipewire.stream import Direction, Flags, Handlers, Stream

SECOND_NS = 1_000_000_000


def until(core, condition):
    deadline_ns = time.monotonic_ns() + 5 * SECOND_NS
    while not condition():
        assert time.monotonic_ns() < deadline_ns
        core.loop.pump(time.monotonic_ns() + 20_000_000)


@pytest.mark.peer
@needs_pipewire
def test_what_comes_and_goes_and_what_is_chosen():
    told = []
    with pipewire_session() as remote, Loop() as loop, Core(loop, remote) as core:
        core.watch(lambda known: told.append(("+", known.name)), lambda known: told.append(("-", known.name)))
        core.roundtrip()
        assert core.find(NODE, "Dummy-Driver").serial >= 0
        with VideoNode(remote, (64, 48)) as node:
            until(core, lambda: ("+", node.name) in told)
            assert core.find(NODE, node.name).id == node.node_id
        until(core, lambda: ("-", node.name) in told)
        assert core.find(NODE, node.name) is None
        until(core, lambda: core.find(METADATA, "default") is not None)
        changes = []
        chosen = Metadata(core, core.find(METADATA, "default"), lambda *change: changes.append(change))
        key = "default.configured.audio.sink"
        chosen.set(0, key, "Spa:String:JSON", '{"name":"here"}')
        until(core, lambda: chosen.properties.get((0, key)) == ("Spa:String:JSON", '{"name":"here"}'))
        chosen.set(0, key, "", None)
        until(core, lambda: (0, key) not in chosen.properties)
        assert (0, key, '{"name":"here"}') in changes
        with pytest.raises(ZeroDivisionError):  # what a callback raises comes out of the loop
            raise_in_callback(core)
        kill_daemon(remote)
        until(core, lambda: core.gone)
        with pytest.raises(EnvironmentProblem, match="PipeWire ended the connection") as ended:
            core.check()
        assert "wireplumber" in ended.value.hint


def raise_in_callback(core):
    handlers = Handlers(state=lambda *_: 1 // 0)
    with Stream(core, "punktfunk-test", {"media.class": "Video/Source"}, handlers) as stream:
        stream.connect(Direction.OUTPUT, Flags.DRIVER, [])
        core.roundtrip()


def test_the_users_own_daemon_is_looked_for_as_the_library_does():
    assert default_socket({"XDG_RUNTIME_DIR": "/run/user/7"}) == "/run/user/7/pipewire-0"
    both = {"XDG_RUNTIME_DIR": "/a", "PIPEWIRE_RUNTIME_DIR": "/b", "PIPEWIRE_REMOTE": "pipewire-9"}
    assert default_socket(both) == "/b/pipewire-9"
    assert default_socket({"PIPEWIRE_REMOTE": "/c/d"}) == "/c/d"
    assert default_socket({}) == f"/run/user/{os.getuid()}/pipewire-0"


def test_a_library_that_is_missing_is_named_with_its_packages(monkeypatch):
    library.library.cache_clear()
    monkeypatch.setattr(library, "LIBRARY_NAME", "libnothing.so.0")
    with pytest.raises(EnvironmentProblem, match=r"libnothing.so.0 cannot be opened") as missing:
        Loop()
    assert "libpipewire-0.3-0 (Debian, Ubuntu)" in missing.value.hint
    library.library.cache_clear()
