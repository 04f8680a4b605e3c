"""Variants that change while frames are sent: each frame is made by one set, and says which."""

import gc
import os

import numpy as np
import pytest
from native_stream import variant
from sender_stream import streaming

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import FrameType, Pacing
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.send.choice import Choice, Default
from punktfunk.realtime.variants import Variant, unpack_numbers
from punktfunk.wire.gamestream.video import BlockPlan, parse_datagram, plan_blocks

KEY = bytes(range(16))


def numbers(row):
    return unpack_numbers(int(row[layout.LATENCY_VARIANTS]))


def test_a_frame_is_made_by_one_set_however_often_it_changes():
    calls = {}

    def pacer(number):
        def pace(_context, start_ns, *_):
            calls.setdefault(start_ns, set()).add(number)
            return start_ns

        return variant("pace", number, pace)

    pacers = [pacer(number) for number in (1, 2, 3)]
    with streaming(pacing=Pacing.FRAME, interval_ns=1_000_000) as stream:
        stream.push(b"first")
        for turn in range(120):
            stream.sender.swap("pace", pacers[turn % 3])
            stream.push(os.urandom(120_000), FrameType.PREDICTED)
            stream.sender.swap("pace", pacers[(turn + 1) % 3])
            if turn % 4 == 0:
                stream.wait_for("frames", 1 + turn - stream.sender.counters()["ring_drops"])
        stream.wait_for("frames", 121 - stream.sender.counters()["ring_drops"])
        counters, rows = stream.sender.counters(), stream.sender.latencies()
    assert len(rows) == counters["frames"] == 121 - counters["ring_drops"]
    made_by = {int(row[layout.LATENCY_FIRST_NS]): numbers(row)["pace"] for row in rows}
    assert calls
    for start_ns, seen in calls.items():
        assert seen == {made_by[start_ns]}
    assert set(made_by.values()) >= {1, 2, 3}


def test_gamestream_frames_are_sealed_and_protected_by_what_was_chosen():
    seen = []

    def note(*arguments):
        seen.append(arguments)
        return 0

    frame = os.urandom(40_000)
    plan = plan_blocks(len(frame), 992, 20, 2)
    assert isinstance(plan, BlockPlan)
    (block,) = plan.blocks
    with streaming(992, key=KEY) as stream:
        stream.push(frame)
        stream.receive(plan.shard_count)
        stream.wait_for("frames", 1)
        stream.sender.swap("fec8", variant("fec8", 11, note))
        stream.sender.swap("seal", variant("seal", 12, note))
        stream.push(frame)
        got = stream.receive(plan.shard_count)
        stream.wait_for("frames", 2)
        assert [numbers(row) for row in stream.sender.latencies()] == [
            {"fec": 0, "seal": 0, "pace": 0},
            {"fec": 11, "seal": 12, "pace": 0},
        ]
        assert stream.sender.latencies()[:, layout.LATENCY_BYTES].tolist() == [40_000, 40_000]
    code, *seals = seen
    assert code[2:] == (1040, code[1] + block.data_count * 1040, 1040, *block[:2], 1008)
    assert sum(call[3] for call in seals) == plan.shard_count
    assert {call[4:8] for call in seals} == {(32, 1008, 16, 0)}
    # Nothing was sealed, so a client would see the shards where the ciphertext should be.
    assert [parse_datagram(datagram[32:]).shard_index for datagram in got] == list(range(plan.shard_count))


def test_parity_that_cannot_be_computed_sends_nothing_and_asks_for_an_idr():
    with streaming() as stream:
        stream.sender.take_idr_request()
        stream.sender.swap("fec8", variant("fec8", 11, lambda *_: layout.BAD_SIZE))
        stream.push(b"lost")
        stream.wait_for("fec_failures", 1)
        assert stream.sender.take_idr_request()
        stream.sender.swap("fec8", None)
        stream.push(b"found")
        shard = parse_datagram(stream.receive(1)[0])
        assert (shard.frame_index, shard.sequence) == (2, 3)


def test_contexts_live_as_long_as_the_choice():
    words = np.zeros(layout.SENDER_WORD_COUNT, np.int64)
    choice = Choice(words, {"fec8": Default(5, 0), "pace": Default(6, 7)})
    made = []

    def prepare():
        made.append(np.arange(4))
        return (77, made[-1])

    own = Variant("pace", "own", 300, 8, wants_own_context=True, prepare=prepare)
    published = []
    for _ in range(3):
        choice.swap("pace", own)
        published.append(int(words[layout.WORD_VARIANTS]))
        choice.swap("pace", None)
        published.append(int(words[layout.WORD_VARIANTS]))
    gc.collect()
    assert len(made) == 1  # prepared once for this stream, however often it is chosen
    assert len(set(published)) == 6
    for place, address in enumerate(published):
        row = np.ctypeslib.as_array(
            (np.ctypeslib.ctypes.c_int64 * layout.VARIANT_WORD_COUNT).from_address(address)
        )
        assert row[:3].tolist() == [5, 0, 0]
        if place % 2:
            assert row[layout.VARIANT_PACE : layout.VARIANT_PACE + 3].tolist() == [6, 7, 0]
        else:
            assert row[layout.VARIANT_PACE] == 8
            assert row[layout.VARIANT_PACE_ID] == 300


def test_kinds_that_a_stream_has_no_use_for():
    with streaming() as stream:
        for kind in ("seal", "fec16", "decode", "colour"):
            with pytest.raises(LocalProtocolError, match="it has fec8, pace"):
                stream.sender.swap(kind, None)
        with pytest.raises(LocalProtocolError, match="not of pace"):
            stream.sender.swap("pace", variant("fec8", 1, lambda *_: 0))
