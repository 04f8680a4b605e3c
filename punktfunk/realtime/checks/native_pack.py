"""punktfunk/1's packets."""

import numpy as np

from punktfunk.realtime.checks.same import same
from punktfunk.realtime.kernels import native_pack
from punktfunk.realtime.reference import native_pack as slow_pack


def agrees(random: np.random.Generator) -> bool:
    """Compare them."""
    packets = random.integers(0, 256, (9, 640), dtype=np.uint8)
    shards = random.integers(0, 256, (20, 512), dtype=np.uint8)
    nonces = np.zeros((9, 16), np.uint8)
    header = np.array([1 << 60, 7, 0xFFFFFFFE, 700_000, 5, 3, 4, 500, 100, 496, 512, 1], np.int64)
    agrees = True
    for counts in ((1, 10, 99), (498, 20, 4916), (4096, 90, 4506)):
        agrees &= native_pack.parity_count(*counts) == slow_pack.parity_count(*counts)
    agrees &= same(native_pack.copy_shards, slow_pack.copy_shards, (packets,), 48, 9, shards, 11)
    agrees &= same(native_pack.write_headers, slow_pack.write_headers, (packets,), 8, 9, header, 591, 600)
    fields = (9, 1 << 40, 0x040302FF)
    agrees &= same(native_pack.write_sequences, slow_pack.write_sequences, (packets,), *fields, nonces)
    ours = np.zeros_like(nonces)
    native_pack.write_sequences(packets.copy(), *fields, ours)
    return agrees and np.array_equal(ours, nonces)
