"""GameStream's shards."""

import numpy as np

from punktfunk.realtime.checks.same import same
from punktfunk.realtime.kernels import pack
from punktfunk.realtime.reference import pack as slow_pack


def agrees(random: np.random.Generator) -> bool:
    """Compare them."""
    blocks = np.zeros((4, 3), np.int64)
    frame = random.integers(0, 256, 5000, dtype=np.uint8)
    packets = random.integers(0, 256, (12, 1040 + 32), dtype=np.uint8)
    agrees = True
    for frame_bytes in (1, 25_000, 900_000, 5_000_000):
        agrees &= same(pack.plan_blocks, slow_pack.plan_blocks, (blocks,), frame_bytes, 1024, 20, 2)
    header = (4000, 1024, 2, 1_234_567)
    agrees &= same(pack.write_frame_header, slow_pack.write_frame_header, (frame,), *header)
    agrees &= same(
        pack.cut_block, slow_pack.cut_block, (packets,), 32, 1024, 6, frame, 100, 4900, 0xFFFFFE, 1
    )
    nonces = np.zeros((12, 16), np.uint8)
    agrees &= same(pack.write_prefixes, slow_pack.write_prefixes, (packets,), 12, 0xFFFFFFFA, 0x1FFFE, nonces)
    return agrees & same(
        pack.finish_block, slow_pack.finish_block, (packets,), 32, 9, 12, 33, 0x301, 1 << 20, 1 << 31, 0x1FFFE
    )
