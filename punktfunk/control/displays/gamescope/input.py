"""Input for a gamescope through its EIS socket.

Its only region is as large as numbers go ("Mr. Worldwide"), and a place in it counts pixels of the window on
top (src/InputEmulation.cpp, wlserver_mousewarp): so a place is told in pixels of the games' own mode. It
knows neither touch nor text nor a keymap.
"""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from punktfunk.control.input.base import Injector
from punktfunk.control.input.eis.injector import open_eis_injector
from punktfunk.control.input.mapped import MappedInjector, Place
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode

CONNECT_S = 3.0
EDGE = (1 << 31) - 1
"""Width and height of gamescope's region."""


@asynccontextmanager
async def open_gamescope_input(eis_path: str, games: Mode, place: Place) -> AsyncGenerator[Injector]:
    """Open keyboard and pointer; at the end release what is held.

    games   the mode that games see
    place   turns a place in the stream into one on the screen

    Raises EnvironmentProblem if gamescope was built without libei, or libei is missing here.
    """

    def in_pixels(x: float, y: float) -> tuple[float, float]:
        x, y = place(x, y)
        return min(x, 1.0) * games.width_px / EDGE, min(y, 1.0) * games.height_px / EDGE

    async with open_eis_injector(await _dial(eis_path)) as injector:
        yield MappedInjector(injector, in_pixels, EDGE)


async def _dial(eis_path: str) -> int:
    """Connect and return the descriptor, which is the caller's."""
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with trio.fail_after(CONNECT_S):
            await sock.connect(eis_path)
        return sock.detach()
    except (OSError, trio.TooSlowError) as error:
        raise EnvironmentProblem(
            f"gamescope takes no input on {eis_path}: {error or 'no answer'}",
            hint="This gamescope was built without libei; distributions build it with it since 3.14.",
        ) from error
    finally:
        sock.close()
