import itertools
import os
import select
import socket
import time
from contextlib import contextmanager
from dataclasses import replace

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback_client import nothing_left, open_things

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import AudioPlan, AudioSource
from punktfunk.realtime import AudioLink
from punktfunk.realtime import audio as audio_module
from punktfunk.realtime.audio import MAX_LATE_NS, Cadence
from punktfunk.realtime.capture import sound as sound_module
from punktfunk.realtime.capture.sound import TONE_FREQUENCIES_HZ
from punktfunk.wire.gamestream.audio import (
    PARITY_MATRIX,
    AudioData,
    AudioParity,
    decrypt_payload,
    parity_of,
    parse_audio,
)

JOIN_NS = 3_000_000_000
KEY = bytes(range(16))
IV_ID = 0xFFFFFFF0


def audio_plan(channels=2, duration_ms=5, key=None, source=AudioSource.TONE, *, high_quality=False):
    return AudioPlan(source, channels, high_quality, duration_ms, key, IV_ID)


@pytest.fixture
def sockets():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host,
    ):
        client.bind(("127.0.0.1", 0))
        client.settimeout(10)
        yield client, host


@contextmanager
def running(plan, sockets, *, address=True):
    client, host = sockets
    link = AudioLink(plan, host.fileno())
    try:
        link.start()
        if address:
            link.set_destination(client.getsockname(), socket.AF_INET)
        yield link
    finally:
        link.stop(JOIN_NS)


def receive(client, count):
    return [parse_audio(client.recv(2048)) for _ in range(count)]


@given(st.lists(st.integers(0, 30_000_000), min_size=1, max_size=200))
def test_deadlines_are_absolute(delays_ns):
    cadence, now_ns = Cadence(5_000_000, 1_000), 1_000
    for count, delay_ns in enumerate(delays_ns):
        now_ns = max(now_ns, now_ns + cadence.wait_ns(now_ns)) + delay_ns
        cadence.advance(now_ns)
        if not cadence.restart_count:
            assert now_ns + cadence.wait_ns(now_ns) == 1_000 + (count + 1) * 5_000_000


def test_a_long_standstill_is_not_caught_up():
    cadence = Cadence(5_000_000, 0)
    cadence.advance(10 * MAX_LATE_NS)
    assert cadence.restart_count == 1
    assert cadence.wait_ns(10 * MAX_LATE_NS) == 0


@pytest.mark.parametrize("key", [None, KEY])
def test_packets_parity_and_tone(sockets, key):
    with running(audio_plan(key=key), sockets) as link:
        packets = receive(sockets[0], 6 * 25)
        assert link.failure() is None
    counters = link.counters()  # a packet is counted after it was sent: whole once the thread has ended
    data = [packet for packet in packets if isinstance(packet, AudioData)]
    parity = [packet for packet in packets if isinstance(packet, AudioParity)]
    assert [packet.sequence for packet in data] == list(range(100))
    assert [packet.timestamp_ms for packet in data] == list(range(0, 500, 5))
    assert len({len(packet.payload) for packet in data}) == 1
    for first, second in zip(parity[::2], parity[1::2], strict=True):
        block = [packet.payload for packet in data[first.base_sequence : first.base_sequence + 4]]
        assert (first.parity, second.parity) == parity_of(block)
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "stereo"
    chunks = []
    for packet in data:
        opus = packet.payload if key is None else decrypt_payload(key, IV_ID, packet.sequence, packet.payload)
        chunks += [frame.to_ndarray() for frame in decoder.decode(av.Packet(opus))]
    for channel, frequency_hz in zip(
        np.concatenate(chunks, axis=1)[:, -9600:], TONE_FREQUENCIES_HZ, strict=False
    ):
        assert np.abs(np.fft.rfft(channel)).argmax() * 5 == frequency_hz
    assert counters["audio_packets"] >= 100
    assert counters["audio_send_errors"] == 0


def times(left, right):
    """Multiply in GF(2^8) modulo 0x11D."""
    product = 0
    while right:
        product ^= left if right & 1 else 0
        left = left << 1 ^ (0x11D if left & 0x80 else 0)
        right >>= 1
    return product


def scaled(payload, factor):
    return payload.translate(bytes(times(factor, value) for value in range(256)))


def added(*payloads):
    return bytes(np.bitwise_xor.reduce([np.frombuffer(payload, np.uint8) for payload in payloads]))


def rebuild(data, parity):
    """The four payloads of a block, from any four of its six packets: ``None`` stands for a lost one."""
    lost = [index for index in range(4) if data[index] is None]
    rows = [row for row in range(2) if parity[row] is not None][: len(lost)]
    matrix = [[PARITY_MATRIX[row][index] for index in lost] for row in rows]
    known = [
        added(
            parity[row],
            *(scaled(data[index], PARITY_MATRIX[row][index]) for index in range(4) if index not in lost),
        )
        for row in rows
    ]
    if len(lost) == 2:
        (a, b), (c, d) = matrix
        inverse = next(value for value in range(256) if times(value, times(a, d) ^ times(b, c)) == 1)
        found = [
            scaled(added(scaled(known[0], d), scaled(known[1], b)), inverse),
            scaled(added(scaled(known[0], c), scaled(known[1], a)), inverse),
        ]
    elif lost:
        inverse = next(value for value in range(256) if times(value, matrix[0][0]) == 1)
        found = [scaled(known[0], inverse)]
    else:
        found = []
    return [
        payload if payload is not None else found[lost.index(index)] for index, payload in enumerate(data)
    ]


