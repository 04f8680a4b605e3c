"""Our EIS injector on a cast of a real mutter. Runs inside the Debian 13 tree, on the session's bus.

It prints the node of the cast, waits for a line (somebody outside consumes the node by then), sends one of each kind
of event, prints what could not be sent, and waits for the end of its input with things held.
"""

import json
import os
import sys

import trio

from punktfunk.control.displays.mutter.cast import open_cast
from punktfunk.control.input.eis.injector import Wheels, open_eis_injector
from punktfunk.control.system.dbus_link import open_link
from punktfunk.plan import CursorMode
from punktfunk.wire.input import (
    ContactEvent,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Text,
    Touch,
    Wheel,
)

EVENTS = (
    MouseMoveAbsolute(600, 300, 1280, 720),
    MouseMoveAbsolute(320, 180, 640, 360),
    MouseMove(5, -3),
    MouseClick(MouseButton.LEFT, pressed=True),
    MouseClick(MouseButton.LEFT, pressed=False),
    Wheel(vertical=120),
    *[Wheel(vertical=-30)] * 4,
    Key(0x41, pressed=True),
    Key(0x41, pressed=False),
    Text("bB"),
    Touch(ContactEvent.DOWN, 9, 0.5, 0.5, 1.0, 0, 0, None),
    Touch(ContactEvent.UP, 9, 0.5, 0.5, 1.0, 0, 0, None),
    MouseMoveAbsolute(640, 360, 1280, 720),
    Key(0xA0, pressed=True),
    Key(0x41, pressed=True),
    MouseClick(MouseButton.RIGHT, pressed=True),
)


async def said() -> None:
    await trio.to_thread.run_sync(sys.stdin.readline)


async def main() -> None:
    async with (
        open_link(os.environ["DBUS_SESSION_BUS_ADDRESS"]) as link,
        open_cast(link, CursorMode.EMBEDDED) as cast,
    ):
        print(cast.node_id, flush=True)
        await said()
        async with open_eis_injector(await cast.connect_eis(), cast.mapping_id, Wheels.SMOOTH) as injector:
            await trio.sleep(0.5)  # programs bind what the seat has now
            for event in EVENTS:
                injector.inject(event)
                await trio.sleep(0.02)
            print(json.dumps(injector.unsupported), flush=True)
            await said()
        print("released", flush=True)
        await said()


if __name__ == "__main__":
    trio.run(main)
