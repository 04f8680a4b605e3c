"""What a killed host held down goes up: the compositor lets go of devices whose owner is gone."""

import subprocess
import sys

import pytest
import trio
from sway_session import SWAYS, needs_sway, program

from punktfunk.control.displays.spawned import SpawnedSway
from punktfunk.control.system.journal import Journal
from punktfunk.plan import Mode

pytestmark = [pytest.mark.fault, pytest.mark.trio, *needs_sway]

MODE = Mode(640, 480, 60_000)
HOLDER = """
import sys, trio
from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.input.session import InputMeans, open_session_input
from punktfunk.plan import Mode, WaylandSource
from punktfunk.wire.input import Key, MouseButton, MouseClick

async def hold():
    mode = Mode(640, 480, 60_000)
    output = VirtualOutput(sys.argv[2], mode, WaylandSource(sys.argv[1], sys.argv[2], mode), "sway")
    async with open_session_input(output, InputMeans(), "holder", lambda *_: None) as joined:
        await trio.sleep(0.3)
        joined.inject(Key(0x41, pressed=True))
        joined.inject(MouseClick(MouseButton.LEFT, pressed=True))
        await trio.sleep(0.1)
        print("held", flush=True)
        await trio.sleep_forever()

trio.run(hold)
"""


def start(words):
    return subprocess.Popen(words, stdout=subprocess.PIPE)


@pytest.mark.parametrize("command", SWAYS)
async def test_a_killed_host_leaves_nothing_pressed(tmp_path, command):
    async with SpawnedSway(Journal(tmp_path), command).create(MODE, "client") as output:
        with program(output, "stdbuf", "-oL", "wev") as wev:
            words = [sys.executable, "-c", HOLDER, output.source.socket_path, output.source.output_name]
            seen = ""

            async def hear(*wanted):
                nonlocal seen
                with trio.fail_after(20):
                    while not all(text in seen for text in wanted):
                        line = await trio.to_thread.run_sync(wev.stdout.readline, abandon_on_cancel=True)
                        seen += line.decode(errors="replace")

            holder = start(words)
            try:
                assert await trio.to_thread.run_sync(holder.stdout.readline) == b"held\n"
                await hear("key: 38; state: 1", "left), state: 1")
            finally:
                holder.kill()
                holder.communicate()
            # The pointer goes without a word about its button: it leaves the window, and the seat has none any more.
            await hear("key: 38; state: 0", "wl_pointer] leave", "capabilities:  none")
