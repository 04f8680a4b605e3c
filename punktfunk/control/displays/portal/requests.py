"""Calls of the portal that end with a signal: a request object is made, the user decides, ``Response`` tells.

    call(..., handle_token) -> object path of the request -> Response(code, results)

The path is known before the call, from our name on the bus and the token, so the signal cannot be missed.
Source: xdg-desktop-portal, data/org.freedesktop.portal.{Request,ScreenCast,RemoteDesktop}.xml.
"""

import secrets
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Final

import trio

from punktfunk.control.system.dbus_link import BusLink
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError

SERVICE: Final = "org.freedesktop.portal.Desktop"
PATH: Final = "/org/freedesktop/portal/desktop"
SCREEN_CAST: Final = "org.freedesktop.portal.ScreenCast"
REMOTE_DESKTOP: Final = "org.freedesktop.portal.RemoteDesktop"
REQUEST: Final = "org.freedesktop.portal.Request"
SESSION: Final = "org.freedesktop.portal.Session"
GRANTED, CANCELLED = 0, 1
ANSWER_S: Final = 10.0
DIALOG_S: Final = 60.0
"""How long somebody may think about the dialog."""

LONGEST_EDGE_PX: Final = 1 << 16
MAXIMUM_STREAMS: Final = 64

Options = dict[str, tuple[str, Any]]


class Kinds(IntFlag):
    """What may be shared (AvailableSourceTypes)."""

    MONITOR = 1
    WINDOW = 2
    VIRTUAL = 4


@dataclass(frozen=True, slots=True)
class Shared:
    """One stream that the user agreed to.

    node_id      of its PipeWire node
    x .. height  place and size in the desktop's logical pixels; 0 where the portal does not tell
    mapping_id   what EIS calls its region
    """

    node_id: int
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0
    mapping_id: str = ""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What ``Start`` gave: streams, kinds of input devices as bits, the next token."""

    streams: tuple[Shared, ...]
    devices: int
    token: str


def parse_agreed(results: object) -> Agreed:
    """Read the results of ``Start``; whatever is none raises RemoteProtocolError and nothing else."""
    if not isinstance(results, dict):
        raise RemoteProtocolError("the portal answered without results")
    streams = _value(results, "streams")
    if not isinstance(streams, list) or not 0 < len(streams) <= MAXIMUM_STREAMS:
        raise RemoteProtocolError("the portal answered without a stream")
    devices, token = _value(results, "devices"), _value(results, "restore_token")
    return Agreed(
        tuple(_stream(stream) for stream in streams),
        devices if isinstance(devices, int) and devices >= 0 else 0,
        token if isinstance(token, str) else "",
    )


def _stream(stream: object) -> Shared:
    match stream:
        case (int(node_id), dict(properties)) if 0 < node_id < 1 << 32:
            x, y = _pair(_value(properties, "position"), 0)
            width, height = _pair(_value(properties, "size"), 1)
            name = _value(properties, "mapping_id")
            return Shared(node_id, x, y, width, height, name if isinstance(name, str) else "")
    raise RemoteProtocolError("the portal answered with a stream without a node")


def _pair(value: object, least: int) -> tuple[int, int]:
    match value:
        case (int(one), int(other)) if min(one, other) >= least - (1 - least) * LONGEST_EDGE_PX:
            if max(one, other) <= LONGEST_EDGE_PX:
                return one, other
    return 0, 0


def _value(results: dict[Any, Any], name: str) -> object:
    """Take a value out of an ``a{sv}``: jeepney gives (signature, value)."""
    match results.get(name):
        case (str(), value):
            return value
    return None


class Portal:
    """The portal of one desktop over an open bus."""

    def __init__(self, link: BusLink) -> None:
        self.link = link

    async def property(self, interface: str, name: str) -> int:
        """Read a number; EnvironmentProblem if the portal or that part of it is not there."""
        value = await self.link.get(SERVICE, PATH, interface, name)
        if not isinstance(value, int):
            raise EnvironmentProblem(f"the portal's {interface}.{name} is no number")
        return value

    async def request(
        self, interface: str, method: str, signature: str, *values: Any, options: Options, patience_s: float
    ) -> dict[str, Any]:
        """Call a method that answers by a signal, and return its results.

        EnvironmentProblem if the user said no, nobody answered within ``patience_s``, or the portal refused.
        """
        token = f"punktfunk_{secrets.token_hex(8)}"
        path = f"{PATH}/request/{self._sender()}/{token}"
        words = {**options, "handle_token": ("s", token)}
        async with self.link.signals(REQUEST, "Response", path) as answers:
            await self.link.call(SERVICE, PATH, interface, method, f"{signature}a{{sv}}", *values, words)
            try:
                with trio.fail_after(patience_s):
                    message = await answers.receive()
            except trio.TooSlowError as error:
                await self._forget(path)
                raise EnvironmentProblem(
                    f"nobody answered the desktop's question ({method}) within {patience_s:g} s"
                ) from error
            except trio.EndOfChannel as error:
                raise EnvironmentProblem("the D-Bus of the desktop hung up") from error
        match message.body:
            case (int(code), dict(results)) if code == GRANTED:
                return results
            case (int(code), _) if code == CANCELLED:
                raise EnvironmentProblem("the user of the desktop did not allow it")
        raise EnvironmentProblem(f"the desktop's portal ended {method} without a result")

    async def _forget(self, path: str) -> None:
        """Take the dialog away that nobody answered."""
        with trio.CancelScope(shield=True):
            try:
                await self.link.call(SERVICE, path, REQUEST, "Close")
            except EnvironmentProblem:
                return

    def _sender(self) -> str:
        name: str = self.link.unique_name
        return name.removeprefix(":").replace(".", "_")
