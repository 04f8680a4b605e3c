"""punktfunk/1's receiver: shuffled packets with losses, against the model of the wire."""

from collections.abc import Sequence

import numpy as np

from punktfunk.plan import MediaCipher, ReceivePlan
from punktfunk.realtime.code16 import Code16
from punktfunk.realtime.receive.reassembly import Reassembly
from punktfunk.wire.native.blocks import FrameInfo, Geometry, build_packets
from punktfunk.wire.native.packet import FecScheme
from punktfunk.wire.native.placing import ReceiveLimits
from punktfunk.wire.native.reassembly import Reassembler

_SHARD_BYTES, _DATA_MAX, _PERCENT, _FRAME_MAX = 512, 6, 50, 20_000
_FRAME_COUNT = 6
_LOSS = 0.15


def agrees(random: np.random.Generator) -> bool:
    """Compare them."""
    plan = ReceivePlan(
        _SHARD_BYTES, _DATA_MAX, FecScheme.GF16, _PERCENT, MediaCipher.AES_128_GCM, None, bytes(4), _FRAME_MAX
    )
    ours = Reassembly(plan)
    theirs = Reassembler(ReceiveLimits(_DATA_MAX, FecScheme.GF16, _SHARD_BYTES, _FRAME_MAX))
    units = [random.bytes(int(size)) for size in random.integers(0, _FRAME_MAX, _FRAME_COUNT)]
    packets = [packet for index, unit in enumerate(units) for packet in _packets(index, unit)]
    kept = random.permutation(len(packets))[: int(len(packets) * (1 - _LOSS))]
    agrees = True
    for place in kept:
        expected = theirs.push(packets[place])
        agrees &= ours.take([packets[place]], 0) == (expected is not None)
        frame = ours.pop()
        if expected is None or frame is None:
            agrees &= expected is None and frame is None
        else:
            agrees &= frame.frame_index == expected.frame_index
            agrees &= frame.access_unit == units[expected.frame_index]
    counters = ours.counters()
    for name in ("recovered_shards", "late_shards", "frames", "surplus", "no_room"):
        agrees &= counters[name] == getattr(theirs.counts, name)
    return agrees


def _packets(index: int, unit: bytes) -> list[bytes]:
    geometry = Geometry(_SHARD_BYTES, _DATA_MAX, FecScheme.GF16, _PERCENT)
    return build_packets(unit, geometry, _PERCENT, FrameInfo(0, index, 0, 1), _parity)


def _parity(data: Sequence[bytes], count: int) -> list[bytes]:
    rows = np.array([np.frombuffer(shard, np.uint8) for shard in data])
    made = np.empty((count, _SHARD_BYTES), np.uint8)
    Code16(len(data), count, _SHARD_BYTES).encode(rows, made)
    return [row.tobytes() for row in made]
