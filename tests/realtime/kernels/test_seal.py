import os

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.realtime.kernels import seal as fast
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference import seal as slow

SCRATCH = np.zeros(1, np.int64)


@settings(max_examples=60)
@given(
    st.binary(min_size=16, max_size=16),
    st.integers(0, 5),
    st.integers(1, 1500),
    st.integers(0, (1 << 63) - 10),
    st.integers(0, (1 << 32) - 1),
)
def test_seal_rows_equals_its_twin(key: bytes, rows: int, size: int, counter: int, frame_index: int) -> None:
    ours = np.frombuffer(os.urandom(5 * (32 + size)), np.uint8).reshape(5, -1).copy()
    theirs = ours.copy()
    words = np.frombuffer(key, np.uint8).copy()
    cipher, other = fast.open_cipher(words), slow.open_cipher(words)
    assert fast.seal_rows(ours, rows, size, cipher, counter, frame_index, SCRATCH) == 0
    assert slow.seal_rows(theirs, rows, size, other, counter, frame_index, SCRATCH) == 0
    fast.close_cipher(cipher)
    slow.close_cipher(other)
    assert np.array_equal(ours, theirs)


def test_wrong_sizes_touch_nothing() -> None:
    assert fast.open_cipher(np.zeros(15, np.uint8)) == slow.open_cipher(np.zeros(15, np.uint8)) == BAD_SIZE
    packets = np.full((2, 100), 7, np.uint8)
    cipher = fast.open_cipher(np.zeros(16, np.uint8))
    assert fast.seal_rows(packets, 3, 68, cipher, 0, 1, SCRATCH) == BAD_SIZE
    assert fast.seal_rows(packets, 2, 69, cipher, 0, 1, SCRATCH) == BAD_SIZE
    assert fast.seal_rows(packets, 2, 68, 0, 0, 1, SCRATCH) == BAD_SIZE
    assert fast.seal_rows(packets, 2, 68, cipher, 0, 1, SCRATCH[:0]) == BAD_SIZE
    fast.close_cipher(cipher)
    assert (packets == 7).all()
