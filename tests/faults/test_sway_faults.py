"""Sway or its owner dies, starts wrongly or is cancelled: it is reported, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import trio
from sway_session import SWAYS, Viewer, assert_nothing_left, flood, most_common, needs_sway, program

from punktfunk.control.displays.attached import AttachedSway
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.displays.spawned import SpawnedSway
from punktfunk.control.displays.sway_ipc import connect_sway
from punktfunk.control.input.base import open_injector
from punktfunk.control.system.journal import Journal
from punktfunk.control.system.processes import find_by_token, is_alive
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode
from punktfunk.wire.input import MouseMove

pytestmark = [
    pytest.mark.fault,
    pytest.mark.trio,
    pytest.mark.usefixtures("own_temporary_folder"),
    *needs_sway,
]

MODE = Mode(640, 480, 60000)
OWNER = """
import subprocess, sys, os, trio
from pathlib import Path
from punktfunk.control.displays.attached import AttachedSway
from punktfunk.control.displays.spawned import SpawnedSway
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode

async def main(kind, folder, argument):
    journal = Journal(Path(folder))
    backend = SpawnedSway(journal, [argument]) if kind == "spawned" else AttachedSway(journal, argument)
    async with backend.create(Mode(640, 480, 60000), "client") as output:
        if kind == "spawned":
            command = ["setsid", "foot", "sh", "-c", "trap '' TERM HUP; while :; do sleep 1; done"]
            subprocess.Popen(command, env={**os.environ, **output.environment}, stderr=subprocess.DEVNULL)
        print(output.name, output.environment.get("PUNKTFUNK_DISPLAY", ""), flush=True)
        await trio.sleep_forever()

trio.run(main, *sys.argv[1:])
"""


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "run")


def sway_of(entry):
    """The pid of the session's sway, among its bus and its sound server."""
    lines = {process.pid: Path(f"/proc/{process.pid}/cmdline").read_bytes() for process in entry.processes}
    return next(pid for pid, line in lines.items() if b"sway.conf" in line)


@pytest.mark.parametrize("command", SWAYS)
async def test_killed_sway_is_reported_and_cleaned_up(journal, command):
    threads = set(threading.enumerate())
    with trio.fail_after(30):
        async with SpawnedSway(journal, command).create(MODE, "client") as output:
            token = output.environment["PUNKTFUNK_DISPLAY"]
            with program(output, *flood(0x808000)), Viewer(output.source) as viewer:
                await trio.to_thread.run_sync(viewer.until, lambda seen: most_common(seen) == 0x808000)
                async with open_injector(output) as injector:
                    ((entry,), _) = journal.entries()
                    os.kill(sway_of(entry), signal.SIGKILL)
                    with pytest.raises(EnvironmentProblem):
                        await trio.to_thread.run_sync(viewer.until, lambda _: False)
                    injector.inject(MouseMove(1, 1))
                    injector.release_all()
    assert_nothing_left(journal, token)
    assert {thread for thread in threading.enumerate() if "Trio" not in thread.name} <= threads


def start_owner(*arguments):
    # A session of its own, as a service has: SIGKILL of the host reaches nothing else.
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("command", SWAYS)
async def test_next_start_reclaims_the_session_of_a_killed_host(journal, command):
    with start_owner("spawned", journal.runtime_folder, command[0]) as owner:
        line = await trio.to_thread.run_sync(owner.stdout.readline)
        _name, token = line.split()
        before = await reclaim(journal)
        assert before == []  # its owner lives: nobody else may touch it
        owner.kill()
        owner.wait()
    left = find_by_token(token)
    assert len(left) >= 3
    said = await reclaim(journal)
    assert len(said) == 1
    assert said[0].startswith("ended ")
    assert not any(is_alive(identity) for identity in left)
    assert_nothing_left(journal, token)
    assert await reclaim(journal) == []


@pytest.mark.parametrize("command", SWAYS)
async def test_next_start_reclaims_the_output_of_a_killed_host(journal, tmp_path, command):
    async with SpawnedSway(Journal(tmp_path / "session"), command).create(MODE, "own") as own:
        with start_owner("attached", journal.runtime_folder, own.ipc_socket_path) as owner:
            name = (await trio.to_thread.run_sync(owner.stdout.readline)).split()[0]
            owner.kill()
            owner.wait()
        async with connect_sway(own.ipc_socket_path) as ipc:
            assert {state.name for state in await ipc.outputs()} == {own.name, name}
            (said,) = await reclaim(journal)
            states = {state.name: state.mode for state in await ipc.outputs()}
        removes = (await AttachedSway(journal, own.ipc_socket_path).probe()).removes_outputs
        assert said.startswith("removed output" if removes else f"output {name} was emptied")
        assert states == ({own.name: MODE} if removes else {own.name: MODE, name: Mode(64, 64, 1000)})
    await reclaim(journal)
    assert journal.entries() == ([], [])


async def test_sessions_cancelled_while_they_start_leave_nothing(journal):
    for delay_s in (0.0, 0.01, 0.03, 0.08, 0.15):
        with trio.move_on_after(delay_s):
            async with SpawnedSway(journal).create(MODE, "client"):
                await trio.sleep_forever()
        assert_nothing_left(journal)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo no luck; exit 3", "ended with status 3 within 15 s; it said: no luck"),
        ("exit 0", "it said: nothing"),
    ],
)
async def test_a_sway_that_does_not_start_says_why(journal, tmp_path, script, said):
    fake = tmp_path / "sway"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    with pytest.raises(EnvironmentProblem, match=said):
        async with SpawnedSway(journal, [str(fake)]).create(MODE, "client"):
            pass
    assert_nothing_left(journal)


async def test_an_impossible_mode_is_refused_and_cleaned_up(journal):
    with pytest.raises(EnvironmentProblem):
        async with SpawnedSway(journal).create(Mode(640, 480, -60000), "client"):
            pass
    assert_nothing_left(journal)


async def test_a_stopped_compositor_never_blocks_the_injector(journal):
    async with SpawnedSway(journal).create(MODE, "client") as output, open_injector(output) as injector:
        ((entry,), _) = journal.entries()
        sway = sway_of(entry)
        os.kill(sway, signal.SIGSTOP)
        try:
            started = time.monotonic()
            for _ in range(50_000):
                injector.inject(MouseMove(1, 0))
            assert injector.dropped["MouseMove"] > 0
            assert time.monotonic() - started < 10
        finally:
            os.kill(sway, signal.SIGCONT)
        with trio.fail_after(10):
            while injector._connection.stalled:  # noqa: ASYNC110 - the compositor reads again
                await trio.sleep(0.01)
        injector.inject(MouseMove(1, 0))
        assert injector._connection.alive
