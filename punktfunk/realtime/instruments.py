"""What benchmarks time: one entry with its arguments, called as often as asked from inside one kernel.

Each function here makes a ``Repeated``: ``repeated(1000)`` is one call from Python and a thousand of the
entry. Arrays are checked here, once, because an entry sees only addresses.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import llvmlite.binding
import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import EnvironmentProblem, LocalProtocolError
from punktfunk.realtime.kernels import layout, layout_decode, repeat
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.layout16 import CODE16_WORD_COUNT

if TYPE_CHECKING:
    from punktfunk.realtime.ciphers import Cipher
    from punktfunk.realtime.code8 import Code8
    from punktfunk.realtime.code16 import Code16
    from punktfunk.realtime.send.frames import FrameSender

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
_ALIGNMENT_BYTES = 64
_TAG_BYTES = 16
_READ_TRIAL_COUNT, _READ_TRIALS = 2000, 25  # 2 ms in all, where the clock needs no system call
DECODERS: Final = {
    "direct": layout_decode.DIRECT,
    "cauchy": layout_decode.CAUCHY,
    "transposed": layout_decode.TRANSPOSED,
    "full": layout_decode.FULL,
}
_CHOICES: Final = np.arange(len(DECODERS))  # a context for each decoder: the word that says its number


class ErasureCode(Protocol):
    """``Code8`` and ``Code16``, as far as they are timed."""

    @property
    def context(self) -> int:
        """Address of its tables and work areas."""

    @property
    def encode_address(self) -> int:
        """Address of the entry that makes parity."""

    @property
    def decode_address(self) -> int:
        """Address of the entry that restores data."""


class Repeated:
    """An entry and its arguments; what they point to lives as long as this."""

    def __init__(self, address: int, arguments: Sequence[int], kept: tuple[object, ...]) -> None:
        self._address = address
        self._arguments = np.array(arguments, np.int64)
        self._kept = kept

    def __call__(self, times: int) -> int:
        """Call it so often; the last result. LocalProtocolError for the first result below zero."""
        result = repeat.repeat_entry(self._address, self._arguments, times)
        if result < 0:
            raise LocalProtocolError(f"a timed call answered {result}")
        return result


def aligned_rows(row_count: int, row_bytes: int, seed: int | None = None) -> U8:
    """Make (row_count, row_bytes) bytes at a 64-byte boundary, all touched: random ones, or zeros."""
    size = row_count * row_bytes
    room = np.zeros(size + _ALIGNMENT_BYTES, np.uint8)
    first = -room.ctypes.data % _ALIGNMENT_BYTES
    rows: U8 = room[first : first + size].reshape(row_count, row_bytes)
    rows[:] = 0 if seed is None else np.random.default_rng(seed).integers(0, 256, rows.shape, dtype=np.uint8)
    return rows


@cache
def _memcpy() -> int:
    llvmlite.binding.load_library_permanently("libc.so.6")
    address = llvmlite.binding.address_of_symbol("memcpy")
    if not address:
        raise EnvironmentProblem("libc has no memcpy to compare with", hint="Is this a glibc system?")
    return int(address)


def copying(target: U8, source: U8) -> Repeated:
    """Copy all of ``source`` by memcpy; both contiguous and of one size, else LocalProtocolError."""
    if target.nbytes != source.nbytes or not (target.flags.c_contiguous and source.flags.c_contiguous):
        raise LocalProtocolError(f"cannot copy {source.shape} into {target.shape} in one piece")
    arguments = (target.ctypes.data, source.ctypes.data, source.nbytes)
    return Repeated(_memcpy(), arguments, (target, source))


def encoding(code: ErasureCode, data: U8, parity: U8) -> Repeated:
    """Parity of ``data`` (k, shard bytes) into ``parity`` (m, shard bytes), as ``code.encode`` makes it."""
    shape = _shape(data, parity)
    arguments = (code.context, *_place(data), *_place(parity), *shape)
    return Repeated(code.encode_address, arguments, (code, data, parity))


def decoding(code: ErasureCode, data: U8, parity: U8, present: U8) -> Repeated:
    """Restore the rows of ``data`` whose byte in ``present`` (k + m,) is 0, each time anew."""
    shape = _shape(data, parity)
    if present.shape != (len(data) + len(parity),) or present.dtype != np.uint8 or present.strides != (1,):
        raise LocalProtocolError(f"{present.shape} flags do not say which of {shape[0]}:{shape[1]} are there")
    arguments = (code.context, *_place(data), *_place(parity), present.ctypes.data, *shape)
    return Repeated(code.decode_address, arguments, (code, data, parity, present))


def matrix_code(data_count: int, parity_count: int, shard_bytes: int) -> "Code8":
    """GameStream's code by its matrix alone, whatever the shape: what the transform is compared with."""
    from punktfunk.realtime.code8 import Code8
    from punktfunk.realtime.reference import gf8

    coefficients = np.zeros((parity_count, data_count), np.uint8)
    gf8.fill_cauchy(coefficients, data_count, parity_count, gf8.inverses())
    return Code8(data_count, parity_count, shard_bytes, matrix=coefficients)


