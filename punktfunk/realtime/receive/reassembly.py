"""Reassembly: the memory of one receiver, and what is done with it outside its thread.

Everything is allocated at the start, and nothing later: 4 times the largest frame for shards, one sixteenth
of that for what is known of blocks, a ring for what is done. Pages are touched where streams usually live;
the rest costs memory only once it is used. Importing this module loads the compiled kernels, so import it
only when ``warm.is_warm()``.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import ReceivePlan
from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.code16 import Code16
from punktfunk.realtime.kernels import layout_receive as at
from punktfunk.realtime.kernels.layout import EMPTY, NONCE_BYTES, RECORD_HEADER_WORD_COUNT
from punktfunk.realtime.kernels.native_receive import forget, take_group
from punktfunk.realtime.kernels.ring import pop
from punktfunk.realtime.receive.frames import ReceivedFrame
from punktfunk.realtime.receive.packet_log import copy_log, new_log
from punktfunk.realtime.receive.session_key import checked_key
from punktfunk.realtime.rings import ByteRing, aligned_words
from punktfunk.wire.native.blocks import FIELD_SHARDS
from punktfunk.wire.native.packet import MIN_SHARD_BYTES, SALT_BYTES, FecScheme
from punktfunk.wire.native.placing import IN_FLIGHT_FRAMES, ReceiveLimits
from punktfunk.wire.native.replay import REPLAY_WINDOW
from punktfunk.wire.native.slabs import SLAB_BYTES

I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

_WARM_BYTES: Final = 8 << 20
_SEED: Final = 0x9E3779B97F4A7C15
_U32: Final = 0xFFFFFFFF


class Reassembly:
    """A receiver without a socket: datagrams are handed to it, frames taken out.

    One thread at a time may hand over, another take. ``event_fd`` gets one for each frame; negative: none.
    ``packet_log_rows``, a power of two, keeps that many of the newest packets' headers for ``packets``.
    LocalProtocolError for a plan that no session can have.
    """

    def __init__(self, plan: ReceivePlan, event_fd: int = -1, *, packet_log_rows: int = 0) -> None:
        scheme = FecScheme(plan.fec_scheme)
        limits = ReceiveLimits(plan.data_max, scheme, plan.shard_bytes_max, plan.frame_bytes_max)
        if len(plan.salt) != SALT_BYTES:
            raise LocalProtocolError(f"a salt has {SALT_BYTES} bytes, not {len(plan.salt)}")
        if not 0 <= plan.loss_ppm <= 1_000_000:
            raise LocalProtocolError(f"{plan.loss_ppm} of a million datagrams cannot be lost")
        self._cipher = open_cipher(plan)
        self._code = _open_code(limits)
        self._ring = ByteRing(limits.frame_bytes_max + 64)
        self._target = np.empty(limits.frame_bytes_max, np.uint8)
        self._popped = np.zeros(RECORD_HEADER_WORD_COUNT, np.int64)
        self._kept: list[NDArray[np.generic]] = []
        self.words = aligned_words(at.RECEIVER_WORD_COUNT)
        self._allocate(limits)
        self._log = new_log(packet_log_rows)
        for word, value in (
            (at.SHARD_MAX, limits.shard_bytes_max),
            (at.DATA_MAX, limits.data_max),
            (at.SHARDS_MAX, limits.shards_max),
            (at.FRAME_MAX, limits.frame_bytes_max),
            (at.DECODE, self._code.decode_address),
            (at.DECODE_CONTEXT, self._code.context),
            (at.RING_WORDS, self._ring.words.ctypes.data),
            (at.RING_STORAGE, self._ring.storage.ctypes.data),
            (at.RING_SIZE, self._ring.storage.size),
            (at.EVENT, event_fd),
            (at.OPEN, self._cipher.open_address if self._cipher else 0),
            (at.OPEN_CONTEXT, self._cipher.address if self._cipher else 0),
            (at.SALT, int.from_bytes(plan.salt, "little")),
            (at.LOSS_PPM, plan.loss_ppm),
            (at.VIRTUAL, 1),
            (at.RANDOM, (plan.loss_seed ^ _SEED) % (1 << 62) or 1),
            (at.LOG, self._log.ctypes.data if packet_log_rows else 0),
            (at.LOG_ROWS, packet_log_rows),
            (at.BATCH, 1),
            (at.NEWEST_INDEX, -1),
        ):
            self.words[word] = value

    def _allocate(self, limits: ReceiveLimits) -> None:
        slab_count = -(-IN_FLIGHT_FRAMES * limits.frame_bytes_max // SLAB_BYTES)
        restored_bytes = -(-limits.data_total_max(MIN_SHARD_BYTES) // 64) * 8
        frame_rows = 2 * at.FRAME_SLOTS
        self.words[at.SLAB_COUNT], self.words[at.RESTORED_BYTES] = slab_count, restored_bytes
        for word, size_bytes in (
            (at.POOL, slab_count * SLAB_BYTES),
            (at.USED, slab_count),
            (at.PRESENCE, slab_count * at.SLAB_SHARDS),
            (at.BLOCKS, slab_count * at.SLAB_SHARDS * at.BLOCK_ROW_BYTES),
            (at.FRAMES, frame_rows * at.FRAME_ROW_WORDS * 8),
            (at.RESTORED, frame_rows * restored_bytes),
            (at.PRESENT, limits.shards_max),
            (at.PACKET, at.PACKET_WORD_COUNT * 8),
            (at.RECORD, RECORD_HEADER_WORD_COUNT * 8),
            (at.REPLAY, REPLAY_WINDOW // 8),
            (at.NONCES, at.GROUP_ROWS * NONCE_BYTES),
            (at.SIZES, at.GROUP_ROWS * 8),
            (at.RESULTS, at.GROUP_ROWS),
        ):
            # Zeros of the system's: a page costs memory once it is written.
            memory = np.zeros(size_bytes + 64, np.uint8)
            memory[: min(memory.size, _WARM_BYTES)] = 0
            self._kept.append(memory)
            self.words[word] = -(-memory.ctypes.data // 64) * 64

    def take(self, datagrams: Sequence[bytes], now_ns: int) -> int:
        """Take datagrams as if they had come at ``now_ns``; how many frames they completed.

        For tests, and for a session that is played back: the frames' times are ``now_ns`` too.
        """
        completed = 0
        for datagram in datagrams:
            row = np.frombuffer(bytearray(datagram) or bytearray(1), np.uint8)
            completed += take_group(self.words, row, max(len(datagram), 1), 1, len(datagram), now_ns)
        return completed

    def flush(self) -> None:
        """Forget all that was begun; what comes next begins anew. Only where no thread hands over."""
        forget(self.words)

    def pop(self) -> ReceivedFrame | None:
        """Take the oldest frame; None when there is none."""
        header = self._popped
        size = pop(self._ring.words, self._ring.storage, header, self._target, 0)
        if size == EMPTY:
            return None
        index, packets, first_ns, complete_ns, pts_ns, shards = (int(word) for word in header[2:8])
        return ReceivedFrame(
            index & _U32, pts_ns % (1 << 64), index >> 32 & _U32, self._target[:size].tobytes(), first_ns,
            complete_ns, packets & _U32, packets >> 32, shards & _U32, shards >> 32,
        )  # fmt: skip

    def ends(self) -> tuple[ByteRing, U8]:
        """Give the ring of frames, and room for the largest: for a kernel that takes instead of ``pop``."""
        return self._ring, self._target

    def packets(self, since: int = 0) -> tuple[I64, int]:
        """Copy the log of authentic packets from number ``since`` on, and the next number: ``packet_log``."""
        return copy_log(self._log, since, lambda: int(self.words[at.LOG_COUNT]))

    def counters(self) -> dict[str, int]:
        """Copy the counts; each is exact, together they are not one moment."""
        read = {name: int(self.words[at.COUNTS + i]) for i, name in enumerate(at.COUNT_NAMES)}
        read["newest_index"] = int(self.words[at.NEWEST_INDEX])
        read["slabs_used"] = int(self.words[at.SLABS_IN_USE])
        read["slab_count"] = int(self.words[at.SLAB_COUNT])
        read["ring_drops"] = self._ring.dropped_count
        read["ring_bytes"] = self._ring.waiting_bytes
        return read

    @property
    def memory_bytes(self) -> int:
        """Bytes that this receiver can ever have, the code's tables aside."""
        own = sum(array.nbytes for array in self._kept) + self._target.nbytes
        return own + self._ring.storage.nbytes

    def close(self) -> None:
        """Wipe the key. No thread may be using this any more."""
        if self._cipher:
            self._cipher.close()


def open_cipher(plan: ReceivePlan) -> Cipher | None:
    """Prepare the session's key; None for a session in clear."""
    key = checked_key(plan)
    return None if key is None else Cipher(key, plan.cipher.value)


def _open_code(limits: ReceiveLimits) -> Code8 | Code16:
    if limits.fec_scheme is FecScheme.GF8:
        # Its memory serves every shape of the field; the counts are only what its own methods check.
        return Code8(FIELD_SHARDS[FecScheme.GF8] - 1, 1, limits.shard_bytes_max)
    data_max = min(limits.data_max, limits.data_total_max(MIN_SHARD_BYTES))
    return Code16(data_max, max(limits.shards_max - 1, 1), limits.shard_bytes_max)
