"""Floods beside a connected client, and failures that must stay with the peer that caused them."""

import random
import socket

import pytest
import trio
from aioquic.tls import Epoch
from quic_pair import client_config, echo, serving
from quic_world import first_packet

from punktfunk.control.quic import connect_quic
from punktfunk.control.sockets import has_ipv6


@pytest.mark.trio
async def test_a_connected_client_does_not_notice_floods(autojump_clock):
    chance = random.Random(5)
    hellos = [first_packet() for _ in range(40)]
    async with serving(echo) as host, connect_quic("127.0.0.1", host.port, client_config()) as client:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for number in range(40):
                for _ in range(20):
                    stranger.sendto(chance.randbytes(chance.randrange(1, 1400)), ("127.0.0.1", host.port))
                stranger.sendto(hellos[number], ("127.0.0.1", host.port))
                client.send_datagram(bytes([number]))
                assert await client.receive_datagrams() == [bytes([number])]
        counters = host.server.endpoint.counters
        assert counters["strangers_too_fast"] + counters["malformed"] + counters["unknown_connection"] > 400
        assert host.server.connection_count < 30
        assert client.closed_reason is None


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
@pytest.mark.trio
async def test_a_full_common_socket_loses_no_packet_of_a_connected_client(autojump_clock, address):
    if ":" in address and not has_ipv6():
        pytest.skip("no IPv6 here")
    async with (
        serving(echo, addresses=(address,)) as host,
        connect_quic("127.0.0.1", host.port, client_config()) as client,
    ):
        await trio.sleep(0.1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for number in range(5):
                for _ in range(4000):  # more than any receive buffer holds
                    stranger.sendto(bytes(1200), ("127.0.0.1", host.port))
                client.send_datagram(bytes([number]))
                client.link.flush()
                assert await client.receive_datagrams() == [bytes([number])]
        assert not [name for name in host.server.endpoint.counters if name.startswith("lane")]
        assert host.server.endpoint.counters["unknown_connection"] < 20_000  # so the buffer was full


@pytest.mark.trio
async def test_there_are_only_so_many_sockets_of_their_own(autojump_clock):
    config = client_config()
    async with (
        serving(echo, lanes_max=1) as host,
        connect_quic("127.0.0.1", host.port, config) as one,
        connect_quic("127.0.0.1", host.port, config) as two,
    ):
        for client in (one, two):
            client.send_datagram(b"x")
            assert await client.receive_datagrams() == [b"x"]
        assert host.server._lane_count == 1
        one.close()
        two.close()
        await trio.sleep(3)
        assert host.server._lane_count == 0


@pytest.mark.trio
async def test_forged_packets_of_a_live_connection_are_ignored(autojump_clock):
    async with serving(echo) as host, connect_quic("127.0.0.1", host.port, client_config()) as client:
        routes = list(host.server.endpoint.routes)
        chance = random.Random(6)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for cid in routes * 10:
                stranger.sendto(b"\x40" + cid + chance.randbytes(40), ("127.0.0.1", host.port))
                stranger.sendto(
                    b"\xe0\0\0\0\1\x08" + cid + b"\x08" + bytes(8) + b"\x40\x20" + bytes(60),
                    ("127.0.0.1", host.port),
                )
        client.send_datagram(b"x")
        assert await client.receive_datagrams() == [b"x"]
        assert host.connections[0].remote_address == client.local_address


def fail(*_arguments, **_options):
    raise KeyError


@pytest.mark.parametrize("where", ["_QuicConnection__frame_handlers", "datagrams_to_send", "handle_timer"])
@pytest.mark.trio
async def test_a_failure_inside_aioquic_ends_that_connection_alone(autojump_clock, monkeypatch, where):
    config = client_config()
    async with (
        serving(echo) as host,
        connect_quic("127.0.0.1", host.port, config) as one,
        connect_quic("127.0.0.1", host.port, config) as two,
    ):
        await trio.sleep(0.1)
        core = host.connections[0].link.core
        if where == "_QuicConnection__frame_handlers":
            frames = dict.fromkeys(getattr(core, where), (fail, frozenset(Epoch)))
            monkeypatch.setattr(core, where, frames)
        else:
            monkeypatch.setattr(core, where, fail)
        one.send_datagram(b"x")
        reason = await one.wait_closed()
        if where == "_QuicConnection__frame_handlers":
            assert (reason.code, reason.by_peer, reason.text) == (1, True, "cannot process a packet")
        else:
            assert reason.timed_out
            assert host.connections[0].closed_reason.text == "given up"
        two.send_datagram(b"x")
        assert await two.receive_datagrams() == [b"x"]


@pytest.mark.trio
async def test_a_failure_outside_the_authentic_part_drops_the_packet(autojump_clock, monkeypatch):
    async with serving(echo) as host, connect_quic("127.0.0.1", host.port, client_config()) as client:
        await trio.sleep(0.1)
        core = host.connections[0].link.core
        with monkeypatch.context() as broken:
            broken.setattr(core, "_find_network_path", fail)
            client.send_datagram(b"x")
            await trio.sleep(0.01)
        client.send_datagram(b"y")
        assert await client.receive_datagrams() == [b"y"]


@pytest.mark.trio
async def test_a_replayed_handshake_changes_nothing(autojump_clock):
    async with serving(echo) as host:
        seen = []
        usual = host.server.endpoint._link_of

        def keep(datagram):
            seen.append(datagram)
            return usual(datagram)

        host.server.endpoint._link_of = keep
        async with connect_quic("127.0.0.1", host.port, client_config()) as client:
            await trio.sleep(3)
            for datagram in [one for one in seen if one.data[0] & 0x80]:
                for path in (datagram.path, datagram.path._replace(port=9)):
                    link = usual(datagram._replace(path=path))
                    if link is not None:
                        link.settle()
            client.send_datagram(b"x")
            assert await client.receive_datagrams() == [b"x"]
        assert host.server.connection_count <= 2
