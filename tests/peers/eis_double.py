"""An EIS server of python-libei that writes down what it gets, and our injector against it, in one Trio process.

Runs inside the Debian 13 tree, whose libei it needs: ``python3 eis_double.py`` prints what was seen as JSON. Without
pytest, as the tree has none. ``Double`` is also what stands for gamescope's server.
"""

import json
import logging
import os
import sys
import traceback
from typing import Any

import trio
from libei import eis

from punktfunk.control.input.eis import sender
from punktfunk.control.input.eis.injector import EisInjector, Wheels, open_eis_injector
from punktfunk.control.input.host_layout import LayoutNames
from punktfunk.control.input.keymap import compile_names
from punktfunk.errors import EnvironmentProblem
from punktfunk.wire.input import (
    ContactEvent,
    HapticsEnable,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Text,
    Touch,
    Wheel,
)

CAPABILITIES = eis.DeviceCapability
OTHER, OURS = "monitor-of-somebody", "monitor-of-ours"


class Double:
    """One seat with a pointer, an absolute pointer and touch screen on two regions, and a German keyboard."""

    def __init__(self, *, silent: bool = False) -> None:
        self.server = eis.Eis.create_for_fd()
        self.got: list[list[Any]] = []
        self.devices: dict[str, Any] = {}
        self.changed = trio.Event()
        self.silent = silent
        self.client: Any = None
        self.seat: Any = None

    async def run(self) -> None:
        while True:
            self.server.dispatch()
            for event in self.server.events:
                self.take(event)
            self.changed.set()
            self.changed = trio.Event()
            await trio.lowlevel.wait_readable(self.server.fd)

    def take(self, event: Any) -> None:
        kinds = eis.EventType
        match event.event_type:
            case kinds.CLIENT_CONNECT if not self.silent:
                self.client = event.client
                self.client.connect()
                seat = self.client.new_seat("seat0")
                wanted = ("POINTER", "POINTER_ABSOLUTE", "KEYBOARD", "TOUCH", "SCROLL", "BUTTON")
                seat.configure_capabilities(tuple(CAPABILITIES[name] for name in wanted)).add()
            case kinds.CLIENT_DISCONNECT:
                self.got.append(["gone"])
            case kinds.SEAT_BIND:
                self.seat = event.seat
                self.add("pointer", "POINTER", "BUTTON", "SCROLL")
                self.add_screens((0, 0), (1920, 1080))
                self.add("keyboard", "KEYBOARD")
            case kinds.POINTER_MOTION:
                self.got.append(["move", event.pointer_event.dx, event.pointer_event.dy])
            case kinds.POINTER_MOTION_ABSOLUTE:
                place = event.pointer_absolute_event
                self.got.append(["to", place.x, place.y])
            case kinds.BUTTON_BUTTON:
                self.got.append(["button", event.button_event.button, event.button_event.is_press])
            case kinds.SCROLL_DELTA:
                self.got.append(["smooth", event.scroll_event.dx, event.scroll_event.dy])
            case kinds.SCROLL_DISCRETE:
                self.got.append(["wheel", event.scroll_discrete_event.dx, event.scroll_discrete_event.dy])
            case kinds.KEYBOARD_KEY:
                self.got.append(["key", event.key_event.key, event.key_event.is_press])
            case kinds.TOUCH_DOWN | kinds.TOUCH_MOTION:
                touch = event.touch_event
                name = "down" if event.event_type == kinds.TOUCH_DOWN else "slide"
                self.got.append([name, touch.touchid, touch.x, touch.y])
            case kinds.TOUCH_UP:
                self.got.append(["up", event.touch_up_event.touchid])

    def add(self, name: str, *capabilities: str, regions: tuple[Any, ...] = ()) -> None:
        device = self.seat.new_device()
        device.configure(name, capabilities=tuple(CAPABILITIES[c] for c in capabilities), regions=regions)
        if name == "keyboard":
            text = compile_names(LayoutNames(layout="de")).text + b"\0"
            handle = os.memfd_create("keymap")
            os.write(handle, text)
            with os.fdopen(handle, "rb") as file:
                device.new_keymap(eis.KeymapType.XKB, file, len(text)).add()
        device.add().resume()
        self.devices[name] = device

    def add_screens(self, offset: tuple[int, int], size: tuple[int, int]) -> None:
        regions = (
            eis.ConfigureRegion(offset=(1920, 0), size=(800, 600), mapping_id=OTHER),
            eis.ConfigureRegion(offset=offset, size=size, mapping_id=OURS),
        )
        self.add("absolute", "POINTER_ABSOLUTE", "BUTTON", "SCROLL", regions=regions)
        self.add("touch", "TOUCH", regions=regions)

    def hang_up(self) -> None:
        while self.devices:
            self.devices.popitem()[1].remove()
        self.client.disconnect()

    async def until(self, condition: Any) -> None:
        with trio.fail_after(5):
            while not condition():
                await self.changed.wait()


async def until_known(injector: EisInjector, *names: str) -> None:
    with trio.fail_after(5):
        while any(injector._sender.device(name) is None for name in names):  # noqa: ASYNC110 - libei's turn
            await trio.sleep(0.01)


