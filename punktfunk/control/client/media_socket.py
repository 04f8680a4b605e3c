"""The client's UDP socket for video: bound before Start, connected to the host, kept open by punches.

A punch tells the host, and every NAT between, where the video is to go. Nothing else leaves this socket.
Source: punktfunk-1 sections 2.3 and 2.17.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import trio

from punktfunk.errors import EnvironmentProblem
from punktfunk.wire.native.capabilities import PUNCH

QUICK_PUNCHES: Final = 15
QUICK_S: Final = 0.2
SLOW_S: Final = 2.0


@contextmanager
def media_socket(host_address: str) -> Iterator[socket.socket]:
    """Bind a UDP socket to any port, for the family of the host's address."""
    family = socket.AF_INET6 if ":" in host_address else socket.AF_INET
    try:
        bound = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise EnvironmentProblem(
            f"no UDP socket for video: {error.strerror}", hint="Close some programs and try again."
        ) from error
    with bound:
        bound.setblocking(False)  # noqa: FBT003 -- socket's own signature
        bound.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 0))  # noqa: S104 -- `aim` connects it
        yield bound


def aim(bound: socket.socket, address: str, port: int) -> None:
    """Connect to the host: datagrams of others never reach us."""
    bound.connect((address, port))


async def punch(bound: socket.socket) -> None:
    """Punch until cancelled; errors that pass (host not listening yet, route away) do not stop it."""
    count = 0
    while True:
        with suppress(OSError):
            bound.send(PUNCH)
        count += 1
        await trio.sleep(QUICK_S if count < QUICK_PUNCHES else SLOW_S)
