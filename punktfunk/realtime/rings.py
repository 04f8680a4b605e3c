"""The two ends of a record ring and of a slot ring, for threads that hold Python objects.

Kernels use ``kernels.ring`` and ``kernels.slots`` directly, on ``words`` and ``storage`` of these.
"""

from time import monotonic_ns

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError
from punktfunk.realtime.kernels import ring, slots
from punktfunk.realtime.kernels.layout import (
    BAD_SIZE,
    EMPTY,
    RECORD_HEADER_WORD_COUNT,
    RING_DROPPED,
    RING_HEAD,
    RING_TAIL,
    RING_WORD_COUNT,
    SLOT_DROPPED,
    SLOT_HEAD,
    SLOT_REFUSED,
    SLOT_RING_WORD_COUNT,
    SLOT_TAIL,
    SLOT_WORD_COUNT,
)

BytesLike = bytes | bytearray | memoryview | NDArray[np.uint8]

_LINE_BYTES = 64


def aligned_words(count: int) -> NDArray[np.int64]:
    """Make ``count`` int64 zeros that begin a cache line, on pages touched now, not in a realtime thread."""
    spare = np.empty(count + _LINE_BYTES // 8, np.int64)
    spare.fill(0)
    start = -spare.ctypes.data % _LINE_BYTES // 8
    return spare[start : start + count]


class ByteRing:
    """Records of bytes from one producer to one consumer; a full ring drops its oldest and counts it.

    ``capacity_bytes`` is rounded up to a power of two; a record takes its payload and 64 bytes, rounded up to
    64.
    """

    def __init__(self, capacity_bytes: int) -> None:
        word_count = 1 << max(capacity_bytes - 1, 511).bit_length() >> 3
        self.words = aligned_words(RING_WORD_COUNT)
        self.storage = aligned_words(word_count)

    @property
    def dropped_count(self) -> int:
        """Records that had to go because the consumer was late."""
        return int(self.words[RING_DROPPED])

    @property
    def waiting_bytes(self) -> int:
        """Bytes in the ring, headers included; a snapshot."""
        return max(int(self.words[RING_HEAD] - self.words[RING_TAIL]), 0) * 8

    def push(self, header: NDArray[np.int64], payload: BytesLike) -> int:
        """Put a record in; answer how many old ones were dropped, or BAD_SIZE (< 0) if it can never fit.

        ``header`` is (RECORD_HEADER_WORD_COUNT,); its first two words belong to the ring.
        """
        return ring.push(self.words, self.storage, header, np.frombuffer(payload, np.uint8))

    def deliver(self, header: NDArray[np.int64], payload: BytesLike, doorbell_fd: int) -> int:
        """Do as ``push``, and make the eventfd ``doorbell_fd`` readable."""
        return ring.deliver(self.words, self.storage, header, np.frombuffer(payload, np.uint8), doorbell_fd)

    def pop(self, target: NDArray[np.uint8]) -> tuple[NDArray[np.int64], int] | None:
        """Take the oldest record: its header and its payload's length in ``target``; None when empty.

        LocalProtocolError if ``target`` is too small; the record is gone then.
        """
        header = np.zeros(RECORD_HEADER_WORD_COUNT, np.int64)
        count = ring.pop(self.words, self.storage, header, target, 0)
        if count == EMPTY:
            return None
        if count < 0:
            raise LocalProtocolError(f"a ring record did not fit into {target.size} bytes")
        return header, count


class SlotRing:
    """Items of eight int64 words from one producer to one consumer, either of which may be a kernel.

    ``slot_count`` is a power of two. A full ring refuses an item or drops its oldest, as the producer says;
    both are counted.
    """

    def __init__(self, slot_count: int) -> None:
        if slot_count < 1 or slot_count & (slot_count - 1):
            raise LocalProtocolError(f"a ring of {slot_count} slots: it must be a power of two")
        self.words = aligned_words(SLOT_RING_WORD_COUNT)
        self.storage = aligned_words(slot_count * SLOT_WORD_COUNT)

    @property
    def dropped_count(self) -> int:
        """Items that gave way to newer ones."""
        return int(self.words[SLOT_DROPPED])

    @property
    def refused_count(self) -> int:
        """How often ``put`` found the ring full."""
        return int(self.words[SLOT_REFUSED])

    @property
    def waiting_count(self) -> int:
        """Items in the ring; a snapshot."""
        return max(int(self.words[SLOT_HEAD] - self.words[SLOT_TAIL]), 0)

    def put(self, item: NDArray[np.int64]) -> bool:
        """Put an item in and wake the consumer; False if the ring is full. For the producer."""
        code = slots.put(self.words, self.storage, item)
        slots.wake(self.words)
        return _checked(code, item) == 0

    def put_newest(self, item: NDArray[np.int64]) -> int:
        """Put an item in, wake the consumer; how many of the oldest were dropped for it. For the producer."""
        dropped_count = slots.put_newest(self.words, self.storage, item)
        slots.wake(self.words)
        return _checked(dropped_count, item)

    def take(self, timeout_ns: int = 0) -> tuple[int, NDArray[np.int64]] | None:
        """Take the oldest item and its number, counted from 0 (a gap is a drop); None when none comes.

        For the consumer.
        """
        item = np.zeros(SLOT_WORD_COUNT, np.int64)
        number = slots.take(self.words, self.storage, item)
        if number == EMPTY and timeout_ns > 0:
            slots.wait(self.words, 0, monotonic_ns() + timeout_ns)
            number = slots.take(self.words, self.storage, item)
        return None if number == EMPTY else (number, item)


def _checked(code: int, item: NDArray[np.int64]) -> int:
    if code == BAD_SIZE:
        raise LocalProtocolError(f"a slot takes {SLOT_WORD_COUNT} words, not {item.size}")
    return code
