"""Sway's control socket (i3 IPC, sway-ipc(7)): the frames, and a client under Trio.

offset  size  field    meaning
------  ----  -------  -------------------------------------------
     0     6  magic    "i3-ipc"
     6     4  length   bytes of payload, in the machine's byte order
    10     4  kind     what is asked; the reply repeats it
    14     n  payload  JSON in replies, a command or nothing in requests
"""

import json
import os
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import trio

from punktfunk.control.displays.base import Region
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode

MAGIC = b"i3-ipc"
HEADER = struct.Struct("=6sII")
MAXIMUM_PAYLOAD_BYTES = 16 << 20
TIMEOUT_S = 5.0
FIRST_UNPLUG = (1, 8)
"""The first sway whose ``output NAME unplug`` exists (sway 1.8, commands/output/unplug.c)."""


class Kind(IntEnum):
    """The requests that are used here (sway-ipc(7), MESSAGES AND REPLIES)."""

    RUN_COMMAND = 0
    GET_WORKSPACES = 1
    GET_OUTPUTS = 3
    GET_VERSION = 7
    GET_INPUTS = 100


@dataclass(frozen=True, slots=True)
class OutputState:
    """What sway says of one output; ``mode`` and ``region`` are None while it is disabled."""

    name: str
    active: bool
    focused: bool
    mode: Mode | None
    region: Region | None = None


def build_request(kind: Kind, payload: str = "") -> bytes:
    """Frame one request."""
    data = payload.encode()
    return HEADER.pack(MAGIC, len(data), kind) + data


def parse_header(data: bytes) -> tuple[int, int]:
    """Read payload length and kind of a frame; bad bytes raise RemoteProtocolError and nothing else."""
    if len(data) != HEADER.size:
        raise RemoteProtocolError(f"an IPC header has {HEADER.size} bytes, not {len(data)}")
    magic, length, kind = HEADER.unpack(data)
    if magic != MAGIC:
        raise RemoteProtocolError(f"an IPC frame starts with {MAGIC!r}, not {magic!r}")
    if length > MAXIMUM_PAYLOAD_BYTES:
        raise RemoteProtocolError(f"an IPC frame of {length} bytes, at most {MAXIMUM_PAYLOAD_BYTES} allowed")
    return length, kind


def parse_json(data: bytes) -> Any:
    """Read a payload; bad bytes raise RemoteProtocolError and nothing else."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"an IPC payload is not JSON: {error}") from error


def parse_outputs(data: bytes) -> list[OutputState]:
    """Read the reply to GET_OUTPUTS; anything else raises RemoteProtocolError."""
    reply = parse_json(data)
    if not isinstance(reply, list):
        raise RemoteProtocolError("GET_OUTPUTS did not answer with a list")
    return [_output(item) for item in reply]


def _output(item: object) -> OutputState:
    match item:
        case {"name": str(name), "active": bool(active), **rest}:
            mode = None
            match rest.get("current_mode"):
                case {"width": int(width), "height": int(height), "refresh": int(refresh)} if active:
                    mode = Mode(width, height, refresh)
            region = None
            match rest.get("rect"):
                case {"x": int(x), "y": int(y), "width": int(width), "height": int(height)} if active:
                    region = Region(x, y, width, height)
            return OutputState(name, active, rest.get("focused") is True, mode, region)
    raise RemoteProtocolError("GET_OUTPUTS answered with an output that has no name")


def parse_workspaces(data: bytes) -> list[tuple[str, list[int]]]:
    """Read the reply to GET_WORKSPACES: each one's output and what is in it; else RemoteProtocolError."""
    reply = parse_json(data)
    if not isinstance(reply, list):
        raise RemoteProtocolError("GET_WORKSPACES did not answer with a list")
    found = []
    for item in reply:
        match item:
            case {"output": str(output), "focus": list(contents)}:
                found.append((output, [number for number in contents if isinstance(number, int)]))
            case _:
                raise RemoteProtocolError("GET_WORKSPACES answered with a workspace without an output")
    return found