def touch(event: ContactEvent, pointer_id: int, x: float, y: float) -> Touch:
    return Touch(event, pointer_id, x, y, 1.0, 0, 0, None)


async def everything(double: Double) -> dict[str, Any]:
    """One of each kind of event, then what was held goes up by itself."""
    fd = double.server.add_client()
    async with open_eis_injector(fd, OURS) as injector:
        await until_known(injector, "POINTER", "KEYBOARD", "TOUCH")
        for event in (
            MouseMove(7, -4),
            MouseMoveAbsolute(640, 360, 1280, 720),
            MouseMoveAbsolute(5000, 5000, 1280, 720),
            MouseClick(MouseButton.RIGHT, pressed=True),
            MouseClick(MouseButton.RIGHT, pressed=True),
            Wheel(vertical=-120),
            Wheel(vertical=30, horizontal=-15),
            Key(0x41, pressed=True),
            Text("@ß"),
            touch(ContactEvent.DOWN, 9, 0.5, 0.5),
            touch(ContactEvent.MOVE, 9, 0.25, 0.5),
            touch(ContactEvent.DOWN, 10, 0.0, 0.0),
            touch(ContactEvent.UP, 9, 0.25, 0.5),
            HapticsEnable(enabled=True),
        ):
            injector.inject(event)
        counts = dict(injector.unsupported)
    await double.until(lambda: ["gone"] in double.got)
    return {"got": double.got, "unsupported": counts}


async def smooth(double: Double) -> dict[str, Any]:
    """A server that drops parts of a click gets them as smooth motion."""
    fd = double.server.add_client()
    async with open_eis_injector(fd, OURS, Wheels.SMOOTH) as injector:
        await until_known(injector, "SCROLL")
        injector.inject(Wheel(vertical=240))
        injector.inject(Wheel(vertical=-60))
    await double.until(lambda: ["gone"] in double.got)
    return {"got": double.got}


async def devices_go_and_come(double: Double) -> dict[str, Any]:
    """The server takes its devices away while things are held, and adds others elsewhere."""
    fd = double.server.add_client()
    async with open_eis_injector(fd, OURS) as injector:
        await until_known(injector, "POINTER", "KEYBOARD", "TOUCH")
        injector.inject(Key(0x41, pressed=True))
        injector.inject(touch(ContactEvent.DOWN, 1, 0.5, 0.5))
        await double.until(lambda: any(got[0] == "down" for got in double.got))
        for name in ("keyboard", "absolute", "touch"):
            double.devices.pop(name).remove()
        with trio.fail_after(5):
            while injector._sender.device("KEYBOARD") is not None:  # noqa: ASYNC110 - libei's turn
                await trio.sleep(0.01)
        injector.inject(Key(0x42, pressed=True))
        injector.inject(MouseMoveAbsolute(1, 1, 2, 2))
        injector.inject(touch(ContactEvent.MOVE, 1, 0.1, 0.1))
        without = dict(injector.unsupported)
        double.add_screens((100, 50), (640, 480))
        double.add("keyboard", "KEYBOARD")
        await until_known(injector, "KEYBOARD", "TOUCH")
        seen = len(double.got)
        injector.inject(MouseMoveAbsolute(1, 1, 2, 2))
        injector.inject(Key(0x42, pressed=True))
    await double.until(lambda: ["gone"] in double.got)
    return {"got": double.got[seen:], "unsupported": without}


async def server_hangs_up(double: Double) -> dict[str, Any]:
    """Afterwards nothing is sent and nothing raised."""
    fd = double.server.add_client()
    async with open_eis_injector(fd, OURS) as injector:
        await until_known(injector, "KEYBOARD")
        injector.inject(Key(0x41, pressed=True))
        await double.until(lambda: double.got != [])
        double.hang_up()
        with trio.fail_after(5):
            await injector._sender.gone.wait()
        injector.inject(Key(0x41, pressed=False))
        injector.release_all()
        return {"unsupported": dict(injector.unsupported)}


async def nothing_offered(double: Double) -> dict[str, Any]:
    double.silent = True
    sender.READY_S = 0.3
    try:
        async with open_eis_injector(double.server.add_client(), OURS):
            return {"refused": ""}
    except EnvironmentProblem as problem:
        return {"refused": str(problem)}


CASES = (everything, smooth, devices_go_and_come, server_hangs_up, nothing_offered)


async def main() -> None:
    results, doubles = {}, []
    for case in CASES:
        async with trio.open_nursery() as nursery:
            double = Double()
            doubles.append(double)
            nursery.start_soon(double.run)
            try:
                with trio.fail_after(20):
                    results[case.__name__] = await case(double)
            except Exception:  # noqa: BLE001 - the test outside shows it
                results[case.__name__] = {"failed": traceback.format_exc()}
            nursery.cancel_scope.cancel()
    json.dump(results, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # libeis aborts when Python lets go of its objects in an order of its own


if __name__ == "__main__":
    logging.disable()
    trio.run(main)
