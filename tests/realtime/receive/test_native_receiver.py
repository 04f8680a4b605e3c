"""VideoReceiver against the host's own sender over loopback, and Reassembly against datagrams that lie."""

import random
import select
import socket
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_host import MediaHost
from receiving import LONG_NS, PLAN, SECRETS, linked, seal, until

from punktfunk.errors import LocalProtocolError, PipelineFailed
from punktfunk.plan import RealtimePlan
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.native_receive import receive_loop, take_group
from punktfunk.realtime.receive.reassembly import Reassembly
from punktfunk.realtime.receive.receiver import VideoReceiver
from punktfunk.wire.native.packet import USER_PROBE, FecScheme
from punktfunk.wire.native.replay import REPLAY_WINDOW, ReplayWindow


def readable(descriptor):
    return bool(select.select([descriptor], [], [], 0)[0])


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("scheme", FecScheme)
def test_what_the_sender_sends_arrives(secret, scheme):
    with linked(fec_scheme=int(scheme), loss_ppm=20_000, loss_seed=7, **SECRETS[secret]) as link:
        frames = [link.carry(size) for size in (1, 0, 1408, 1409, *([150_000] * 12))]
        sent = link.sender.counters()["datagrams"]
        until(lambda: link.receiver.counters()["datagrams"] == sent)  # the last parity comes after its frame
        counters = link.receiver.counters()
    assert [frame.frame_index for frame in frames] == list(range(16))
    assert [frame.pts_ns for frame in frames] == [index * 4_000_000 for index in range(16)]
    assert {frame.user_flags for frame in frames} == {5}
    assert frames[-1].data_count == 107
    assert frames[-1].block_count == 3
    for frame in frames:
        assert 0 < frame.first_ns <= frame.complete_ns
        assert frame.packet_count == frame.data_count
    assert counters["recovered_shards"] == sum(frame.recovered_count for frame in frames) > 0
    assert counters["frames"] == 16
    assert counters["injected_losses"] > 0
    assert counters["datagrams"] == counters["packets"] + counters["injected_losses"]
    assert counters["not_authentic"] == counters["replayed"] == counters["dropped_frames"] == 0


def test_ipv6():
    with linked(family=socket.AF_INET6) as link:
        assert link.carry().frame_index == 0


def test_losses_are_the_same_for_a_seed():
    def lost(seed):
        with linked(loss_ppm=100_000, loss_seed=seed, fec_percent=90) as link:
            return [link.carry().recovered_count for _ in range(4)]

    assert lost(3) == lost(3) != lost(4)


def test_descriptors_tell_of_frames_and_failures():
    with linked() as link:
        receiver = link.receiver
        assert not readable(receiver.event_fd)
        assert receiver.pop() is None
        assert receiver.pop(1_000_000) is None
        link.send(b"first")
        assert select.select([receiver.event_fd], [], [], 20)[0]
        receiver.acknowledge()
        assert not readable(receiver.event_fd)
        assert receiver.pop().access_unit == b"first"
        assert receiver.placement().thread_name == "pf-receive"
        assert not readable(receiver.failure_fd)
        assert receiver.failure() is None
        receiver.stop(LONG_NS)
        receiver.stop(LONG_NS)


def test_a_closed_socket_is_a_failure_that_pop_tells():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        receiver = VideoReceiver(PLAN, client.fileno(), RealtimePlan())
    receiver.start()
    assert select.select([receiver.failure_fd], [], [], 20)[0]
    with pytest.raises(PipelineFailed, match="socket"):
        receiver.pop(LONG_NS)
    assert isinstance(receiver.failure(), PipelineFailed)
    receiver.stop(LONG_NS)


def test_stop_wakes_who_waits_for_a_frame():
    with linked() as link:
        got = []
        waiting = threading.Thread(target=lambda: got.append(link.receiver.pop(LONG_NS)))
        waiting.start()
        link.receiver.stop(LONG_NS)
        waiting.join(20)
        assert got == [None]


def test_flush_forgets_what_waits_and_what_is_begun():
    with linked() as link:
        link.carry()
        link.send(b"nobody takes this")
        assert select.select([link.receiver.event_fd], [], [], 20)[0]
        half = MediaHost(FecScheme.GF16, 50, 512, 0)
        half.next_index = 2
        link.host.sendto(seal(half.whole(bytes(2000))[0], 1000), link.client.getsockname())
        until(lambda: link.receiver.counters()["slabs_used"])
        link.receiver.flush()
        until(lambda: link.receiver.counters()["flushes"])
        counters = link.receiver.counters()
        assert counters["slabs_used"] == 0
        assert link.carry().frame_index == 2
        assert link.receiver.counters()["flushed_frames"] == 2


