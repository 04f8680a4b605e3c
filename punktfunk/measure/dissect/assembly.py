"""Pieces of a stream in any order into its bytes in order. Bounded: what is too far ahead is dropped."""

from typing import Final

AHEAD_MAX_BYTES: Final = 1 << 22
AHEAD_MAX_COUNT: Final = 1024


class Assembly:
    """One direction of one stream."""

    def __init__(self) -> None:
        self._at = 0
        self._waiting: dict[int, bytes] = {}
        self._waiting_bytes = 0

    def feed(self, offset: int, data: bytes) -> bytes:
        """Take a piece; give what continues the stream now."""
        if offset + len(data) <= self._at:
            return b""
        if len(data) > len(self._waiting.get(offset, b"")):
            too_many = len(self._waiting) >= AHEAD_MAX_COUNT and offset > self._at
            if too_many or self._waiting_bytes + len(data) > AHEAD_MAX_BYTES:
                return b""
            self._waiting_bytes += len(data) - len(self._waiting.get(offset, b""))
            self._waiting[offset] = data
        came = b""
        while (start := min(self._waiting, default=self._at + 1)) <= self._at:
            piece = self._waiting.pop(start)
            self._waiting_bytes -= len(piece)
            new = piece[self._at - start :]
            came += new
            self._at += len(new)
        return came
