"""Datagrams of one socket as rows of an array, many per system call."""

import socket
from typing import Final

import numpy as np

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.realtime.kernels import layout, receive

_UDP_GRO: Final = 104  # of level IPPROTO_UDP; Python has no name for it
_GLUED_BYTES: Final = 65_535
_MESSAGE_COUNT: Final = 16
_NS_PER_MS: Final = 1_000_000

RECEIVE_COUNTERS: Final = {
    "calls": layout.RECEIVE_CALLS,
    "datagrams": layout.RECEIVE_DATAGRAMS,
    "bytes": layout.RECEIVE_BYTES,
    "truncated": layout.RECEIVE_TRUNCATED,
    "receive_errors": layout.RECEIVE_ERRORS,
    "last_errno": layout.RECEIVE_LAST_ERRNO,
}
"""Name of every counter of the receiving kernel, and its place in the words."""

Source = tuple[str, int] | tuple[str, int, int, int]


class DatagramReceiver:
    """Receives into ``rows`` (row_count, datagram_bytes) and ``lengths`` (row_count,); one thread uses it.

    The system may glue datagrams of one sender together where it knows how (UDP_GRO): far fewer calls. It
    changes the socket: plain ``recv`` on it would see glued datagrams. The socket stays the caller's.
    """

    def __init__(self, bound: socket.socket, datagram_bytes: int, row_count: int = 256) -> None:
        if not 0 < datagram_bytes <= _GLUED_BYTES or row_count < 1:
            raise LocalProtocolError(f"{row_count} rows of {datagram_bytes} bytes take no datagrams")
        self._socket = bound
        self.glued = _glue(bound)
        self.rows = np.empty((row_count, datagram_bytes), np.uint8)
        self.lengths = np.zeros(row_count, np.int64)
        self._sources = np.zeros((row_count, layout.DESTINATION_WORD_COUNT), np.int64)
        self._words = np.zeros(layout.RECEIVE_WORD_COUNT, np.int64)
        self._buffers = np.empty((_MESSAGE_COUNT, _GLUED_BYTES if self.glued else datagram_bytes), np.uint8)
        self._messages = np.zeros(_MESSAGE_COUNT * receive.RECEIVE_MESSAGE_WORDS, np.int64)
        for array in (self.rows, self._buffers):
            array.fill(0)  # touch every page now, not while receiving

    def receive(self, timeout_ns: int = 0) -> int:
        """Fill rows from the first on: how many, 0 when nothing came in time.

        A datagram longer than a row is thrown away and counted. Errors that pass are counted; PipelineFailed
        when the socket was closed.
        """
        count = receive.receive_rows(
            self._socket.fileno(),
            self._words,
            self._buffers,
            self._messages,
            self.rows,
            self.lengths,
            self._sources,
            -(-timeout_ns // _NS_PER_MS),
        )
        if count < 0:
            raise PipelineFailed("a receiving socket was closed")
        return count

    def datagram(self, row: int) -> bytes:
        """Copy a row's datagram."""
        return self.rows[row, : self.lengths[row]].tobytes()

    def source(self, row: int) -> Source:
        """Who sent a row's datagram, as ``recvfrom`` has it."""
        raw = self._sources[row, 1:].tobytes()
        family, port = int.from_bytes(raw[:2], "little"), int.from_bytes(raw[2:4], "big")
        if family == socket.AF_INET:
            return socket.inet_ntop(family, raw[4:8]), port
        host = socket.inet_ntop(socket.AF_INET6, raw[8:24])
        return host, port, int.from_bytes(raw[4:8], "big"), int.from_bytes(raw[24:28], "little")

    def counters(self) -> dict[str, int]:
        """Copy the counts."""
        return {name: int(self._words[index]) for name, index in RECEIVE_COUNTERS.items()}


def _glue(bound: socket.socket) -> bool:
    try:
        bound.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
    except OSError:
        return False
    return True
