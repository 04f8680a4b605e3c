"""Bells: descriptors that one thread makes readable and another waits for.

An eventfd where the system has it, which is Linux; elsewhere one end of a pair of sockets, as sockets are
what every system can wait for. The other end is kept here, by the descriptor of the first.
"""

import os
import socket
from contextlib import suppress
from typing import Final

_HAS_EVENTFD: Final = hasattr(os, "eventfd")
_DRAIN_BYTES: Final = 4096

_pairs: dict[int, tuple[socket.socket, socket.socket]] = {}


def open_bells(count: int) -> list[int]:
    """Open so many bells, or none: OSError, where descriptors run out, leaves nothing behind."""
    bells: list[int] = []
    try:
        while len(bells) < count:
            bells.append(_open())
    except OSError:
        for bell in bells:
            close_bell(bell)
        raise
    return bells


def _open() -> int:
    if _HAS_EVENTFD:
        return os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    near, far = socket.socketpair()
    near.setblocking(False)  # noqa: FBT003 -- its only argument
    far.setblocking(False)  # noqa: FBT003 -- its only argument
    _pairs[near.fileno()] = near, far
    return near.fileno()


def ring(bell: int) -> None:
    """Make a bell readable. OSError where it is closed."""
    if bell not in _pairs:
        os.eventfd_write(bell, 1)
        return
    with suppress(BlockingIOError):  # full: it is readable already
        _pairs[bell][1].send(b"\1")


def hush(bell: int) -> None:
    """Make a bell unreadable until it rings again. OSError where it is closed."""
    with suppress(BlockingIOError):
        if bell not in _pairs:
            os.eventfd_read(bell)
            return
        while len(_pairs[bell][0].recv(_DRAIN_BYTES)) == _DRAIN_BYTES:
            pass


def close_bell(bell: int) -> None:
    """Close a bell; nobody may be waiting for it."""
    pair = _pairs.pop(bell, None)
    if pair is None:
        os.close(bell)
        return
    for end in pair:
        end.close()
