import os
import random
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_stream import PLAN, native, no_parity, plan, variant

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.plan import FrameType, MediaCipher, Pacing
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.code16 import Code16
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.send.frames import PushStatus
from punktfunk.realtime.send.native import NativeSender
from punktfunk.realtime.variants import unpack_numbers
from punktfunk.wire.native.packet import parse_packet

CHACHA = {"cipher": MediaCipher.CHACHA20_POLY1305, "encryption_key": bytes(range(32))}


@pytest.mark.parametrize("secret", [{"encryption_key": None}, {}, CHACHA], ids=["clear", "aes", "chacha"])
@pytest.mark.parametrize(
    ("shard_bytes", "data_max", "scheme", "percent"),
    [
        (512, 40, 1, 20),
        (1388, 12, 1, 50),
        (1408, 4096, 1, 10),
        (8908, 5, 1, 90),
        (514, 3, 1, 0),
        (1408, 20, 0, 20),
    ],
)
def test_datagrams_equal_the_textbook(secret, shard_bytes, data_max, scheme, percent):
    fields = {"shard_bytes": shard_bytes, "data_max": data_max, "fec_scheme": scheme, "fec_percent": percent}
    with native(**fields, **secret) as stream:
        sent = 0
        for index, size in enumerate((1, 0, shard_bytes, shard_bytes + 1, 100_000)):
            frame = os.urandom(size)
            packets = stream.opened(stream.send(frame, user_flags=0x20))
            assert packets == stream.textbook(frame, index, sent, 0x25)
            sent += len(packets)
        assert stream.sender.next_sequence == (0 if stream.plan.encryption_key is None else sent)
        assert stream.sender.next_stream_sequence == sent
        counters = stream.sender.counters()
        assert (counters["frames"], counters["datagrams"], counters["fec_failures"]) == (5, sent, 0)


@pytest.mark.parametrize("percent", [0, 1, 33, 90])
def test_parity_may_change_while_running(percent):
    with native(percent=percent) as stream:
        frame = os.urandom(90_000)
        assert stream.opened(stream.send(frame)) == stream.textbook(frame, 0, 0)
        for wrong in (-1, 91):
            with pytest.raises(LocalProtocolError):
                stream.sender.set_fec_percent(wrong)


def test_a_sender_continues_the_stream_of_another():
    firsts = {
        "first_sequence": 1 << 40,
        "first_stream_sequence": (1 << 32) - 2,
        "first_frame_index": (1 << 32) - 1,
    }
    with native(**firsts) as stream:
        assert stream.sender.next_frame_index == (1 << 32) - 1
        for index in range(2):
            datagrams = stream.send(b"frame", FrameType.IDR if index == 0 else FrameType.PREDICTED)
            headers = [parse_packet(packet)[0] for packet in stream.opened(datagrams)]
            assert {header.frame_index for header in headers} == {((1 << 32) - 1 + index) % (1 << 32)}
            assert {header.user_flags for header in headers} == {5 if index == 0 else 1}
        assert stream.sender.next_sequence == (1 << 40) + 6
        assert stream.sender.next_stream_sequence == (1 << 32) + 4
        assert stream.sender.next_frame_index == (1 << 32) + 1


@given(st.integers(0, 100_000), st.integers(1, 60), st.integers(0, 90), st.sampled_from([512, 1388, 9152]))
@settings(max_examples=50)
def test_every_shape_is_cut_as_the_textbook_says(size, data_max, percent, shard_bytes):
    frame = random.Random(size).randbytes(size)
    with native(1 << 17, percent, data_max=data_max, fec_percent=90, shard_bytes=shard_bytes) as stream:
        stream.sender.swap("fec16", variant("fec16", 1, lambda *_: 0))
        got = [parse_packet(packet) for packet in stream.opened(stream.send(frame))]
        want = [parse_packet(packet) for packet in stream.textbook(frame, 0, 0, parity=no_parity)]
    assert [header for header, _ in got] == [header for header, _ in want]
    data = [packet for packet in got if not packet[0].is_parity]
    assert data == want[: len(data)]
    assert all(header.is_parity for header, _ in got[len(data) :])


