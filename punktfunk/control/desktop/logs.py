"""What the parts of a session say, kept in files that never grow beyond a bound.

Output comes through a pipe and not straight into a file: nobody could rotate a file that a compositor holds
open, and one that complains in a circle would fill the disk.
"""

import os
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

MOST_BYTES: Final = 1 << 20
OLD_COUNT: Final = 2
TAIL_BYTES: Final = 2000
CHUNK_BYTES: Final = 65536
DRAIN_S: Final = 0.5


class RotatedLog:
    """NAME.log, NAME.log.1, ... in a folder: each at most ``most_bytes`` long, ``old_count`` old ones kept.

    A disk that is full or read-only costs lines, never the session.
    """

    def __init__(
        self, folder: Path, name: str, *, most_bytes: int = MOST_BYTES, old_count: int = OLD_COUNT
    ) -> None:
        self.path = folder / f"{name}.log"
        self._most_bytes = most_bytes
        self._old_count = old_count
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0

    @property
    def tail(self) -> str:
        """The last words, for an error message."""
        return b"".join(self._tail)[-TAIL_BYTES:].decode(errors="replace").strip()

    def begin(self, heading: str) -> None:
        """Mark a new start in the file and forget the last words of the one before."""
        self._tail.clear()
        self._tail_bytes = 0
        self._append(f"--- {heading} ---\n".encode())

    def write(self, data: bytes) -> None:
        """Add output as it came."""
        self._tail.append(data)
        self._tail_bytes += len(data)
        while len(self._tail) > 1 and self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft())
        for begin in range(0, len(data), self._most_bytes):
            self._append(data[begin : begin + self._most_bytes])

    def _append(self, data: bytes) -> None:
        try:
            if self.path.exists() and self.path.stat().st_size + len(data) > self._most_bytes:
                self._rotate()
            with open(self.path, "ab", opener=_private) as file:
                file.write(data)
        except OSError:
            return

    def _rotate(self) -> None:
        names = [self.path, *(Path(f"{self.path}.{number}") for number in range(1, self._old_count + 1))]
        for older, newer in zip(reversed(names), list(reversed(names))[1:], strict=False):
            if newer.exists():
                newer.replace(older)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@asynccontextmanager
async def logged(log: RotatedLog) -> AsyncGenerator[int]:
    """Give the end of a pipe that a child may write to; what comes out of it goes to the log.

    The caller closes nothing: our copy of the writing end closes with the block. Whatever was written until
    then is read, within DRAIN_S, as grandchildren may hold the pipe open for ever.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        async with trio.lowlevel.FdStream(reading) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(_pump, stream, log)
            try:
                yield writing
            finally:
                os.close(writing)
                writing = -1
                nursery.cancel_scope.deadline = trio.current_time() + DRAIN_S
    finally:
        if writing >= 0:
            os.close(writing)


async def _pump(stream: trio.lowlevel.FdStream, log: RotatedLog) -> None:
    while data := await stream.receive_some(CHUNK_BYTES):
        log.write(data)
