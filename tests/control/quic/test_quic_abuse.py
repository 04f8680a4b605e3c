"""Strangers at the listener: noise, forged and truncated packets, floods of handshakes, with a client connected."""

import random
import socket

import pytest
import trio
from aioquic.quic.packet import QuicPacketType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quic_pair import client_config, echo, host_config, serving
from quic_world import FIRST, PATH, World, first_packet

from punktfunk.control.quic import connect_quic
from punktfunk.control.quic.admission import BURST_COUNT, Admission, Bucket
from punktfunk.control.quic.config import build_configuration
from punktfunk.control.quic.core import Core, parse_header


@pytest.fixture
def make_world(monkeypatch):
    made = []

    def make(**changes):
        made.append(World(**changes))
        monkeypatch.setattr(trio, "current_time", lambda: made[-1].now_s)
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def world(make_world):
    return make_world()


def broken(packet, seed):
    chance = random.Random(seed)
    data = bytearray(packet)
    kind = chance.randrange(5)
    if kind == 0:
        del data[chance.randrange(len(data)) :]
    elif kind == 1:
        for _ in range(chance.randrange(1, 8)):
            data[chance.randrange(60)] ^= 1 << chance.randrange(8)
    elif kind == 2:
        data += chance.randbytes(chance.randrange(1, 2000))
    elif kind == 3:
        data = bytearray(chance.randbytes(chance.randrange(1, 1500)))
    else:
        data = bytearray([0xC0 | chance.randrange(64)]) + b"\0\0\0\1" + chance.randbytes(1300)
    return bytes(data)


def test_no_datagram_disturbs_the_listener(world):
    for seed in range(600):
        world.now_s += 0.05
        world.give(broken(FIRST, seed))
    counters = world.server.endpoint.counters
    assert counters["malformed"] > 200
    assert len(world.server.admission) < 64
    assert len(world.server.endpoint.routes) < 200


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=1500))
def test_any_bytes_are_a_header_or_none(data):
    header = parse_header(data)
    assert header is None or len(header.destination_cid) <= 20


def test_every_truncation_of_a_first_packet_is_dropped(world):
    for length in range(1, len(FIRST), 7):
        world.now_s += 0.01
        world.give(FIRST[:length])
    assert len(world.server.admission) == 0
    assert world.sent == []


def test_only_so_many_strangers_are_looked_at(world):
    for _ in range(1000):
        world.give(FIRST[:1100])
    counters = world.server.endpoint.counters
    assert counters["strangers_too_fast"] == 1000 - 64
    world.now_s += 1
    world.give(FIRST)
    assert len(world.server.admission) == 1


def test_an_answer_is_never_much_larger_than_the_question(world):
    world.give(FIRST)
    assert 0 < sum(len(data) for data, _ in world.sent) <= 3 * len(FIRST)


def test_other_versions_are_told_ours(world):
    other = bytearray(FIRST)
    other[1:5] = b"\x0a\x0a\x0a\x0a"
    world.give(bytes(other))
    ((answer, _),) = world.sent
    header = parse_header(answer)
    assert header.packet_type is QuicPacketType.VERSION_NEGOTIATION
    assert header.supported_versions == [1]
    world.give(bytes(other[:1100]))
    world.give(answer + bytes(1200))
    assert len(world.sent) == 1


def test_with_many_unfinished_handshakes_an_address_must_be_proved(world):
    for number in range(40):
        world.now_s += 1
        world.give(first_packet(), PATH._replace(host=f"192.0.2.{number}"))
    retries = [data for data, _ in world.sent if parse_header(data).packet_type is QuicPacketType.RETRY]
    assert len(retries) == 40 - 16
    assert all(len(data) < 200 for data in retries)
    assert len(world.server.admission) == 16


def test_a_forged_token_is_refused(world):
    for number in range(17):
        world.now_s += 1
        world.give(first_packet(), PATH._replace(host=f"192.0.2.{number}"))
    retry = parse_header(world.sent[-1][0])
    assert retry.packet_type is QuicPacketType.RETRY
    config = client_config()
    core = Core(config, build_configuration(config, is_client=True))
    core.connect(PATH, 0.0)
    core._peer_token = retry.token
    core._peer_cid.cid = retry.source_cid
    proved = core.datagrams_to_send(0.0)[0][0]
    world.give(proved, PATH._replace(host="192.0.2.99"))
    assert world.server.endpoint.counters["bad_token"] == 1
    assert len(world.server.admission) == 16


def test_handshakes_have_a_rate_for_each_address_and_for_all(world):
    for _ in range(30):
        world.give(first_packet())
    assert len(world.server.admission) == BURST_COUNT // 2 + 1  # from then on it must prove its address
    admission = Admission(host_config())
    assert sum(admission.may_handshake("192.0.2.1", 5.0) for _ in range(50)) == BURST_COUNT
    admission = Admission(host_config(handshakes_per_s=60))
    begun = 0
    for step in range(1000):
        begun += admission.may_handshake("192.0.2.1", 5 + step / 100)
    assert 300 <= begun <= 310  # half of everybody's 60
    assert admission.may_handshake("192.0.2.2", 15.0)
    for number in range(3000):
        admission.may_handshake(f"2001:db8:{number:x}::1", 15.0)
    assert len(admission._handshakes_of) <= 1024


def test_the_oldest_unfinished_handshake_makes_room(make_world):
    world = make_world(handshakes_max=3, retry_above=100, connections_max=5, connections_per_address_max=2)
    for number in range(3):
        world.now_s += 1
        world.give(first_packet(), PATH._replace(host=f"192.0.2.{number}"))
    links = world.server.admission.links()
    world.now_s += 1
    world.give(first_packet(), PATH._replace(host="192.0.2.2"))
    assert links[0].ended.is_set()
    assert len(world.server.admission) == 3
    world.now_s += 1
    world.give(first_packet(), PATH._replace(host="192.0.2.2"))  # its own oldest goes first
    assert links[2].ended.is_set()
    assert not links[1].ended.is_set()


def test_a_bucket_fills_again():
    bucket = Bucket(10, 2)
    assert [bucket.take(1.0) for _ in range(3)] == [True, True, False]
    assert bucket.take(1.1)
    assert not bucket.take(1.1)
    assert bucket.level(100.0) == 2


@pytest.mark.trio
async def test_a_client_comes_through_where_proof_is_asked(autojump_clock):
    async with serving(echo, retry_above=0) as host:
        async with connect_quic("127.0.0.1", host.port, client_config()) as client:
            client.send_datagram(b"proved")
            assert await client.receive_datagrams() == [b"proved"]
        assert host.server.endpoint.counters["retry"] == 1


@pytest.mark.trio
async def test_an_unfinished_handshake_is_forgotten(autojump_clock):
    async with serving() as host:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(first_packet(), ("127.0.0.1", host.port))
            await trio.sleep(0.1)
            assert host.server.connection_count == 1
            await trio.sleep(11)
            assert host.server.connection_count == 0
            assert host.server.endpoint.routes == {}
