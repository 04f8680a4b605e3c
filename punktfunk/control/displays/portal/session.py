"""One session with the portal: what is asked for, in order, and what comes of it.

    RemoteDesktop.CreateSession -> SelectDevices -> ScreenCast.SelectSources -> RemoteDesktop.Start
    or, where no input can be had: ScreenCast.CreateSession -> SelectSources -> Start (the dialog)
    then OpenPipeWireRemote, and for input ConnectToEIS or Notify* calls

The portal ends the session when our connection to the bus goes, so a crash leaves none.
"""

import logging
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio
from jeepney import DBusAddress, new_method_call

from punktfunk.control.displays.portal.grant import Grant
from punktfunk.control.displays.portal.requests import (
    ANSWER_S,
    DIALOG_S,
    PATH,
    REMOTE_DESKTOP,
    SCREEN_CAST,
    SERVICE,
    SESSION,
    Agreed,
    Kinds,
    Options,
    Portal,
    Shared,
    parse_agreed,
)
from punktfunk.control.system.dbus_link import Refused
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode

logger = logging.getLogger(__name__)
CURSORS: Final = {CursorMode.HIDDEN: 1, CursorMode.EMBEDDED: 2, CursorMode.METADATA: 4}
UNTIL_REVOKED: Final = 2
KEYBOARD, POINTER, TOUCH = 1, 2, 4
FIRST_EIS: Final = 2
"""Version of RemoteDesktop with ConnectToEIS, and with restore tokens of its own."""
FIRST_TOKEN: Final = 4
"""Version of ScreenCast with restore tokens."""
CLOSE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Offers:
    """What a portal can do: versions (0: it has no such part), kinds of sources, cursors and devices."""

    screen_version: int
    remote_version: int
    kinds: int
    cursors: int
    devices: int


@dataclass(frozen=True, slots=True)
class Session:
    """A session that the user agreed to; ``remote_version`` 0: without input.

    remote_fd   a connection to PipeWire that sees its node alone; it belongs to the session
    """

    portal: Portal
    path: str
    shared: Shared
    devices: int
    cursor: CursorMode
    remote_version: int
    remote_fd: int

    async def connect_eis(self) -> int:
        """Ask for a connection to the desktop's EIS server, the caller's to close."""
        (handle,) = await self.portal.link.call(
            SERVICE, PATH, REMOTE_DESKTOP, "ConnectToEIS", "oa{sv}", self.path, {}
        )
        return int(handle.to_raw_fd())


async def look(portal: Portal) -> Offers:
    """Ask what the portal can do; EnvironmentProblem if it shows no screens."""
    screen = await portal.property(SCREEN_CAST, "version")
    kinds = await portal.property(SCREEN_CAST, "AvailableSourceTypes")
    if not kinds & (Kinds.MONITOR | Kinds.VIRTUAL):
        raise EnvironmentProblem("this desktop's portal shares no screens")
    try:
        cursors = await portal.property(SCREEN_CAST, "AvailableCursorModes")
    except EnvironmentProblem:
        cursors = 0
    try:
        remote = await portal.property(REMOTE_DESKTOP, "version")
        devices = await portal.property(REMOTE_DESKTOP, "AvailableDeviceTypes")
    except EnvironmentProblem:
        remote = devices = 0
    return Offers(screen, remote if devices else 0, kinds, cursors, devices)


def choose_cursor(wanted: CursorMode, available: int) -> CursorMode:
    """Choose what becomes of the pointer: what is wanted, else drawn by the desktop, else left out."""
    for mode in (wanted, CursorMode.EMBEDDED, CursorMode.METADATA):
        if CURSORS[mode] & available:
            return mode
    return CursorMode.HIDDEN


@asynccontextmanager
async def open_session(
    portal: Portal, cursor: CursorMode, grant: Grant, patience_s: float | None = None
) -> AsyncGenerator[Session]:
    """Begin a session, with input if that can be had, and close it at the end of the block.

    The first time the desktop asks its user, who has ``patience_s`` to answer (``DIALOG_S`` by default).
    Raises EnvironmentProblem.
    """
    offers = await look(portal)
    path = ""
    try:
        owner, path = await _create(portal, offers)
        remote = owner == REMOTE_DESKTOP
        chosen = choose_cursor(cursor, offers.cursors)
        await _select(portal, offers, path, chosen, grant, remote=remote)
        logger.info(
            "portal asked known=%s dialog=%r", bool(grant.token()), "it may ask which screen to share"
        )
        agreed = await _start(portal, owner, path, DIALOG_S if patience_s is None else patience_s)
        grant.keep(agreed.token)
        fd = await _open_remote(portal, path)
        try:
            version = offers.remote_version if remote and agreed.devices else 0
            yield Session(portal, path, agreed.streams[0], agreed.devices, chosen, version, fd)
        finally:
            os.close(fd)
    finally:
        if path:
            with trio.move_on_after(CLOSE_S, shield=True):
                await _close(portal, path)


async def _create(portal: Portal, offers: Offers) -> tuple[str, str]:
    """Create a session with input, else one without; return whose it is, and its path."""
    owners = [REMOTE_DESKTOP, SCREEN_CAST] if offers.remote_version else [SCREEN_CAST]
    for owner in owners:
        options: Options = {"session_handle_token": ("s", f"punktfunk_{secrets.token_hex(8)}")}
        try:
            results = await portal.request(owner, "CreateSession", "", options=options, patience_s=ANSWER_S)
        except Refused:
            if owner == owners[-1]:
                raise
            continue
        match results.get("session_handle"):
            case (str(), str(path)) if path.startswith("/"):
                return owner, path
        raise EnvironmentProblem("the portal made a session without a path")
    raise EnvironmentProblem("the portal makes no session")


async def _select(
    portal: Portal, offers: Offers, path: str, cursor: CursorMode, grant: Grant, *, remote: bool
) -> None:
    lasting: Options = {"persist_mode": ("u", UNTIL_REVOKED)}
    if token := grant.token():
        lasting["restore_token"] = ("s", token)
    kinds = offers.kinds & (Kinds.MONITOR | Kinds.VIRTUAL)
    sources: Options = {"types": ("u", kinds), "multiple": ("b", False)}
    if offers.cursors:
        sources["cursor_mode"] = ("u", CURSORS[cursor])
    if remote:
        devices: Options = {"types": ("u", offers.devices & (KEYBOARD | POINTER | TOUCH))}
        if offers.remote_version >= FIRST_EIS:
            devices |= lasting  # the sources of such a session may not ask for it themselves
        await portal.request(REMOTE_DESKTOP, "SelectDevices", "o", path, options=devices, patience_s=ANSWER_S)
    elif offers.screen_version >= FIRST_TOKEN:
        sources |= lasting
    await portal.request(SCREEN_CAST, "SelectSources", "o", path, options=sources, patience_s=ANSWER_S)


async def _start(portal: Portal, owner: str, path: str, patience_s: float) -> Agreed:
    results = await portal.request(owner, "Start", "os", path, "", options={}, patience_s=patience_s)
    return parse_agreed(results)


async def _open_remote(portal: Portal, path: str) -> int:
    (handle,) = await portal.link.call(SERVICE, PATH, SCREEN_CAST, "OpenPipeWireRemote", "oa{sv}", path, {})
    return int(handle.to_raw_fd())


async def _close(portal: Portal, path: str) -> None:
    """End the session. Nobody waits for an answer: where we were cancelled, nobody reads any more."""
    await portal.link.tell(new_method_call(DBusAddress(path, bus_name=SERVICE, interface=SESSION), "Close"))
