"""AES-128-GCM."""

from typing import Final

import numpy as np

from punktfunk.realtime.kernels import seal
from punktfunk.realtime.reference import seal as slow_seal

_KEY: Final = np.arange(16, dtype=np.uint8)


def agrees(random: np.random.Generator) -> bool:
    """Compare them."""
    packets = random.integers(0, 256, (3, 32 + 1040), dtype=np.uint8)
    ours, theirs = packets.copy(), packets.copy()
    fast, slow = seal.open_cipher(_KEY), slow_seal.open_cipher(_KEY)
    arguments = (1 << 33, 77, np.zeros(1, np.int64))
    codes = (
        seal.seal_rows(ours, 3, 1040, fast, *arguments),
        slow_seal.seal_rows(theirs, 3, 1040, slow, *arguments),
    )
    seal.close_cipher(fast)
    slow_seal.close_cipher(slow)
    return codes == (0, 0) and np.array_equal(ours, theirs)
