"""Asks the running host something over its unix socket. Standard library only, so that commands start fast.

One line of JSON goes out, one comes back (``control/admin`` lists the verbs).
"""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from punktfunk.errors import EnvironmentProblem, PunktfunkError

MAXIMUM_REPLY_BYTES: Final = 4 << 20


class HostRefused(PunktfunkError):
    """The host understood and said no; message and hint are its own."""


def call(path: Path, request: Mapping[str, object], timeout_s: float = 10.0) -> dict[str, Any]:
    """Send ``request`` (its "verb" and arguments) to the host at ``path`` and return the result.

    Raises EnvironmentProblem when no host answers there, HostRefused when it says no.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(json.dumps(dict(request)).encode() + b"\n")
            line = _read_line(connection)
    except (FileNotFoundError, ConnectionRefusedError):
        raise EnvironmentProblem(
            f"no punktfunk host is running ({path} does not answer)",
            hint="start one with `punktfunk serve`, with the same --state folder",
        ) from None
    except TimeoutError:
        raise EnvironmentProblem(
            f"the host did not answer within {timeout_s:.0f} s", hint="its log may say why"
        ) from None
    except OSError as error:
        raise EnvironmentProblem(f"cannot talk to the host at {path}: {error.strerror or error}") from error
    return _open_reply(line)


def _read_line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        piece = connection.recv(1 << 16)
        if not piece or len(received) > MAXIMUM_REPLY_BYTES:
            break
        received += piece
    return bytes(received)


def _open_reply(line: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(line)
    except ValueError:
        reply = None
    if not isinstance(reply, dict) or not isinstance(reply.get("ok"), bool):
        raise EnvironmentProblem("the host closed the connection without an answer", hint="see its log")
    if not reply["ok"]:
        raise HostRefused(str(reply.get("error", "refused")), hint=str(reply.get("hint", "")))
    result = reply.get("result")
    return result if isinstance(result, dict) else {}
