"""Input through the portal: by EIS where it has it, else by its Notify calls."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import trio
from jeepney import DBusAddress, new_method_call

from punktfunk.control.displays.base import Region
from punktfunk.control.displays.mutter.cast import Cast
from punktfunk.control.displays.portal.requests import PATH, REMOTE_DESKTOP, SERVICE
from punktfunk.control.displays.portal.session import FIRST_EIS, Session
from punktfunk.control.input.base import Injector
from punktfunk.control.input.eis.injector import open_eis_injector
from punktfunk.control.input.mapped import MappedInjector, Place
from punktfunk.control.input.mutter_notify import HARMLESS_KEY, RELEASE_S, NotifyInjector
from punktfunk.control.system.serving import serving_nursery
from punktfunk.errors import EnvironmentProblem

CALLS: Final = {
    "NotifyPointerMotionRelative": ("NotifyPointerMotion", "dd"),
    "NotifyPointerMotionAbsolute": ("NotifyPointerMotionAbsolute", "udd"),
    "NotifyPointerButton": ("NotifyPointerButton", "iu"),
    "NotifyPointerAxisDiscrete": ("NotifyPointerAxisDiscrete", "ui"),
    "NotifyPointerAxis": ("NotifyPointerAxis", "dd"),
    "NotifyKeyboardKeycode": ("NotifyKeyboardKeycode", "iu"),
    "NotifyTouchDown": ("NotifyTouchDown", "uudd"),
    "NotifyTouchMotion": ("NotifyTouchMotion", "uudd"),
    "NotifyTouchUp": ("NotifyTouchUp", "u"),
}
"""Mutter's calls and the portal's: the same events, with a session in front and the node for the stream."""

ADDRESS: Final = DBusAddress(PATH, bus_name=SERVICE, interface=REMOTE_DESKTOP)


class PortalInjector(NotifyInjector):
    """Mutter's injector, its calls worded for the portal; see there."""

    def __init__(self, session: Session, region: Region) -> None:
        link, node_id = session.portal.link, session.shared.node_id
        self._session_path = session.path
        self._node_id = node_id
        super().__init__(Cast(link, session.path, "", node_id, ""), lambda: region)

    def wake(self) -> None:
        """Make keyboard and pointer exist. Not the touch screen: other desktops than GNOME might feel it."""
        for pressed in (1, 0):
            self._call("NotifyKeyboardKeycode", "ub", HARMLESS_KEY, pressed)
        self._call("NotifyPointerMotionRelative", "dd", 0.0, 0.0)

    def _call(self, method: str, signature: str, *values: Any) -> None:
        name, portals = CALLS[method]
        told = list(values[: len(portals)])
        if signature.startswith("s"):
            told[0] = self._node_id
        whole = [int(value) if kind in "iu" else value for kind, value in zip(portals, told, strict=True)]
        words: tuple[Any, ...] = (self._session_path, {}, *whole)
        self._waiting.append(new_method_call(ADDRESS, name, f"oa{{sv}}{portals}", words))
        self._something.set()


@asynccontextmanager
async def open_portal_input(session: Session, region: Region, place: Place) -> AsyncGenerator[Injector]:
    """Send input to the desktop of a session; at the end release what is held.

    region   of the shared screen, in its logical pixels
    place    turns a place in the stream into one on the screen

    Raises EnvironmentProblem where the user shared the screen only.
    """
    if not session.remote_version:
        raise EnvironmentProblem("this desktop's portal shares the screen, but takes no input")
    async with AsyncExitStack() as stack:
        injector: Injector | None = None
        if session.remote_version >= FIRST_EIS:
            try:
                fd = await session.connect_eis()
                injector = await stack.enter_async_context(open_eis_injector(fd, session.shared.mapping_id))
            except EnvironmentProblem:
                injector = None  # its calls do the same; no libei here, or none on its side
        if injector is None:
            injector = await stack.enter_async_context(_open_notify(session, region))
        yield MappedInjector(injector, place)


@asynccontextmanager
async def _open_notify(session: Session, region: Region) -> AsyncGenerator[Injector]:
    async with serving_nursery() as nursery:
        injector = PortalInjector(session, region)
        nursery.start_soon(injector.run)
        try:
            injector.wake()
            yield injector
        finally:
            injector.release_all()
            with trio.move_on_after(RELEASE_S, shield=True):
                await injector.flush()
