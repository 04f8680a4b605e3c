"""Pipelines of punktfunk/1: what they send, and that another sender or pipeline goes on where one ended."""

import select
import socket
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from stream_helpers import encode_plan

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import (
    Codec,
    MediaCipher,
    Mode,
    NativeSendPlan,
    Pacing,
    PreparedSource,
    RealtimePlan,
    TestcardSource,
    VideoPlan,
)
from punktfunk.realtime import Pipeline
from punktfunk.wire.native.packet import build_nonce, parse_packet, parse_sequence

JOIN_NS = 3_000_000_000
MODE = Mode(640, 360, 120_000)
KEY, SALT = bytes(range(16)), b"\1\2\3\4"
SEND = NativeSendPlan(
    1408,
    4096,
    1,
    10,
    MediaCipher.AES_128_GCM,
    KEY,
    SALT,
    Pacing.CAPPED,
    MODE.frame_interval_ns,
    0,
    20_000_000,
)
UNITS = (b"\0\0\0\1\x65" + bytes(9000), *(bytes([number]) * 3000 for number in range(1, 8)))


def prepared(send=SEND):
    source = PreparedSource(MODE, UNITS)
    return VideoPlan(source, encode_plan(Codec.H264, 3_000_000), send, RealtimePlan(None, 0))


