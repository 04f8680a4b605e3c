"""PortableReceiver over loopback, and against the kernel's receiver, datagram for datagram."""

import random
import select
import socket
import threading
from dataclasses import astuple, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_host import MediaHost
from receiving import LONG_NS, PLAN, SECRETS, linked, seal, until

from punktfunk.errors import LocalProtocolError, PipelineFailed, PunktfunkError
from punktfunk.plan import RealtimePlan
from punktfunk.realtime import bells
from punktfunk.realtime.receive.portable import PortableReceiver
from punktfunk.realtime.receive.reassembly import Reassembly
from punktfunk.wire.native.packet import USER_PROBE, FecScheme

SAME = (
    "packets", "bytes", "media_bytes", "wrong_length", "not_authentic", "replayed", "malformed", "stale",
    "contradicting", "surplus", "no_room", "recovered_shards", "late_shards", "failed_blocks", "frames",
    "dropped_frames", "probe_packets", "probe_bytes", "injected_losses", "datagrams", "slabs_used",
    "newest_index",
)  # fmt: skip


@pytest.fixture(params=[True, False], ids=["eventfd", "sockets"])
def kind_of_bell(request, monkeypatch):
    monkeypatch.setattr(bells, "_HAS_EVENTFD", request.param)


@pytest.fixture
def unconnected():
    """A receiver whose thread does not run."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        made = []

        def make(plan=PLAN, **options):
            made.append(PortableReceiver(plan, client.fileno(), RealtimePlan(), **options))
            return made[-1]

        yield make
        for receiver in made:
            receiver.stop(LONG_NS)


@pytest.mark.usefixtures("kind_of_bell")
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("scheme", FecScheme)
def test_what_the_sender_sends_arrives(secret, scheme):
    changes = {"fec_scheme": int(scheme), "loss_ppm": 20_000, "loss_seed": 7, **SECRETS[secret]}
    with linked(kind=PortableReceiver, **changes) as link:
        frames = [link.carry(size) for size in (1, 0, 1408, 1409, *([150_000] * 6))]
        sent = link.sender.counters()["datagrams"]
        until(lambda: link.receiver.counters()["datagrams"] == sent)
        counters = link.receiver.counters()
    assert [frame.frame_index for frame in frames] == list(range(10))
    assert [frame.pts_ns for frame in frames] == [index * 4_000_000 for index in range(10)]
    assert counters["recovered_shards"] == sum(frame.recovered_count for frame in frames) > 0
    assert counters["datagrams"] == counters["packets"] + counters["injected_losses"]
    assert counters["injected_losses"] > 0
    assert counters["ring_bytes"] == counters["not_authentic"] == 0


@pytest.mark.usefixtures("kind_of_bell")
def test_bells_tell_of_frames_and_stop_wakes_who_waits():
    with linked(kind=PortableReceiver, family=socket.AF_INET6) as link:
        receiver = link.receiver
        assert receiver.pop() is None
        assert receiver.pop(1_000_000) is None
        link.send(b"first")
        assert select.select([receiver.event_fd], [], [], 20)[0]
        receiver.acknowledge()
        assert not select.select([receiver.event_fd], [], [], 0)[0]
        assert receiver.pop().access_unit == b"first"
        got = []
        waiting = threading.Thread(target=lambda: got.append(receiver.pop(LONG_NS)))
        waiting.start()
        receiver.stop(LONG_NS)
        receiver.stop(LONG_NS)
        waiting.join(20)
        assert got == [None]
        assert receiver.failure() is None


def test_flush_forgets_what_waits_and_what_is_begun():
    with linked(kind=PortableReceiver) as link:
        link.carry()
        link.send(b"nobody takes this")
        assert select.select([link.receiver.event_fd], [], [], 20)[0]
        half = MediaHost(FecScheme.GF16, 50, 512, 0)
        half.next_index = 2
        link.host.sendto(seal(half.whole(bytes(2000))[0], 1000), link.client.getsockname())
        until(lambda: link.receiver.counters()["slabs_used"])
        link.receiver.flush()
        until(lambda: link.receiver.counters()["flushes"])
        assert link.receiver.counters()["slabs_used"] == 0
        assert link.carry().frame_index == 2


def test_a_decoder_that_is_away_costs_the_oldest_frames():
    with linked(kind=PortableReceiver, frame_bytes_max=100_000) as link:
        for _ in range(4):
            link.send(bytes(40_000))
        until(lambda: link.receiver.counters()["frames"] == 4)
        until(lambda: link.receiver.counters()["ring_drops"] == 2)
        assert link.receiver.pop().frame_index == 2
        assert link.receiver.counters()["ring_bytes"] < 100_000


def test_a_failure_of_the_thread_is_told(unconnected, monkeypatch):
    receiver = unconnected()
    monkeypatch.setattr(receiver, "_take_some", lambda _bound: 1 // 0)
    receiver.start()
    assert select.select([receiver.failure_fd], [], [], 20)[0]
    with pytest.raises(PipelineFailed, match="pf-receive"):
        receiver.pop(LONG_NS)


def test_probes_are_timed_and_counted_apart(unconnected):
    receiver = unconnected(replace(PLAN, decryption_key=None))
    assert receiver.probe_window_ns() == (0, 0)
    packets = MediaHost(FecScheme.GF16, 50, 512, 20).whole(bytes(2000), USER_PROBE)
    for number, packet in enumerate(packets):
        receiver._take(packet, 100 + number)
    assert receiver.probe_window_ns() == (100, 105)
    receiver.open_probe()
    assert receiver.probe_window_ns() == (0, 0)
    assert receiver.counters()["probe_packets"] == 6
    assert receiver.pop() is None


@given(st.integers(0, 1 << 32), st.sampled_from(list(SECRETS)), st.integers(0, 300_000))
@settings(max_examples=25)
def test_both_receivers_make_the_same_of_anything(seed, secret, loss_ppm):
    source = random.Random(seed)
    plan = replace(PLAN, data_max=6, loss_ppm=loss_ppm, loss_seed=seed, **SECRETS[secret])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        ours = PortableReceiver(plan, client.fileno(), RealtimePlan(), packet_log_rows=64)
        theirs = Reassembly(plan, packet_log_rows=64)
        host = MediaHost(FecScheme.GF16, 6, 512, 50)
        sequence = 0
        for number in range(6):
            for packet in host.whole(source.randbytes(source.choice([0, 700, 9000]))):
                sequence += 1
                datagram = packet if secret == "clear" else seal(packet, sequence, plan)
                if source.random() < 0.1:
                    datagram = source.randbytes(source.choice([0, 8, 40, len(datagram)]))
                for _ in range(source.choice([1, 1, 1, 2])):
                    ours._take(datagram, number)
                    theirs.take([datagram], number)
                frame = theirs.pop()
                mine = ours.pop()
                assert (mine and astuple(mine)) == (frame and astuple(frame))
        counters, expected = ours.counters(), theirs.counters()
        assert {name: counters[name] for name in SAME} == {name: expected[name] for name in SAME}
        rows, following = ours.packets()
        other, also = theirs.packets()
        assert following == also
        assert rows.tolist() == other.tolist()
        ours.stop(LONG_NS)
        theirs.close()


@given(st.lists(st.binary(max_size=80), max_size=20))
@settings(max_examples=30)
def test_noise_is_nothing_to_it(datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for plan in (PLAN, replace(PLAN, decryption_key=None)):
            receiver = PortableReceiver(plan, client.fileno(), RealtimePlan())
            for datagram in datagrams:
                receiver._take(datagram, 0)
            assert receiver.pop() is None
            assert receiver.counters()["slabs_used"] == 0
            receiver.stop(LONG_NS)


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({"shard_bytes_max": 511}, 0),
        ({"data_max": 256, "fec_scheme": 0}, 0),
        ({"salt": b"123"}, 0),
        ({"decryption_key": bytes(32)}, 0),
        ({"loss_ppm": 1_000_001}, 0),
        ({}, 12),
    ],
)
def test_wrong_plans_open_nothing(changes, rows, unconnected):
    with pytest.raises(LocalProtocolError):
        unconnected(replace(PLAN, **changes), packet_log_rows=rows)


def test_a_thread_that_hangs_is_named(unconnected, monkeypatch):
    receiver = unconnected()
    leave = threading.Event()
    monkeypatch.setattr(receiver, "_take_some", lambda _bound: leave.wait(20))
    receiver.start()
    with pytest.raises(PunktfunkError, match="pf-receive did not stop"):
        receiver.stop(1)
    leave.set()
