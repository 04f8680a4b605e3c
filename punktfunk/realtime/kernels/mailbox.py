"""Words that control writes while the sender runs: single words, and the destination address.

Moves words only: tests read back what was posted, also from a writer that was interrupted half-way.
"""

import numpy as np
from numpy.typing import NDArray

from punktfunk.realtime.kernels.atomics import fence, load_acquire, store_release
from punktfunk.realtime.kernels.jit import int64, kernel
from punktfunk.realtime.kernels.layout import (
    DESTINATION_WORD_COUNT,
    SEND_SEGMENTED,
    WORD_DESTINATION_BYTES,
    WORD_DESTINATION_SEEN,
    WORD_DESTINATION_VERSION,
    WORD_SEND_MODE,
)

I64 = NDArray[np.int64]


@kernel("void(int64[::1], int64, int64)")
def post_word(words: I64, index: int, value: int) -> None:
    """Store one word that another thread reads, after everything that was stored before.

    words   any shared words
    index   which one; not checked
    value   new value
    """
    store_release(words, index, value)


@kernel("void(int64[::1], int64[::1])")
def post_destination(words: I64, address: I64) -> None:
    """Publish a destination; called by the one control thread that owns these words.

    words     sender words
    address   (DESTINATION_WORD_COUNT,)   length of the socket address, then the address
    """
    version = words[WORD_DESTINATION_VERSION]
    store_release(words, WORD_DESTINATION_VERSION, version + 1)
    fence()
    for i in range(DESTINATION_WORD_COUNT):
        words[WORD_DESTINATION_BYTES + i] = address[i]
    store_release(words, WORD_DESTINATION_VERSION, version + 2)


@kernel("int64(int64[::1], int64[::1])")
def read_destination(words: I64, address: I64) -> int:
    """Copy the destination if it changed; answer its version, 0 while there is none.

    words     sender words; a changed destination gets segmentation offload again
    address   (2 * DESTINATION_WORD_COUNT,)   the copy in use, then room for an unfinished one

    While control is writing (odd version) the old copy stays in use: this thread must not wait for that one.
    """
    version = load_acquire(words, WORD_DESTINATION_VERSION)
    if version & 1 or version == words[WORD_DESTINATION_SEEN]:
        return int64(words[WORD_DESTINATION_SEEN])
    for i in range(DESTINATION_WORD_COUNT):
        address[DESTINATION_WORD_COUNT + i] = load_acquire(words, WORD_DESTINATION_BYTES + i)
    if load_acquire(words, WORD_DESTINATION_VERSION) == version:
        for i in range(DESTINATION_WORD_COUNT):
            address[i] = address[DESTINATION_WORD_COUNT + i]
        words[WORD_DESTINATION_SEEN] = version
        words[WORD_SEND_MODE] = SEND_SEGMENTED
    return int64(words[WORD_DESTINATION_SEEN])