def parse_results(data: bytes) -> list[str]:
    """Read the reply to RUN_COMMAND and return the errors in it; bad bytes raise RemoteProtocolError."""
    reply = parse_json(data)
    if not isinstance(reply, list) or not all(isinstance(item, dict) for item in reply):
        raise RemoteProtocolError("RUN_COMMAND did not answer with a list of results")
    return [str(item.get("error", "refused")) for item in reply if item.get("success") is not True]


def parse_version(data: bytes) -> tuple[tuple[int, int], str]:
    """Read the reply to GET_VERSION: (major, minor) and what people read; else RemoteProtocolError."""
    match parse_json(data):
        case {"major": int(major), "minor": int(minor), "human_readable": str(text)}:
            return (major, minor), text[:80]
    raise RemoteProtocolError("GET_VERSION did not answer with a version")


def parse_inputs(data: bytes) -> set[str]:
    """Read the reply to GET_INPUTS: names of the devices that sway has; else RemoteProtocolError."""
    reply = parse_json(data)
    if not isinstance(reply, list):
        raise RemoteProtocolError("GET_INPUTS did not answer with a list")
    return {str(item["identifier"]) for item in reply if isinstance(item, dict) and "identifier" in item}


class SwayIpc:
    """One connection; requests wait for each other. Every method may raise the errors of :meth:`request`."""

    def __init__(self, stream: trio.SocketStream, socket_path: str) -> None:
        self._stream = stream
        self._turn = trio.Lock()
        self.socket_path = socket_path

    async def request(self, kind: Kind, payload: str = "") -> bytes:
        """Ask and return the payload of the answer, within ``TIMEOUT_S``.

        Raises EnvironmentProblem if sway is gone or silent, RemoteProtocolError for an answer out of form.
        """
        try:
            with trio.fail_after(TIMEOUT_S):
                async with self._turn:
                    await self._stream.send_all(build_request(kind, payload))
                    length, answered = parse_header(await self._receive(HEADER.size))
                    data = await self._receive(length)
        except trio.TooSlowError as error:
            raise EnvironmentProblem(f"sway did not answer {kind.name} within {TIMEOUT_S:g} s") from error
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise EnvironmentProblem("sway closed its control socket") from error
        if answered != kind:
            raise RemoteProtocolError(f"sway answered {kind.name} with kind {answered}")
        return data

    async def _receive(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = await self._stream.receive_some(count - len(data))
            if not piece:
                raise trio.BrokenResourceError
            data += piece
        return bytes(data)

    async def run(self, command: str) -> None:
        """Run sway commands; one that sway refuses raises EnvironmentProblem with its reason."""
        errors = parse_results(await self.request(Kind.RUN_COMMAND, command))
        if errors:
            raise EnvironmentProblem(f"sway refused {command!r}: {'; '.join(errors)}")

    async def outputs(self) -> list[OutputState]:
        """List all outputs, disabled ones too."""
        return parse_outputs(await self.request(Kind.GET_OUTPUTS))

    async def workspaces(self) -> list[tuple[str, list[int]]]:
        """List each workspace's output and the containers in it."""
        return parse_workspaces(await self.request(Kind.GET_WORKSPACES))

    async def version(self) -> tuple[tuple[int, int], str]:
        """Ask which sway it is."""
        return parse_version(await self.request(Kind.GET_VERSION))

    def peer_pid(self) -> int:
        """Return the pid of the sway behind the socket (unix(7), SO_PEERCRED)."""
        pid, _uid, _gid = struct.unpack(
            "=iII", self._stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        )
        return int(pid)


class NoSway(EnvironmentProblem):
    """Nobody listens on a control socket: what a sway that was killed leaves behind."""


@asynccontextmanager
async def connect_sway(socket_path: str) -> AsyncGenerator[SwayIpc]:
    """Connect to a control socket of this user; EnvironmentProblem if nobody listens or it is another's."""
    try:
        if (await trio.Path(socket_path).stat()).st_uid != os.getuid():
            raise EnvironmentProblem(f"{socket_path} belongs to another user")
        stream = await trio.open_unix_socket(socket_path)
    except (ConnectionRefusedError, FileNotFoundError) as error:
        raise NoSway(f"no sway answers on {socket_path}: {error.strerror}") from error
    except OSError as error:
        raise EnvironmentProblem(f"no sway answers on {socket_path}: {error.strerror}") from error
    async with stream:
        yield SwayIpc(stream, socket_path)