@pytest.mark.parametrize("scheme", [0, 1])
def test_lost_datagrams_are_restored(scheme):
    with native(shard_bytes=1408, data_max=50, fec_percent=30, fec_scheme=scheme) as stream:
        frame = os.urandom(100_000)
        packets = stream.opened(stream.send(frame))
    kept = [parse_packet(packet) for packet in random.sample(packets, len(packets))]
    restored = b""
    for block, (data_count, parity_count) in enumerate([(50, 15), (22, 7)]):
        shards = {header.shard_index: payload for header, payload in kept if header.block_index == block}
        shards = dict(list(shards.items())[:data_count])
        rows = np.zeros((data_count + parity_count, 1408), np.uint8)
        for index, payload in shards.items():
            rows[index] = np.frombuffer(payload, np.uint8)
        present = np.array([index in shards for index in range(len(rows))], np.uint8)
        code = (Code16 if scheme else Code8)(data_count, parity_count, 1408)
        assert (
            code.decode(rows[:data_count], rows[data_count:], present)
            == data_count - present[:data_count].sum()
        )
        restored += rows[:data_count].tobytes()
    assert restored[: len(frame)] == frame


@pytest.mark.parametrize(("data_max", "scheme", "welcome"), [(254, 0, 90), (200, 1, 0), (2, 1, 0)])
def test_a_small_block_may_have_more_parity_than_a_full_one(data_max, scheme, welcome):
    with native(1 << 18, 90, data_max=data_max, fec_scheme=scheme, fec_percent=welcome) as stream:
        frame = os.urandom(512 * (data_max + data_max // 3 + 1))
        assert stream.opened(stream.send(frame)) == stream.textbook(frame, 0, 0)
        assert stream.sender.counters()["bare_blocks"] == (1 if welcome == 0 else 0)


def test_frames_before_an_idr_are_dropped():
    with native() as stream:
        assert stream.send(b"early", FrameType.PREDICTED) == []
        assert stream.sender.take_idr_request()
        assert parse_packet(stream.opened(stream.send(b"first"))[0])[0].frame_index == 0
        assert not stream.sender.send_next()


def test_oversize_frames_leave_a_gap():
    with native(capacity_bytes=10_000) as stream:
        stream.send(bytes(10_000))
        assert stream.push(bytes(10_001)).status is PushStatus.OVERSIZE
        assert stream.sender.take_idr_request()
        assert parse_packet(stream.opened(stream.send(b"next"))[0])[0].frame_index == 2


def test_parity_that_cannot_be_computed_is_counted_and_data_arrives():
    with native() as stream:
        stream.sender.swap("fec16", variant("fec16", 7, lambda *_: layout.UNSUPPORTED_SHAPE))
        frame = os.urandom(30_000)
        packets = stream.opened(stream.send(frame))
        want = stream.textbook(frame, 0, 0)
        assert packets == want[: len(packets)]
        assert len(packets) == 59
        assert stream.sender.counters()["fec_failures"] == 2
        stream.sender.swap("fec16", None)
        assert stream.opened(stream.send(frame)) == stream.textbook(frame, 1, 59)


def test_a_seal_that_fails_ends_the_frame_and_asks_for_an_idr():
    with native() as stream:
        stream.sender.swap("seal", variant("seal", 7, lambda *_: -1))
        assert stream.send(b"lost") == []
        assert stream.sender.counters()["seal_failures"] == 1
        assert stream.sender.take_idr_request()
        stream.sender.swap("seal", None)
        (first, *_) = stream.send(b"found")
        assert int.from_bytes(first[:8], "big") == 1  # the number of the failed one is not used again


def test_what_a_variant_is_called_with():
    calls = []

    def note(*arguments):
        calls.append(arguments)
        return arguments[1] if len(arguments) == 5 else 0

    with native(pacing=Pacing.FRAME, data_max=10, fec_percent=20) as stream:
        stream.sender.swap("fec16", variant("fec16", 1, note))
        stream.sender.swap("pace", variant("pace", 2, note))
        assert len(stream.send(bytes(512 * 25))) == 25 + 2 + 2 + 2
        assert len(stream.send(bytes(512 * 70))) == 70 + 7 * 2
        paces = [call for call in calls if len(call) == 5]
        codes = [call for call in calls if len(call) == 8]
    # What is as small as one group leaves at once, its parity too.
    parities = [(first, 84) for first in range(70, 84, 2)]
    assert [call[3:] for call in paces] == [(0, 31), (0, 84), (64, 84), *parities]
    codes = codes[:3]
    assert {call[2] for call in paces} == {16_666_667 * 7 // 8}
    assert [(call[2], *call[5:]) for call in codes] == [
        (512, 10, 2, 512),
        (512, 10, 2, 512),
        (512, 5, 2, 512),
    ]
    assert {call[4] for call in codes} == {512 + 64}
    assert [call[1] - codes[0][1] for call in codes] == [0, 5120, 10240]


def test_frames_record_what_made_them():
    with native() as stream:
        stream.send(bytes(1000))
        stream.sender.swap("pace", variant("pace", 300, lambda *_: 0))
        stream.sender.swap("fec16", variant("fec16", 400, lambda *_: 0))
        stream.send(bytes(2000))
        stream.sender.swap("fec16", None)
        stream.send(bytes(3000))
        rows = stream.sender.latencies()
    assert [unpack_numbers(int(row[layout.LATENCY_VARIANTS])) for row in rows] == [
        {"fec": 0, "seal": 0, "pace": 0},
        {"fec": 400, "seal": 0, "pace": 300},
        {"fec": 0, "seal": 0, "pace": 300},
    ]
    assert rows[:, layout.LATENCY_BYTES].tolist() == [1000, 2000, 3000]
    times = rows[:, : layout.LATENCY_LAST_NS + 1]
    assert (np.diff(times, axis=1) >= 0).all()


def test_kinds_that_a_stream_has_no_use_for():
    own = variant("fec16", 9, lambda *_: 0)
    with native(encryption_key=None) as stream:
        for kind, chosen in (("seal", None), ("fec8", None), ("decode", None), ("pace", own)):
            with pytest.raises(LocalProtocolError):
                stream.sender.swap(kind, chosen)


def test_no_pace_holds_a_frame_for_long():
    with native(pacing=Pacing.FRAME, frame_interval_ns=20_000_000) as stream:
        stream.sender.swap("pace", variant("pace", 9, lambda *_: 1 << 62))
        stream.send(b"held")
        row = stream.sender.latencies()[0]
    spent_ns = row[layout.LATENCY_LAST_NS] - row[layout.LATENCY_FIRST_NS]
    assert 35_000_000 <= spent_ns < 1_000_000_000


def test_stop_ends_a_paced_frame():
    with native(pacing=Pacing.FRAME, frame_interval_ns=10_000_000_000) as stream:
        thread = threading.Thread(target=stream.sender.run)
        thread.start()
        stream.push(os.urandom(100_000))
        stream.client.settimeout(5)
        stream.client.recv(9999)
        stream.sender.stop()
        thread.join(5)
        assert not thread.is_alive()
        # What was sealed but not sent is not used again.
        assert stream.sender.next_sequence >= 113


def test_nothing_is_filled_once_it_is_closed():
    sender = NativeSender(PLAN, 1 << 20, 1 << 16)
    assert sender.fill(1200)
    sender.close()
    assert not sender.fill(1200)


def test_a_closed_socket_is_a_failure_of_the_pipeline():
    sender = NativeSender(PLAN, 1 << 20, 1 << 16)
    sender.set_destination("127.0.0.1", 9)
    sender.push(b"frame", frame_type=FrameType.IDR, captured_ns=0, encoded_ns=0, pts_ns=0)
    with pytest.raises(PipelineFailed, match="socket"):
        sender.send_next()
    sender.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"shard_bytes": 1407},
        {"data_max": 0},
        {"data_max": 256, "fec_scheme": 0},
        {"fec_percent": 91},
        {"salt": b"123"},
        {"encryption_key": bytes(32)},
        {"cipher": MediaCipher.CHACHA20_POLY1305},
    ],
)
def test_wrong_plans_are_refused(changes):
    with pytest.raises(LocalProtocolError):
        NativeSender(plan(**changes), 0, 1 << 16)
    with pytest.raises(LocalProtocolError):
        NativeSender(replace(PLAN, data_max=1), 0, 1 << 26)


def test_a_capped_stream_lets_a_burst_go_and_paces_the_rest():
    interval_ns = 100_000_000
    fields = {
        "pacing": Pacing.CAPPED,
        "pace_bps": 4_000_000,
        "frame_interval_ns": interval_ns,
        "shard_bytes": 1024,
    }
    with native(1 << 18, 0, fec_percent=0, **fields) as stream:
        stream.send(bytes(120_000))  # 16 KiB at once, the rest at 12 Mbit/s: 70 ms
        _, _, first_ns, last_ns = stream.sender.latencies()[0, :4]
        assert last_ns - first_ns > 30_000_000  # 70 ms in theory; late ones catch up
