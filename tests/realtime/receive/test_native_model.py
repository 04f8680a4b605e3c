"""The kernels against ``wire.native.reassembly``: the same packets, the same frames and the same counts."""

import random
import struct
from dataclasses import asdict, astuple, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_host import MediaHost

from punktfunk.plan import MediaCipher, ReceivePlan
from punktfunk.realtime.receive.reassembly import Reassembly
from punktfunk.wire.native.packet import USER_PROBE, FecScheme
from punktfunk.wire.native.placing import ReceiveLimits
from punktfunk.wire.native.reassembly import Reassembler

FRAME_MAX = 60_000
PLAN = ReceivePlan(1024, 6, 1, 50, MediaCipher.AES_128_GCM, None, bytes(4), FRAME_MAX)
MODES = ("whole", "streamed", "slices")
# Offset and format of what a liar would change.
FIELDS = [
    (0, "<Q"), (8, "<I"), (16, "<I"), (20, "<I"), (24, "<H"), (26, "<H"), (28, "<H"), (30, "<H"), (32, "<H"),
    (34, "<H"), (36, "B"), (38, "B"),
]  # fmt: skip


class Both:
    """A model and a receiver that get the same packets."""

    def __init__(self, scheme=FecScheme.GF16, data_max=6, shard_bytes=512, percent=50, plan=PLAN):
        self.host = MediaHost(scheme, data_max, shard_bytes, percent)
        plan = replace(plan, fec_scheme=int(scheme), data_max=data_max)
        limits = ReceiveLimits(data_max, scheme, plan.shard_bytes_max, plan.frame_bytes_max)
        self.model = Reassembler(limits, self.host.recover)
        self.receiver = Reassembly(plan)

    def push(self, packets, now_ns=0):
        """Both take packets; the frames, which must be the same."""
        units = []
        for packet in packets:
            unit = self.model.push(packet, now_ns)
            assert self.receiver.take([packet], now_ns) == (unit is not None)
            frame = self.receiver.pop()
            assert (frame and astuple(frame)) == (unit and tuple(unit))
            units += [unit] if unit else []
        return units

    def agree(self):
        counters = self.receiver.counters()
        counts = asdict(self.model.counts)
        assert {name: counters[name] for name in counts} == counts
        assert counters["slabs_used"] == self.model.slabs.used_count
        assert counters["newest_index"] == self.model.newest_index
        return counters


def make(host, mode, size, user_flags, source):
    unit = source.randbytes(size)
    if mode == "whole":
        return unit, host.whole(unit, user_flags)
    if mode == "streamed":
        return unit, host.streamed(unit, None, user_flags)
    total, cuts = host.geometry.data_count(size), []
    while total - sum(cuts) > host.geometry.data_max or (total - sum(cuts) > 1 and source.random() < 0.4):
        cuts.append(source.randint(1, min(host.geometry.data_max, total - sum(cuts) - 1)))
    return unit, host.streamed(unit, cuts, user_flags)


@pytest.mark.parametrize("scheme", FecScheme)
@pytest.mark.parametrize("mode", MODES)
@given(st.integers(0, 1 << 32), st.sampled_from([512, 514, 1000]), st.sampled_from([0, 20, 90]))
@settings(max_examples=20)
def test_what_is_sent_arrives(mode, scheme, seed, shard_bytes, percent):
    source = random.Random(seed)
    both = Both(scheme, source.choice([1, 3, 6, 40]), shard_bytes, percent)
    for _ in range(3):
        unit, packets = make(both.host, mode, source.choice([0, 1, 511, 512, 20_000]), 5, source)
        source.shuffle(packets)
        (got,) = both.push(packets)
        assert got.data == unit
    assert both.agree()["slabs_used"] == 0


@pytest.mark.parametrize("scheme", FecScheme)
@given(st.integers(0, 1 << 32), st.integers(0, 60), st.integers(0, 30))
@settings(max_examples=30)
def test_losses_reordering_duplicates_and_lies(scheme, seed, loss_percent, lie_percent):
    source = random.Random(seed)
    both = Both(scheme, source.choice([1, 4, 6]), percent=source.choice([0, 50, 90]))
    both.host.next_index = source.choice([0, (1 << 32) - 10])
    waiting = []
    for number in range(16):
        user_flags = source.choice([1, 1, 1, 5, USER_PROBE])
        size = source.choice([0, 700, 5000, 20_000, 59_000])
        waiting += make(both.host, source.choice(MODES), size, user_flags, source)[1]
        packets = []
        for packet in waiting:
            fate = source.randrange(100)
            if fate < loss_percent:
                continue
            packets += [lied(packet, source)] if source.randrange(100) < lie_percent else [packet]
            packets += [packet] * (fate >= 95)
        held = int(len(packets) * source.choice([0, 0, 0.3]))
        disorder(packets, source)
        waiting = packets[len(packets) - held :]
        both.push(packets[: len(packets) - held], number)
        if source.random() < 0.05:
            both.model.flush()
            both.receiver.flush()
    both.push(waiting)
    both.agree()


def disorder(packets, source):
    """Let packets come as much as twenty places late."""
    places = sorted((place + source.choice([0, 0, 0, 20]), place) for place in range(len(packets)))
    packets[:] = [packets[place] for _, place in places]


def lied(packet, source):
    offset, kind = source.choice(FIELDS)
    most = (1 << 8 * struct.calcsize(kind)) - 1
    (honest,) = struct.unpack_from(kind, packet, offset)
    value = source.choice([0, 1, most, honest + 1, honest - 1, honest ^ 0x80, source.randint(0, most)])
    changed = bytearray(packet)
    struct.pack_into(kind, changed, offset, value & most)
    return bytes(changed[: source.choice([len(changed), len(changed), 40, max(40, len(changed) - 1)])])
