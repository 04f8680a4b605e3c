"""Which way input takes into a GNOME session: EIS where libei and mutter have it, else Notify* calls."""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Literal

import trio

from punktfunk.control.displays.base import Region
from punktfunk.control.displays.mutter.cast import Cast
from punktfunk.control.displays.session_variables import runtime_folder_of
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.control.input.base import Injector
from punktfunk.control.input.eis.injector import Wheels, open_eis_injector
from punktfunk.control.input.eis.sender import import_libei
from punktfunk.control.input.host_keymap import read_session_keymap
from punktfunk.control.input.mutter_notify import NotifyInjector, open_notify_injector
from punktfunk.control.problems import first_leaf
from punktfunk.control.system.serving import serving_nursery
from punktfunk.errors import EnvironmentProblem

logger = logging.getLogger(__name__)

KEYMAP_TRIES: Final = 10
KEYMAP_INTERVAL_S: Final = 0.2


def input_kind(cast: Cast) -> Literal["eis", "compositor"]:
    """Say which way it will be: EIS needs GNOME 45 or later and libei here."""
    try:
        import_libei()
    except EnvironmentProblem:
        return "compositor"
    return "eis" if cast.mapping_id else "compositor"


@asynccontextmanager
async def open_hands(
    cast: Cast, region: Callable[[], Region | None], environment: Mapping[str, str]
) -> AsyncGenerator[Injector]:
    """Open the injector of a cast's monitor; leaving the block releases everything held."""
    async with AsyncExitStack() as stack:
        injector: Injector | None = None
        try:
            import_libei()
            fd = await cast.connect_eis()
            injector = await stack.enter_async_context(open_eis_injector(fd, cast.mapping_id, Wheels.SMOOTH))
        except EnvironmentProblem as problem:
            logger.info("input by Notify calls, not by EIS reason=%r", str(problem))
        if injector is None:
            nursery = await stack.enter_async_context(serving_nursery())
            injector = notified = await stack.enter_async_context(open_notify_injector(cast, region))
            nursery.start_soon(_find_keymap, notified, environment)
        yield injector


async def _find_keymap(injector: NotifyInjector, environment: Mapping[str, str]) -> None:
    """Read the desktop's keymap from its Wayland socket, as D-Bus does not tell it.

    A desktop without a keyboard has one from the moment that our first key arrives.
    """
    socket = runtime_folder_of(environment) / environment.get("WAYLAND_DISPLAY", "wayland-0")
    reason = "it has no keyboard"
    for _ in range(KEYMAP_TRIES):
        try:
            async with open_wayland(str(socket)) as connection:
                keymap = await read_session_keymap(connection)
        except* EnvironmentProblem as problems:
            reason = str(first_leaf(problems))
        else:
            if keymap is not None:
                injector.use_keymap(keymap)
                return
        await trio.sleep(KEYMAP_INTERVAL_S)
    logger.info("the desktop's keymap is not known reason=%r", reason)