@pytest.mark.parametrize("key", [None, KEY])
def test_any_two_lost_packets_of_a_block_are_rebuilt(sockets, key):
    with running(audio_plan(key=key), sockets):
        packets = receive(sockets[0], 12)[6:]
    sent, (first, second) = packets[:4], packets[4:]
    assert [packet.sequence for packet in sent] == list(range(first.base_sequence, first.base_sequence + 4))
    assert sent[0].timestamp_ms == first.base_timestamp_ms
    whole = [packet.payload for packet in sent]
    for lost in itertools.combinations(range(6), 2):
        arrived = [
            None if index in lost else shard
            for index, shard in enumerate([*whole, first.parity, second.parity])
        ]
        rebuilt = rebuild(arrived[:4], arrived[4:])
        assert rebuilt == whole
        if key:
            # What makes its IV, the sequence, is known of a lost packet too: from the parity's header.
            index = lost[0] % 4
            assert len(decrypt_payload(key, IV_ID, first.base_sequence + index, rebuilt[index])) == 60


@pytest.mark.parametrize(("channels", "high_quality"), [(6, False), (8, True)])
def test_surround_with_10_ms(sockets, channels, high_quality):
    with running(audio_plan(channels, 10, high_quality=high_quality), sockets):
        packets = receive(sockets[0], 12)
    assert [packet.timestamp_ms for packet in packets if isinstance(packet, AudioData)] == list(
        range(0, 80, 10)
    )


def test_the_cadence_holds(sockets):
    with running(audio_plan(), sockets):
        receive(sockets[0], 30)
        started = time.monotonic()
        receive(sockets[0], 120)
        elapsed = time.monotonic() - started
    # 80 packets of 5 ms. Wide bounds: the machine is shared, but a drift of one interval per packet is not.
    assert 0.25 < elapsed < 0.75


def test_silence_before_somebody_listens_and_nothing_left(sockets):
    AudioLink(audio_plan(), sockets[1].fileno()).stop(JOIN_NS)
    before = open_things()
    with running(audio_plan(source=AudioSource.SILENCE), sockets, address=False) as link:
        sockets[0].settimeout(0.05)
        with pytest.raises(TimeoutError):
            sockets[0].recv(2048)
        assert link.counters()["audio_packets"] == 0
    link.stop(JOIN_NS)
    assert nothing_left(before)
    assert sockets[1].fileno() >= 0
    sockets[1].getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)


def test_a_crash_is_told_by_event(sockets, monkeypatch):
    class Broken:
        def __init__(self, *_):
            self.close = lambda: None

        def next(self):
            raise ValueError("no samples")

    monkeypatch.setattr(sound_module, "Tone", Broken)
    with running(audio_plan(), sockets) as link:
        assert select.select([link.event_fd], [], [], 10)[0]
        assert str(link.failure()) == "pf-audio stopped: no samples"


def test_a_start_that_fails_leaves_nothing(sockets, monkeypatch):
    def refuse(*_):
        raise EnvironmentProblem("no sound server")

    before = open_things()
    monkeypatch.setattr(sound_module, "Tone", refuse)
    with pytest.raises(EnvironmentProblem), running(audio_plan(), sockets):
        pass
    assert nothing_left(before)


def test_unreachable_networks_are_counted_not_fatal(sockets, monkeypatch):
    class Refusing:
        def __init__(self, inner):
            self.inner = inner
            self.family = inner.family
            self.left = 3

        def sendmsg(self, *arguments):
            self.left -= 1
            if self.left >= 0:
                raise OSError(101, "Network is unreachable")
            return self.inner.sendmsg(*arguments)

        def close(self):
            self.inner.close()

    client, host = sockets
    link = AudioLink(audio_plan(), host.fileno())
    link._socket = Refusing(link._socket)
    try:
        link.start()
        link.set_destination(client.getsockname(), socket.AF_INET)
        assert isinstance(receive(client, 1)[0], AudioData)
        assert link.counters()["audio_send_errors"] == 3
    finally:
        link.stop(JOIN_NS)


def test_priority_is_modest_where_allowed(sockets):
    with running(audio_plan(), sockets) as link:
        receive(sockets[0], 2)
        placement = link.placement()
    assert placement.policy in {"SCHED_FIFO", "SCHED_OTHER"}
    if placement.policy == "SCHED_FIFO":
        assert placement.priority == audio_module.AUDIO_PRIORITY
    else:
        assert "SCHED_FIFO" in placement.reason
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize("dscp", [0, 48])
def test_datagrams_carry_the_clients_mark(sockets, dscp):
    client, _ = sockets
    client.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    with running(replace(audio_plan(), dscp=dscp), sockets):
        _, ancillary, _, _ = client.recvmsg(2048, 100)
    assert ancillary == [(socket.IPPROTO_IP, socket.IP_TOS, bytes([dscp << 2]))]
