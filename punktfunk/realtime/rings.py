"""The two ends of a record ring, for threads that hold Python objects.

Kernels use ``kernels.ring`` directly.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError
from punktfunk.realtime.kernels import ring
from punktfunk.realtime.kernels.layout import (
    EMPTY,
    RECORD_HEADER_WORD_COUNT,
    RING_DROPPED,
    RING_HEAD,
    RING_TAIL,
    RING_WORD_COUNT,
)

BytesLike = bytes | bytearray | memoryview | NDArray[np.uint8]


class ByteRing:
    """Records of bytes from one producer to one consumer; a full ring drops its oldest and counts it.

    ``capacity_bytes`` is rounded up to a power of two; a record takes its payload and 64 bytes, rounded up to
    64.
    """

    def __init__(self, capacity_bytes: int) -> None:
        word_count = 1 << max(capacity_bytes - 1, 511).bit_length() >> 3
        self.words = np.zeros(RING_WORD_COUNT, np.int64)
        self.storage = np.empty(word_count, np.int64)
        self.storage.fill(0)  # touch every page now, not in a realtime thread

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
