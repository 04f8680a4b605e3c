"""The unix socket by which the owner's commands reach the running host: one line of JSON each way.

    verb             arguments                    result
    ---------------  ---------------------------  -----------------------------------------------------------
    pair             pin, name?, address?         name, fingerprint, address: once the client is paired
    waiting          -                            clients: number, address, fingerprint, seconds
    clients.list     -                            clients: name, fingerprint, kinds, grants, expired, and as
                                                  ISO 8601 or empty added_at, last_seen, expires_at
    clients.rename   client, name                 name, fingerprint
    clients.remove   client                       name, fingerprint
    clients.grant    client, grants, for?         the client, as clients.list has it
    clients.expire   client, for                  the same
    pair.native      for?, device?, grants?,      pin, seconds, device, grants
                     expires?
    pair.native.wait -                            name: once the device with the PIN shown last is paired
    clients.pending  -                            clients: number, name, address, fingerprint, seconds, state
    clients.approve  client, name?, grants?,      the client, as clients.list has it
                     expires?
    clients.deny     client                       name, fingerprint
    apps.list        -                            apps: app_id, title, command
    lab.swap         kind, name, folder           kind, name, number, before: from the next frame on
    lab.frames       -                            frames: times, bytes, and the variants that made each
    lab.compare      kind, name, folder,          number, frames: its number, ns to first and last datagram,
                     seconds, turn_s              bytes of each, default and variant taking turns
    status           -                            what the host says of itself
    stop             -                            nothing: the host ends gracefully

Answers are ``{"ok": true, "result": {..}}`` or ``{"ok": false, "error": "..", "hint": ".."}``. The socket has
mode 0600, and the kernel tells who connects: root and the host's own user are served. ``address`` of ``pair``
may also be a number or the first digits of a certificate, as ``waiting`` shows them.
"""

import json
import logging
import os
import shlex
import socket
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import trio

from punktfunk.control.apps import Catalogue
from punktfunk.control.client_verbs import ClientVerbs, Result, Verb
from punktfunk.control.complaints import Complaints
from punktfunk.control.gamestream.pairing_desk import PairingDesk, Stage
from punktfunk.control.lab import LabDesk
from punktfunk.control.listeners import ConnectionGate, Place, serve_gated
from punktfunk.control.trust import ClientBook, PairedClient
from punktfunk.errors import EnvironmentProblem, PunktfunkError, RemoteProtocolError

logger = logging.getLogger(__name__)

MAXIMUM_REQUEST_BYTES: Final = 16 << 10
REQUEST_S: Final = 10.0
MAXIMUM_CONNECTIONS: Final = 16


class AdminHost(Protocol):
    """What the socket asks of the host itself."""

    def status(self) -> Mapping[str, Any]:
        """Describe the host and its session, in values that JSON knows."""

    def stop(self) -> None:
        """Begin to end gracefully."""

    async def client_removed(self, client: PairedClient) -> None:
        """End the session of a client that is no longer paired, if it has one."""


class AdminDesk:
    """Answers requests, whichever way they came: the socket's, or a terminal's of the host itself.

    ``more`` are verbs of parts that a setting can switch off.
    """

    def __init__(
        self,
        host: AdminHost,
        pairing: PairingDesk,
        book: ClientBook,
        catalogue: Catalogue,
        lab: LabDesk,
        more: Mapping[str, Verb] | None = None,
    ) -> None:
        self._host = host
        self._pairing = pairing
        self._catalogue = catalogue
        self._verbs: dict[str, Verb] = {
            "pair": self._pair,
            "waiting": self._waiting,
            "apps.list": self._list_apps,
            "status": self._status,
            "stop": self._stop,
            **ClientVerbs(book, host.client_removed).verbs(),
            **lab.verbs(),
            **(more or {}),
        }

    async def answer(self, request: Mapping[str, str]) -> Result:
        """Do what the request asks. Raises PunktfunkError with a hint when it cannot be done."""
        await trio.lowlevel.checkpoint()
        verb = request.get("verb", "")
        if verb not in self._verbs:
            raise RemoteProtocolError(f"unknown verb {verb[:64]!r}", hint=f"known: {', '.join(self._verbs)}")
        return await self._verbs[verb](request)

    async def _pair(self, request: Mapping[str, str]) -> Result:
        attempt = self._pairing.submit_pin(
            request.get("pin", ""), which=request.get("address", ""), name=request.get("name", "")
        )
        if await self._pairing.wait_finished(attempt) is not Stage.PAIRED:
            raise EnvironmentProblem(
                f"pairing with {attempt.address} failed: {attempt.reason}",
                hint="Start pairing again in Moonlight, and type the new PIN that it shows.",
            )
        return {"name": attempt.name, "fingerprint": attempt.fingerprint, "address": attempt.address}

    async def _waiting(self, _request: Mapping[str, str]) -> Result:
        now_s = trio.current_time()
        return {
            "clients": [
                {
                    "number": attempt.number,
                    "address": attempt.address,
                    "fingerprint": attempt.fingerprint,
                    "seconds": round(now_s - attempt.begun_s),
                }
                for attempt in self._pairing.waiting()
            ]
        }

    async def _list_apps(self, _request: Mapping[str, str]) -> Result:
        return {
            "apps": [
                {"app_id": app.app_id, "title": app.title, "command": shlex.join(app.spec.command)}
                for app in self._catalogue.apps
            ]
        }

    async def _status(self, _request: Mapping[str, str]) -> Result:
        return dict(self._host.status())

    async def _stop(self, _request: Mapping[str, str]) -> Result:
        self._host.stop()
        return {}


