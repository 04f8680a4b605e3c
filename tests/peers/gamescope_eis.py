"""gamescope's EIS server as its source has it, and our input against it, in one Trio process.

Runs inside the Debian 13 tree as ``eis_double.py`` does: prints what was seen as JSON. One device does everything, its
one region is as large as numbers go, and a place counts pixels (gamescope, src/InputEmulation.cpp).
"""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import trio
from eis_double import CAPABILITIES, Double, until_known
from libei import eis

from punktfunk.control.displays.gamescope.input import EDGE, open_gamescope_input
from punktfunk.control.input.mapped import letterbox
from punktfunk.plan import Mode
from punktfunk.wire.input import (
    ContactEvent,
    Key,
    MouseButton,
    MouseClick,
    MouseMove,
    MouseMoveAbsolute,
    Touch,
    Wheel,
)

DECK, STREAM = Mode(1280, 800, 90_000), Mode(1920, 1080, 60_000)
ALL = ("POINTER", "POINTER_ABSOLUTE", "BUTTON", "SCROLL", "KEYBOARD")


class Gamescope(Double):
    """One seat "chair" with one device."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.server = eis.Eis.create_for_socket(path)

    def take(self, event: Any) -> None:
        kinds = eis.EventType
        match event.event_type:
            case kinds.CLIENT_CONNECT:
                self.client = event.client
                self.client.connect()
                seat = self.client.new_seat("chair")
                seat.configure_capabilities(tuple(CAPABILITIES[name] for name in ALL)).add()
            case kinds.SEAT_BIND:
                self.seat = event.seat
                region = eis.ConfigureRegion(offset=(0, 0), size=(EDGE, EDGE), mapping_id="Mr. Worldwide")
                device = self.seat.new_device()
                wanted = tuple(CAPABILITIES[name] for name in ALL)
                device.configure("Gamescope Virtual Input", capabilities=wanted, regions=(region,))
                device.add().resume()
                self.devices["all"] = device
            case _:
                super().take(event)


async def main() -> None:
    path = Path(tempfile.mkdtemp()) / "gamescope-0-ei"
    double = Gamescope(path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(double.run)
        with trio.fail_after(20):
            async with open_gamescope_input(str(path), DECK, letterbox(STREAM, DECK)) as injector:
                await until_known(injector._inner, "POINTER", "KEYBOARD")
                for event in (
                    MouseMoveAbsolute(960, 540, 1920, 1080),
                    MouseMoveAbsolute(96, 0, 1920, 1080),
                    MouseMoveAbsolute(0, 1080, 1920, 1080),
                    MouseMove(3, -2),
                    MouseClick(MouseButton.LEFT, pressed=True),
                    Wheel(vertical=-120),
                    Key(0x41, pressed=True),
                    Touch(ContactEvent.DOWN, 1, 0.5, 0.5, 1.0, 0, 0, None),
                ):
                    injector.inject(event)
                counts = dict(injector.unsupported)
            await double.until(lambda: ["gone"] in double.got)
        nursery.cancel_scope.cancel()
    json.dump({"got": double.got, "unsupported": counts}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # libeis aborts when Python lets go of its objects in an order of its own


if __name__ == "__main__":
    logging.disable()
    trio.run(main)