def test_probe_filler_is_counted_apart():
    host = MediaHost(FecScheme.GF16, 50, 512, 20)
    receiver = Reassembly(PLAN)
    datagrams = [seal(packet, 5 + i) for i, packet in enumerate(host.whole(bytes(2000), USER_PROBE))]
    receiver.take(datagrams[:2], 100)
    receiver.take(datagrams[2:], 300)
    counters = receiver.counters()
    assert receiver.pop() is None
    assert counters["probe_packets"] == counters["packets"] == 6
    assert counters["probe_bytes"] == 6 * (512 + 40)
    assert (counters["probe_first_ns"], counters["probe_last_ns"]) == (100, 300)
    assert (counters["frames"], counters["probe_frames"], counters["newest_index"]) == (0, 1, -1)


@pytest.mark.parametrize("secret", ["aes", "chacha"])
def test_what_is_not_authentic_is_as_good_as_not_sent(secret):
    plan = replace(PLAN, **SECRETS[secret])
    receiver = Reassembly(plan)
    (packet,) = MediaHost(FecScheme.GF16, 50, 512, 0).whole(b"unit")
    good = seal(packet, 9, plan)
    other = bytes(len(plan.decryption_key))
    forged = [seal(packet, 9, plan, other), seal(packet, 9, plan, from_client=True)]
    forged += [good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :] for i in (0, 7, 8, 47, 48, 559, len(good) - 1)]
    forged += [good[:-1], good + b"\0", good[:24]]
    assert receiver.take(forged, 0) == 0
    assert receiver.take([b"", good[:23], bytes(9217), b"PFpunch1"], 0) == 0
    counters = receiver.counters()
    assert (counters["not_authentic"], counters["wrong_length"], counters["packets"]) == (len(forged), 4, 0)
    assert receiver.take([good, good], 0) == 1
    counters = receiver.counters()
    assert (counters["replayed"], counters["packets"], counters["bytes"]) == (1, 1, len(good))
    receiver.close()


def test_a_window_of_sequences():
    (packet,) = MediaHost(FecScheme.GF16, 50, 512, 0).whole(b"unit")
    receiver, model = Reassembly(PLAN), ReplayWindow()
    asked = [100, 80, 80, 99, 100, 262_144, 131_072, 131_073, 131_073, (1 << 63) - 1, 1 << 63, 262_144, 5]
    answers = [replayed(receiver, packet, sequence) for sequence in asked]
    assert answers == [model.accept(sequence) for sequence in asked]
    assert answers == [1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0]


def replayed(receiver, packet, sequence):
    """Whether a datagram with this sequence is let in."""
    before = receiver.counters()["packets"]
    receiver.take([seal(packet, sequence)], 0)
    return receiver.counters()["packets"] - before


@given(st.integers(0, 1 << 32))
@settings(max_examples=30)
def test_windows_agree(seed):
    source = random.Random(seed)
    packet = b"\0" * 40
    receiver, model = Reassembly(PLAN), ReplayWindow()
    sequence = source.choice([0, 5, 1 << 40])
    for _ in range(40):
        step = source.choice([1, 1, 2, 9, 70, 5000, REPLAY_WINDOW - 1, REPLAY_WINDOW, 3 * REPLAY_WINDOW])
        sequence = max(sequence + step * source.choice([1, 1, 1, -1]), 0)
        assert replayed(receiver, packet, sequence) == model.accept(sequence)


@given(st.lists(st.binary(max_size=80), max_size=20))
@settings(max_examples=40)
def test_noise_is_nothing(datagrams):
    for plan in (PLAN, replace(PLAN, decryption_key=None)):
        receiver = Reassembly(plan)
        assert receiver.take(datagrams, 0) == 0
        assert receiver.counters()["slabs_used"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"shard_bytes_max": 511},
        {"shard_bytes_max": 9153},
        {"data_max": 0},
        {"data_max": 256, "fec_scheme": 0},
        {"salt": b"123"},
        {"decryption_key": bytes(32)},
        {"frame_bytes_max": 0},
        {"frame_bytes_max": (64 << 20) + 1},
        {"loss_ppm": 1_000_001},
    ],
)
def test_wrong_plans_are_refused(changes):
    with pytest.raises(LocalProtocolError):
        Reassembly(replace(PLAN, **changes))


def test_a_log_keeps_the_newest_packets():
    host = MediaHost(FecScheme.GF16, 50, 512, 20)
    receiver = Reassembly(PLAN, packet_log_rows=8)
    packets = host.whole(bytes(5000))
    assert len(packets) == 12
    for number, packet in enumerate(packets[:5]):
        receiver.take([seal(packet, 100 + number)], 1000 + number)
    rows, following = receiver.packets()
    assert following == 5
    assert rows[:, 0].tolist() == [100, 101, 102, 103, 104]
    assert rows[:, 1].tolist() == [1000, 1001, 1002, 1003, 1004]
    assert [row[2:7].tobytes() for row in rows] == [packet[:40] for packet in packets[:5]]
    assert set(rows[:, 7].tolist()) == {552}
    receiver.take([seal(packet, 200 + number) for number, packet in enumerate(packets[5:])], 0)
    rows, following = receiver.packets(following)
    assert following == 12
    assert rows[:, 0].tolist() == list(range(200, 207))
    receiver.take([seal(packet, 300 + number) for number, packet in enumerate(packets)], 0)
    rows, following = receiver.packets(following)
    assert rows[:, 0].tolist() == list(range(305, 312))
    assert receiver.packets(following)[0].shape == (0, 8)
    assert Reassembly(PLAN).packets()[1] == 0
    with pytest.raises(LocalProtocolError):
        Reassembly(PLAN, packet_log_rows=12)


