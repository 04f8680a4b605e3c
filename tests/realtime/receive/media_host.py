"""A host of punktfunk/1 in the test's own hands: units to plain packets, in each of the three ways."""

from functools import cache

import numpy as np

from punktfunk.errors import ErasureCodeError
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.code16 import Code16
from punktfunk.wire.native.blocks import FrameInfo, Geometry, build_packets
from punktfunk.wire.native.packet import (
    FLAG_FIRST_PACKET,
    FLAG_LAST_PACKET,
    FLAG_PICTURE,
    USER_SLICES,
    FecScheme,
    Header,
    build_packet,
)

PTS_NS = 1_790_000_000_123_456_789
CODES = {FecScheme.GF8: Code8, FecScheme.GF16: Code16}


@cache
def code(scheme, shard_bytes):
    return CODES[scheme](100, 100, shard_bytes)


def rows(shards):
    return np.array([np.frombuffer(shard, np.uint8) for shard in shards])


class MediaHost:
    """Makes packets; frame indices and stream sequences go on by themselves."""

    def __init__(self, scheme, data_max, shard_bytes, percent):
        self.scheme = scheme
        self.geometry = Geometry(shard_bytes, data_max, scheme, percent)
        self.percent = percent
        self.next_index = 0
        self.sequence = 0

    def parity(self, data, count):
        made = np.empty((count, len(data[0])), np.uint8)
        code(self.scheme, len(data[0])).encode(rows(data), made)
        return [row.tobytes() for row in made]

    def recover(self, shards, data_count):
        """The model's erasure code."""
        size = len(next(shard for shard in shards if shard is not None))
        present = np.array([shard is not None for shard in shards], np.uint8)
        made = rows([shard or bytes(size) for shard in shards])
        try:
            code(self.scheme, size).decode(made[:data_count], made[data_count:], present)
        except ErasureCodeError:
            return None
        return [row.tobytes() for row in made[:data_count]]

    def whole(self, unit, user_flags=1, pts_ns=None):
        info = FrameInfo(self._pts(pts_ns), self.next_index, self.sequence, user_flags)
        packets = build_packets(unit, self.geometry, self.percent, info, self.parity)
        self.next_index = (self.next_index + 1) % (1 << 32)
        self.sequence += len(packets)
        return packets

    def streamed(self, unit, slices=None, user_flags=1, pts_ns=None):
        """A unit sent in pieces; ``slices`` are data counts of the blocks before the last, else all full."""
        size, most = self.geometry.shard_bytes, self.geometry.data_max
        total = self.geometry.data_count(len(unit))
        data = [unit[i * size : (i + 1) * size].ljust(size, b"\0") for i in range(total)]
        counts = slices if slices is not None else [most] * ((total - 1) // most)
        user_flags |= USER_SLICES if slices is not None else 0
        counts = [*counts, total - sum(counts)]
        packets, base, last = [], 0, len(counts) - 1
        for number, count in enumerate(counts):
            parity_count = self.geometry.parity_count(count, self.percent)
            shards = data[base : base + count]
            shards += self.parity(shards, parity_count) if parity_count else []
            frame_bytes = len(unit) if number == last else base * size * (slices is not None)
            for shard, payload in enumerate(shards):
                flags = FLAG_PICTURE | FLAG_FIRST_PACKET * (not packets)
                flags |= FLAG_LAST_PACKET * (number == last and shard == len(shards) - 1)
                header = Header(
                    self._pts(pts_ns), self.next_index, self.sequence, frame_bytes, user_flags, number,
                    len(counts) if number == last else 0, count, parity_count, shard, size, self.scheme,
                    flags,
                )  # fmt: skip
                packets.append(build_packet(header, payload))
                self.sequence += 1
            base += count
        self.next_index = (self.next_index + 1) % (1 << 32)
        return packets

    def _pts(self, pts_ns):
        return PTS_NS + self.next_index * 4_000_000 if pts_ns is None else pts_ns
