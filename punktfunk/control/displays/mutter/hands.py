"""Which way input takes into a GNOME session: EIS where libei and mutter have it, else Notify* calls."""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from punktfunk.control.displays.base import Region
from punktfunk.control.displays.mutter.cast import Cast
from punktfunk.control.displays.session_variables import runtime_folder_of
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.control.input.base import Injector
from punktfunk.control.input.eis.injector import Wheels, open_eis_injector
from punktfunk.control.input.eis.sender import import_libei
from punktfunk.control.input.host_keymap import read_session_keymap
from punktfunk.control.input.mutter_notify import open_notify_injector
from punktfunk.errors import EnvironmentProblem

if TYPE_CHECKING:
    from punktfunk.control.input.keymap import Keymap

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_hands(
    cast: Cast, region: Callable[[], Region | None], environment: Mapping[str, str]
) -> AsyncGenerator[Injector]:
    """Open the injector of a cast's monitor; leaving the block releases everything held."""
    async with AsyncExitStack() as stack:
        injector: Injector | None = None
        try:
            fd = await connect_eis(cast)
            injector = await stack.enter_async_context(open_eis_injector(fd, cast.mapping_id, Wheels.SMOOTH))
        except EnvironmentProblem as problem:
            logger.info("input by Notify calls, not by EIS reason=%r", str(problem))
        if injector is None:
            keymap = await _keymap(environment)
            injector = await stack.enter_async_context(open_notify_injector(cast, region, keymap))
        yield injector


async def connect_eis(cast: Cast) -> int:
    """Ask mutter for a connection to its EIS server; EnvironmentProblem before GNOME 45, or without libei."""
    import_libei()
    (handle,) = await cast.remote("ConnectToEIS", "a{sv}", {})
    return int(handle.to_raw_fd())


async def _keymap(environment: Mapping[str, str]) -> "Keymap | None":
    """Read the desktop's keymap from its Wayland socket, as D-Bus does not tell it."""
    socket = runtime_folder_of(environment) / environment.get("WAYLAND_DISPLAY", "wayland-0")
    try:
        async with open_wayland(str(socket)) as connection:
            return await read_session_keymap(connection)
    except EnvironmentProblem as problem:
        logger.info("the desktop's keymap is not known reason=%r", str(problem))
        return None
