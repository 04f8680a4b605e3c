"""Hyprland's control socket: one question for each connection, the answer ends with the connection.

A request is a line of text without an end mark; flags come before a slash (``j/monitors``: answer in JSON).
Hyprland reads what is there, answers and hangs up (Hyprland, src/ipc/s1/Unix.cpp and S1.cpp; before 0.56
src/debug/HyprCtl.cpp). A command that worked answers ``ok``.
"""

import json
import os
import re
import socket
import struct
from dataclasses import dataclass
from typing import Any

import trio

from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode

MAXIMUM_ANSWER_BYTES = 4 << 20
MAXIMUM_MONITORS = 64
TIMEOUT_S = 5.0
VERSION = re.compile(r"v?(\d{1,6})\.(\d{1,6})")
LONGEST_EDGE_PX = 1 << 16
FASTEST_HERTZ = 10_000
UNKNOWN_MILLIHERTZ = 60_000
"""For a monitor that shows no rate, as nested ones do."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """What Hyprland says of one monitor; ``mode`` is None while it is disabled.

    x, y, scale   place and scale in the layout, in logical pixels
    transform     wl_output.transform, 0 to 7
    ten_bit       whether it shows ten bits a channel
    number        Hyprland's own; ``mirror_of`` is that of the monitor that it copies, "" for none
    """

    name: str
    mode: Mode | None
    x: int = 0
    y: int = 0
    scale: float = 1.0
    transform: int = 0
    ten_bit: bool = False
    number: int = -1
    mirror_of: str = ""


def parse_json(data: bytes) -> Any:
    """Read an answer in JSON; bad bytes raise RemoteProtocolError and nothing else."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"Hyprland's answer is not JSON: {error}") from error


def parse_monitors(data: bytes) -> list[Monitor]:
    """Read the answer to ``j/monitors all``; anything else raises RemoteProtocolError."""
    answer = parse_json(data)
    if not isinstance(answer, list) or len(answer) > MAXIMUM_MONITORS:
        raise RemoteProtocolError("Hyprland did not answer with a short list of monitors")
    return [_monitor(item) for item in answer]


def _monitor(item: object) -> Monitor:
    match item:
        case {
            "name": str(name),
            "width": int(width),
            "height": int(height),
            "refreshRate": float() | int() as hertz,
            **fields,
        }:
            pass
        case _:
            raise RemoteProtocolError("Hyprland answered with a monitor without name or mode")
    mode = None
    if fields.get("disabled") is not True:
        is_size = 0 < width <= LONGEST_EDGE_PX and 0 < height <= LONGEST_EDGE_PX
        if not (is_size and 0 <= hertz < FASTEST_HERTZ):  # so is what is no number at all
            raise RemoteProtocolError(f"Hyprland answered with a mode of {width}x{height}@{hertz}")
        mode = Mode(width, height, round(hertz * 1000) or UNKNOWN_MILLIHERTZ)
    scale = fields.get("scale", 1.0)
    mirror = fields.get("mirrorOf")
    return Monitor(
        name,
        mode,
        _whole(fields.get("x")),
        _whole(fields.get("y")),
        float(scale) if isinstance(scale, int | float) and 0 < scale < LONGEST_EDGE_PX else 1.0,
        _whole(fields.get("transform")) & 7,
        "2101010" in str(fields.get("currentFormat", "")),
        _whole(fields.get("id")),
        mirror if isinstance(mirror, str) and mirror != "none" else "",
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) and abs(value) < 1 << 31 else 0


def parse_version(data: bytes) -> tuple[tuple[int, int], str]:
    """Read the answer to ``j/version``: (major, minor) and what people read; else RemoteProtocolError.

    ``version`` is there since 0.42; before, only the tag of git was.
    """
    answer = parse_json(data)
    if not isinstance(answer, dict):
        raise RemoteProtocolError("Hyprland did not answer with a version")
    for name in ("version", "tag"):
        text = answer.get(name)
        if isinstance(text, str) and (found := VERSION.match(text)):
            return (int(found[1]), int(found[2])), text[:40]
    raise RemoteProtocolError("Hyprland answered without a version")


def parse_provider(data: bytes) -> str:
    """Read the answer to ``j/status``: "lua", "hyprlang", or empty before 0.55, which did not know it."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    provider = answer.get("configProvider") if isinstance(answer, dict) else None
    return provider if provider in ("lua", "hyprlang") else ""


class HyprlandIpc:
    """Asks one Hyprland. Every method may raise the errors of :meth:`request`."""

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path

    async def request(self, text: str) -> bytes:
        """Ask and return the whole answer, within ``TIMEOUT_S``.

        Raises EnvironmentProblem if Hyprland is gone or silent, RemoteProtocolError for an endless answer.
        """
        try:
            with trio.fail_after(TIMEOUT_S):
                async with await self._connect() as stream:
                    await stream.send_all(text.encode())
                    return await _receive(stream)
        except trio.TooSlowError as error:
            raise EnvironmentProblem(
                f"Hyprland did not answer {text.partition(' ')[0]} within {TIMEOUT_S:g} s"
            ) from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise EnvironmentProblem("Hyprland closed its control socket") from error

    async def _connect(self) -> trio.SocketStream:
        try:
            if (await trio.Path(self.socket_path).stat()).st_uid != os.getuid():
                raise EnvironmentProblem(f"{self.socket_path} belongs to another user")
            return await trio.open_unix_socket(self.socket_path)
        except OSError as error:
            raise EnvironmentProblem(
                f"no Hyprland answers on {self.socket_path}: {error.strerror}"
            ) from error

    async def run(self, command: str) -> None:
        """Run a command; one that Hyprland refuses raises EnvironmentProblem with its reason."""
        answer = (await self.request(command)).decode(errors="replace").strip()
        if answer != "ok":
            raise EnvironmentProblem(f"Hyprland refused {command!r}: {answer[:200] or 'it said nothing'}")

    async def monitors(self) -> list[Monitor]:
        """List all monitors, disabled ones too."""
        return parse_monitors(await self.request("j/monitors all"))

    async def version(self) -> tuple[tuple[int, int], str]:
        """Ask which Hyprland it is."""
        return parse_version(await self.request("j/version"))

    async def provider(self) -> str:
        """Ask which language its configuration has; see :func:`parse_provider`."""
        return parse_provider(await self.request("j/status"))

    async def peer_pid(self) -> int:
        """Return the pid of the Hyprland behind the socket (unix(7), SO_PEERCRED)."""
        with trio.move_on_after(TIMEOUT_S):
            async with await self._connect() as stream:
                credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                return int(struct.unpack("=iII", credentials)[0])
        raise EnvironmentProblem(f"no Hyprland answers on {self.socket_path}")


async def _receive(stream: trio.SocketStream) -> bytes:
    data = bytearray()
    while piece := await stream.receive_some(65536):
        data += piece
        if len(data) > MAXIMUM_ANSWER_BYTES:
            raise RemoteProtocolError(f"Hyprland answered with more than {MAXIMUM_ANSWER_BYTES} bytes")
    return bytes(data)