async def serve_admin(
    path: Path,
    desk: AdminDesk,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the socket at ``path`` until cancelled; the caller holds the state folder's lock."""
    bound = _bind(path)
    try:
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(bound))
        task_status.started()

        async def serve_one(stream: trio.SocketStream, place: Place) -> None:
            await _converse(desk, stream, place)

        await serve_gated(
            [listener],
            serve_one,
            ConnectionGate(total=MAXIMUM_CONNECTIONS, per_address=MAXIMUM_CONNECTIONS),
            name="admin",
            complaints=Complaints(logger),
        )
    finally:
        path.unlink(missing_ok=True)  # noqa: ASYNC240 -- one local unlink


def _bind(path: Path) -> socket.socket:
    """Bind under another name and rename, so that nobody finds the socket with a wider mode than 0600.

    A socket that a killed host left behind is replaced: whoever holds the folder's lock owns the path.
    """
    fresh = path.with_name(path.name[:-1] + "_")  # no longer than ``path``: sun_path holds 107 bytes
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        fresh.unlink(missing_ok=True)
        bound.bind(str(fresh))
        fresh.chmod(stat.S_IRUSR | stat.S_IWUSR)
        bound.listen(MAXIMUM_CONNECTIONS)
        fresh.rename(path)
    except OSError as error:
        bound.close()
        raise EnvironmentProblem(
            f"cannot open the admin socket {path}: {error.strerror or error}",
            hint="choose another folder with --state",
        ) from error
    return bound


async def _converse(desk: AdminDesk, stream: trio.SocketStream, place: Place) -> None:
    credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _pid, uid, _gid = struct.unpack("3i", credentials)  # struct ucred, unix(7)
    if uid not in (0, os.getuid()):
        raise RemoteProtocolError(f"user {uid} may not talk to this host")
    buffer = bytearray()
    while True:
        with trio.move_on_after(REQUEST_S) as reading:
            line = await _read_line(stream, buffer)
        if reading.cancelled_caught or line is None:
            return
        place.set_busy()
        reply = await _answer(desk, line)
        with trio.fail_after(REQUEST_S):
            await stream.send_all(json.dumps(reply).encode() + b"\n")
        place.set_idle()


async def _read_line(stream: trio.SocketStream, buffer: bytearray) -> bytes | None:
    """Return the next line without its end; None once the peer has closed."""
    while (end := buffer.find(b"\n")) < 0:
        if len(buffer) > MAXIMUM_REQUEST_BYTES:
            raise RemoteProtocolError(f"a request is longer than {MAXIMUM_REQUEST_BYTES} bytes")
        data = await stream.receive_some(4096)
        if not data:
            return None
        buffer += data
    line = bytes(buffer[:end])
    del buffer[: end + 1]
    return line


async def _answer(desk: AdminDesk, line: bytes) -> Result:
    try:
        return {"ok": True, "result": await desk.answer(parse_request(line))}
    except PunktfunkError as error:
        return {"ok": False, "error": str(error), "hint": error.hint}


def parse_request(line: bytes) -> dict[str, str]:
    """Read one request: an object whose values are texts."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise RemoteProtocolError("a request is one line of JSON") from None
    if not isinstance(request, dict) or not all(isinstance(value, str) for value in request.values()):
        raise RemoteProtocolError("a request is an object whose values are texts")
    return request