@pytest.mark.parametrize("loss_ppm", [0, 1, 250_000, 1_000_000])
def test_losses_are_those_of_the_textbook_generator(loss_ppm):
    receiver = Reassembly(replace(PLAN, decryption_key=None, loss_ppm=loss_ppm, loss_seed=99))
    state, lost = (99 ^ 0x9E3779B97F4A7C15) % (1 << 62), 0
    for packet in [bytes(40)] * 400:
        receiver.take([packet], 0)
        for shift in (13, -7, 17):
            state ^= (state << shift if shift > 0 else state >> -shift) % (1 << 64)
        lost += state % 1_000_000 < loss_ppm
    counters = receiver.counters()
    assert counters["injected_losses"] == lost
    assert counters["packets"] == 400 - lost


def test_a_probe_is_timed_from_its_first_packet_to_its_last():
    host = MediaHost(FecScheme.GF16, 50, 512, 20)
    with linked(decryption_key=None) as link:
        assert link.receiver.probe_window_ns() == (0, 0)
        before = (0, 0)
        for burst in range(1, 3):
            link.receiver.open_probe()
            assert link.receiver.probe_window_ns() == (0, 0)
            for packet in host.whole(bytes(2000), USER_PROBE):
                link.host.sendto(packet, link.client.getsockname())
            wanted = burst * 6
            until(lambda wanted=wanted: link.receiver.counters()["probe_packets"] == wanted)
            first, last = link.receiver.probe_window_ns()
            assert before[1] < first <= last
            before = first, last
        assert link.receiver.counters()["newest_index"] == -1


@pytest.mark.parametrize("shard_bytes", [512, 1388, 8908])
def test_datagrams_that_are_not_glued(shard_bytes):
    with linked(shard_bytes_max=shard_bytes, loss_ppm=20_000) as link:
        link.client.setsockopt(socket.IPPROTO_UDP, 104, 0)
        assert [link.carry(size).frame_index for size in (1, 70_000, 200_000)] == [0, 1, 2]


def test_forgeries_among_what_is_glued():
    """A message of the system's may hold datagrams of anybody: one that is wrong harms none beside it."""
    host = MediaHost(FecScheme.GF16, 50, 512, 20)
    receiver = Reassembly(PLAN)
    source, unit = random.Random(1), bytes(15_000)
    datagrams = [seal(packet, number) for number, packet in enumerate(host.whole(unit))]
    for place in source.sample(range(len(datagrams)), 6):
        datagrams[place] = source.randbytes(len(datagrams[place]))
    stride, completed = len(datagrams[0]), 0
    for first in range(0, len(datagrams), 16):
        group = datagrams[first : first + 16]
        rows = np.frombuffer(bytearray(b"".join(group)), np.uint8)
        completed += take_group(receiver.words, rows, stride, len(group), stride, 0)
    assert completed == 1
    assert receiver.pop().access_unit == unit
    assert receiver.counters()["not_authentic"] == 6


def test_groups_that_do_not_fit_are_refused():
    receiver, rows = Reassembly(PLAN), np.zeros(160, np.uint8)
    for stride, count, last_bytes in (
        (0, 1, 0),
        (16, 17, 16),
        (16, 0, 0),
        (16, 11, 16),
        (16, 2, 17),
        (16, 2, -1),
    ):
        assert take_group(receiver.words, rows, stride, count, last_bytes, 0) == BAD_SIZE
    assert take_group(receiver.words[:8], rows, 16, 1, 16, 0) == BAD_SIZE
    assert receive_loop(receiver.words) == BAD_SIZE


def test_a_flood_of_noise_disturbs_no_frame():
    source = random.Random(2)
    with linked() as link, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        address = link.client.getsockname()
        for _ in range(5):
            for _ in range(60):
                stranger.sendto(source.randbytes(source.choice([0, 7, 24, 600, 1472, 9000, 9300])), address)
            link.carry()
        counters = link.receiver.counters()
        assert counters["frames"] == 5
        assert counters["dropped_frames"] == counters["malformed"] == 0
        until(lambda: link.receiver.counters()["slabs_used"] == 0)
        assert counters["not_authentic"] + counters["wrong_length"] == 300