class Client:
    """Opens datagrams and puts frames together; loopback loses nothing."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.host = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.host.setblocking(False)  # noqa: FBT003
        self.sequences, self.headers = [], []

    def close(self):
        self.socket.close()
        self.host.close()

    def packet(self):
        datagram = self.socket.recv(10_000)
        sequence = parse_sequence(datagram)
        text = AESGCM(KEY).decrypt(build_nonce(SALT, sequence), datagram[8:], datagram[:8])
        header, payload = parse_packet(text)
        self.sequences.append(sequence)
        self.headers.append(header)
        return header, payload

    def frame(self, flag=0x01):
        shards = {}
        while True:
            header, payload = self.packet()
            if header.is_parity or not header.user_flags & flag:
                continue
            shards[header.block_index, header.shard_index] = payload
            if len(shards) == header.data_count and header.block_count == 1:
                return header, b"".join(shards[key] for key in sorted(shards))[: header.frame_bytes]


@pytest.fixture
def client():
    client = Client()
    yield client
    client.close()


@contextmanager
def running(plan, client, position=None):
    pipeline = Pipeline(plan, client.host.fileno())
    try:
        pipeline.start(position)
        pipeline.set_destination(client.socket.getsockname(), socket.AF_INET)
        yield pipeline
    finally:
        pipeline.stop(JOIN_NS)


def test_prepared_units_arrive_as_they_are(client):
    with running(prepared(), client) as pipeline:
        frames = [client.frame() for _ in range(12)]
        pipeline.request_idr()
        keys = [client.frame()[0].user_flags for _ in range(9)]
    counters = pipeline.counters()  # of when the threads have ended
    assert [data for _, data in frames[:8]] == list(UNITS)
    assert [header.frame_index for header, _ in frames] == list(range(12))
    assert [header.user_flags for header, _ in frames] == [5, *[1] * 7, 5, *[1] * 3]
    assert 5 in keys
    assert counters["encoded_frames"] >= 20
    assert counters["ring_drops"] == 0
    assert abs(frames[0][0].pts_ns - time.time_ns()) < 60_000_000_000


def test_a_pipeline_goes_on_where_another_ended(client):
    with running(prepared(), client) as first:
        for _ in range(5):
            client.frame()
    while select.select([client.socket], [], [], 0)[0]:
        client.packet()  # what left before the end
    position = first.position
    assert position.frame_index == client.headers[-1].frame_index + 1
    with running(prepared(), client, position) as second:
        header, data = client.frame()
    assert (header.frame_index, header.user_flags, data) == (position.frame_index, 5, UNITS[0])
    # The frame that the end cut short may have used numbers up that never left.
    assert client.sequences == sorted(set(client.sequences))
    assert [header.stream_sequence for header in client.headers] == client.sequences
    assert second.position.sequence > position.sequence


def test_what_waits_leaves_before_a_successor_begins(client):
    with running(prepared(), client) as first:
        for _ in range(5):
            client.frame()
        first.wind_down()
    with running(prepared(), client, first.position):
        while client.headers[-1].frame_index < first.position.frame_index:
            client.packet()
    assert client.sequences == list(range(len(client.sequences)))
    assert sorted({header.frame_index for header in client.headers}) == list(
        range(first.position.frame_index + 1)
    )
    assert first.failure() is None


def test_a_prepared_successor_has_its_first_picture_already(client):
    source = TestcardSource(MODE)
    plan = VideoPlan(source, encode_plan(Codec.H264, 3_000_000), SEND, RealtimePlan(None, 0))
    pipeline = Pipeline(plan, client.host.fileno())
    try:
        pipeline.prepare(3_000_000_000)
        assert pipeline.counters()["captured_frames"] > 0
        pipeline.start()
        pipeline.set_destination(client.socket.getsockname(), socket.AF_INET)
        assert client.frame()[0].user_flags == 5
    finally:
        pipeline.stop(JOIN_NS)


def test_another_shard_size_takes_effect_between_units(client):
    with running(prepared(), client) as pipeline:
        client.frame()
        pipeline.change_send(replace(SEND, shard_bytes=4000))
        shards = [client.frame()[0] for _ in range(20)]
        before = pipeline.counters()["frames"]
    sizes = [header.shard_bytes for header in shards]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 4000
    assert [header.frame_index for header in shards] == list(range(1, 21))
    assert client.sequences == list(range(len(client.sequences)))
    assert before >= 20


def test_filler_has_a_space_of_its_own(client):
    with running(prepared(), client) as pipeline:
        for _ in range(3):
            assert pipeline.fill(3000)
        fillers = [client.frame(0x08) for _ in range(3)]
        client.frame()
    assert [(h.frame_index, h.user_flags, h.pts_ns, h.parity_count) for h, _ in fillers] == [
        (index, 8, 0, 0) for index in range(3)
    ]
    assert fillers[0][1] == bytes(3000)
    assert pipeline.counters()["filler_datagrams"] == 9
    assert pipeline.position.filler_index == 3
    assert client.sequences == list(range(len(client.sequences)))
    video = sorted({header.frame_index for header in client.headers if header.user_flags != 8})
    assert video == list(range(len(video)))


def test_what_left_is_told_with_its_times(client):
    with running(prepared(), client) as pipeline:
        stamps = [client.frame()[0].pts_ns for _ in range(4)]
        assert select.select([pipeline.sent_fd], [], [], 5)[0]
        sent = pipeline.sent_frames()
        assert [frame.pts_ns for frame in sent][:3] == stamps[:3]
        for frame in sent:
            assert frame.captured_ns <= frame.begun_ns <= frame.encoded_ns <= frame.last_ns
            assert frame.datagram_count >= 3
        later = pipeline.sent_frames()
        assert not {frame.pts_ns for frame in later} & {frame.pts_ns for frame in sent}
    assert pipeline.sent_frames() == []


def test_a_real_encoder_marks_repeats_and_begins_with_a_key_frame(client):
    source = TestcardSource(MODE)
    plan = VideoPlan(source, encode_plan(Codec.H264, 3_000_000), SEND, RealtimePlan(None, 0))
    with running(plan, client) as pipeline:
        headers = [client.frame()[0] for _ in range(5)]
        with pytest.raises(LocalProtocolError):
            Pipeline(plan, client.host.fileno()).change_send(SEND)
        assert pipeline.sent_fd >= 0
    assert [header.user_flags for header in headers] == [5, 1, 1, 1, 1]