def deciding_code(data_count: int, parity_count: int, shard_bytes: int, decoder: str) -> "Code16":
    """Make a ``Code16`` that decodes in one way of ``DECODERS``, or in that of its cost model (``auto``)."""
    from punktfunk.realtime.code16 import Code16

    code = Code16(data_count, parity_count, shard_bytes)
    if decoder != "auto":
        assert code.decode_address  # its words are written when it is first asked for
        words = np.ctypeslib.as_array((ctypes.c_int64 * CODE16_WORD_COUNT).from_address(code.context))
        words[layout_decode.CHOOSE] = address_of_entry(repeat.choose_always)
        words[layout_decode.CHOOSE_CONTEXT] = _CHOICES.ctypes.data + 8 * DECODERS[decoder]
    return code


def _shape(data: U8, parity: U8) -> tuple[int, int, int]:
    for rows in (data, parity):
        if rows.ndim != 2 or rows.dtype != np.uint8 or rows.strides[1] != 1:
            raise LocalProtocolError(f"shards must be rows of bytes, not {rows.dtype} {rows.shape}")
    if data.shape[1] != parity.shape[1]:
        raise LocalProtocolError(
            f"shards of {data.shape[1]} and of {parity.shape[1]} bytes do not go together"
        )
    return len(data), len(parity), data.shape[1]


def _place(rows: U8) -> tuple[int, int]:
    return rows.ctypes.data, rows.strides[0]


def sealing(
    cipher: "Cipher",
    rows: U8,
    nonces: U8,
    *,
    text_offset: int,
    text_bytes: int,
    tag_offset: int,
    aad_bytes: int = 0,
) -> Repeated:
    """Seal all rows in place, as ``cipher.seal`` does, with the same nonces each time.

    So what comes out is nobody's secret. ``rows`` (count, stride), ``nonces`` (count, 16); LocalProtocolError
    where they are not, or where text or tag would reach beyond a row.
    """
    end = max(text_offset + text_bytes, tag_offset + _TAG_BYTES, aad_bytes)
    if rows.ndim != 2 or not rows.flags.c_contiguous or rows.shape[1] < end:
        raise LocalProtocolError(f"rows of {rows.shape} have no room for {end} bytes")
    if nonces.shape != (len(rows), layout.NONCE_BYTES) or not nonces.flags.c_contiguous:
        raise LocalProtocolError(f"{len(rows)} rows need as many nonces of 16 bytes, not {nonces.shape}")
    sizes = (text_offset, text_bytes, tag_offset, aad_bytes)
    arguments = (cipher.address, *_place(rows), len(rows), *sizes, nonces.ctypes.data)
    return Repeated(cipher.seal_address, arguments, (cipher, rows, nonces))


class FrameTimes(NamedTuple):
    """Columns of a sender's latency log, CLOCK_MONOTONIC, one element for each frame."""

    captured_ns: I64
    encoded_ns: I64
    first_ns: I64
    last_ns: I64


def frame_times(log: I64) -> FrameTimes:
    """Take the times out of ``sender.latencies()``."""
    return FrameTimes(
        log[:, layout.LATENCY_CAPTURED_NS],
        log[:, layout.LATENCY_ENCODED_NS],
        log[:, layout.LATENCY_FIRST_NS],
        log[:, layout.LATENCY_LAST_NS],
    )


def feed_frames(sender: "FrameSender", frame: bytes, interval_ns: int, count: int) -> int:
    """Push ``frame`` into a sender at every tick, from one kernel call; how many old ones were dropped.

    It stands for an encoder that Python never holds up. To be called instead of ``push``, after one: the log
    says "captured" for the tick and "encoded" for the push. LocalProtocolError for a frame that is too long.
    """
    # The ring's producer is this call now; a sender offers no other way past ``push``, nor should it.
    ring, header, doorbell = sender._ring, sender._header, sender._doorbell  # noqa: SLF001
    payload = np.frombuffer(frame, np.uint8)
    dropped = repeat.feed_frames(ring.words, ring.storage, header, payload, doorbell, interval_ns, count)
    if dropped < 0:
        raise LocalProtocolError(f"a frame of {len(frame)} bytes does not fit into the sender")
    sender._pushed_count += count  # noqa: SLF001
    return dropped


class TickTimes(NamedTuple):
    """What ``loop_at_ticks`` saw, CLOCK_MONOTONIC, one element for each tick."""

    tick_ns: I64
    first_ns: I64
    last_ns: I64


def loop_at_ticks(interval_ns: int, read_count: int, count: int) -> TickTimes:
    """Read the clock ``read_count`` times at every tick, from one kernel call: a frame's control.

    It sleeps to its ticks as ``feed_frames`` does, and touches nothing of a sender.
    """
    times = np.zeros((count, 3), np.int64)
    repeat.loop_at_ticks(times, interval_ns, read_count)
    return TickTimes(*times.T)


def reads_for(duration_ns: float) -> int:
    """Find out how often this thread can read the clock in so long, at the median; at least once."""
    _tick_ns, first_ns, last_ns = loop_at_ticks(1, _READ_TRIAL_COUNT, _READ_TRIALS)
    return max(1, round(_READ_TRIAL_COUNT * duration_ns / max(1.0, float(np.median(last_ns - first_ns)))))
