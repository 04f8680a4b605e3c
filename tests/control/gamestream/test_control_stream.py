"""The control plane against an ENet client on loopback: who is let in, what a message does, how a stream ends."""

import errno
import random
import socket
from contextlib import asynccontextmanager

import pytest
import trio
from stream_client import ControlClient, StreamClient, announcement, make_peer, make_stream

from punktfunk.control.gamestream.control_stream import ControlPlane, send_feedback
from punktfunk.control.gamestream.enet_driver import _now_ns, run_enet
from punktfunk.control.gamestream.rtsp_server import reply_to
from punktfunk.wire.enet import Connected, Disconnected, Host, HostConfig, Received
from punktfunk.wire.gamestream.feedback import HdrMode, TerminationCode, build_feedback
from punktfunk.wire.input import Key, Modifiers


def agreed_stream(address="127.0.0.1", **announced):
    stream = make_stream(peer=make_peer(address=address))
    body = announcement(**announced)
    StreamClient().converse(lambda message: reply_to(stream, message), announced=body)
    return stream


def legacy_stream():
    """A client from before connect data, which has the old control encryption too."""
    return agreed_stream(**{"x-ml-general.featureFlags": 0, "x-ss-general.encryptionEnabled": 0})


def udp():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)  # noqa: FBT003 -- its only argument
    return sock


class Mute:
    """A socket that hears and cannot speak."""

    def __init__(self, sock):
        self._sock = sock

    def sendto(self, _data, _address):
        raise OSError(errno.ENETUNREACH, "made up")

    def __getattr__(self, name):
        return getattr(self._sock, name)


class EnetClient:
    """One connection to the plane, and what came of it."""

    def __init__(self, sock, target):
        self.events = []
        self.sock = sock
        self.target = target
        self.host = Host(HostConfig(accepts=False), random.Random(id(self)).randbytes)
        self.control = ControlClient()
        self.peer = None

    async def start(self, nursery, data):
        self.endpoint = await nursery.start(run_enet, self.host, self.sock, self.events.append)
        self.peer = self.host.connect(self.target, 48, data, _now_ns())
        self.endpoint.flush()
        with trio.fail_after(15):
            await until(lambda: self.of_kind(Connected) or self.of_kind(Disconnected))
        return self

    def of_kind(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def is_in(self):
        return bool(self.of_kind(Connected)) and not self.of_kind(Disconnected)

    def say(self, sealed, channel=0):
        self.endpoint.send(self.peer, channel, sealed)

    def heard(self):
        return [self.control.cipher.open(event.payload)[1] for event in self.of_kind(Received)]


async def until(condition):
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - the clock is virtual
            await trio.sleep(0.01)


@asynccontextmanager
async def running():
    """A plane on a socket, and a way to make clients of it."""
    with udp() as sock:
        plane = ControlPlane()
        machine = Host(HostConfig(), random.Random(1).randbytes, plane.admits)
        sockets = []
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def serve(task_status):
                with scope:
                    await plane.serve(machine, sock, task_status=task_status)

            await nursery.start(serve)

            async def connect(data):
                sockets.append(udp())
                return await EnetClient(sockets[-1], sock.getsockname()).start(nursery, data)

            plane.machine, plane.scope = machine, scope
            yield plane, connect
            nursery.cancel_scope.cancel()
        for each in sockets:
            each.close()


@pytest.mark.trio
async def test_a_client_joins_by_its_connect_data(autojump_clock):
    stream, asked = agreed_stream(), []
    stream.request_idr = lambda: asked.append(1)
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(stream.connect_data)
            assert client.is_in
            assert not stream.connected.is_set()  # nothing proved yet
            client.say(client.control.idr())
            await until(stream.connected.is_set)
            client.say(client.control.message(0x0301, bytes(20)), 1)
            client.say(client.control.key(0x41), 2)
            client.say(client.control.message(0x0999, b"what is this"))
            await until(lambda: stream.counts.control_messages == 4)
            assert stream.counts.bad_messages == 0
            assert len(asked) == stream.counts.idr_requests == 2
            assert list(stream.input._waiting) == [
                Key(0x41, pressed=True, modifiers=Modifiers(0), normalised=False)
            ]
            assert send_feedback(stream, HdrMode(enabled=False))
            await until(lambda: client.of_kind(Received))
            assert client.heard() == [build_feedback(HdrMode(enabled=False))]


@pytest.mark.trio
@pytest.mark.parametrize("wrong", ["data", "early", "ended", "gone"])
async def test_strangers_are_refused(autojump_clock, wrong):
    stream = agreed_stream() if wrong != "early" else make_stream(peer=make_peer(address="127.0.0.1"))
    data = stream.connect_data ^ (wrong == "data")
    async with running() as (plane, connect):
        if wrong == "gone":
            with plane.route(stream):
                pass
            client = await connect(data)
        else:
            with plane.route(stream):
                if wrong == "ended":
                    stream.end("for the test")
                client = await connect(data)
        assert not client.is_in
        assert plane.machine.counters["refused"] == 1
        assert not stream.connected.is_set()


@pytest.mark.trio
@pytest.mark.parametrize(("address", "admitted"), [("127.0.0.1", True), ("192.0.2.7", False)])
async def test_an_old_client_is_known_by_its_address(autojump_clock, address, admitted):
    changes = {"x-ml-general.featureFlags": 0, "x-ss-general.encryptionEnabled": 0}
    stream = agreed_stream(address, **changes)
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(0)
            assert client.is_in is admitted
            if admitted:
                client.control = ControlClient(version2=False)
                client.say(client.control.idr())
                await until(stream.connected.is_set)


@pytest.mark.trio
async def test_a_neighbour_cannot_take_an_old_clients_place(autojump_clock):
    """Behind one address both may connect; only the one whose messages open is the client."""
    stream = legacy_stream()
    async with running() as (plane, connect):
        with plane.route(stream):
            neighbour = await connect(0)
            neighbour.say(ControlClient(bytes(16), version2=False).idr())
            neighbour.say(b"garbage" * 5)
            await until(lambda: stream.counts.bad_messages == 2)
            assert not stream.connected.is_set()
            client = await connect(0)
            client.say(ControlClient(version2=False).idr())
            await until(stream.connected.is_set)
            await until(lambda: not neighbour.is_in)
            assert client.is_in
            assert not stream.ended.is_set()


@pytest.mark.trio
async def test_nobody_joins_twice(autojump_clock):
    stream = agreed_stream()
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(stream.connect_data)
            client.say(client.control.idr())
            await until(stream.connected.is_set)
            assert not (await connect(stream.connect_data)).is_in
            assert client.is_in


@pytest.mark.trio
async def test_replayed_and_forged_messages_change_nothing(autojump_clock):
    stream = agreed_stream()
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(stream.connect_data)
            press = client.control.key(0x41)
            forged = [press, press[:-1] + bytes([press[-1] ^ 1]), press[:20], b"", bytes(2000), press + b"x"]
            forged.append(ControlClient(bytes(16)).key(0x42))
            for sealed in (press, *forged, client.control.key(0x41, down=False)):
                client.say(sealed, 2)
            await until(lambda: stream.counts.control_messages == 2 + len(forged))
            assert stream.counts.bad_messages == len(forged)
            assert stream.input.received_count == 2
            assert client.is_in
            assert not stream.ended.is_set()


@pytest.mark.trio
async def test_a_garbled_message_of_the_client_itself(autojump_clock):
    stream = agreed_stream()
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(stream.connect_data)
            client.say(client.control.message(0x0206, b"\0\0"))
            await until(lambda: stream.counts.bad_messages == 1)
            assert stream.connected.is_set()  # it opened, so it is the client


@pytest.mark.trio
async def test_the_client_is_told_of_the_end(autojump_clock):
    stream = agreed_stream()
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(stream.connect_data)
            client.say(client.control.idr())
            await until(stream.connected.is_set)
            stream.end("for the test", termination_code=TerminationCode.GRACEFUL)
        await until(lambda: client.of_kind(Disconnected))
        assert client.heard() == [bytes.fromhex("0901 0400 80030023")]
        assert plane._peers == {}
        assert not send_feedback(stream, HdrMode(enabled=False))


@pytest.mark.trio
@pytest.mark.parametrize("_again", range(6))  # Trio shuffles what is cancelled at once
async def test_a_host_that_stops_tells_the_client(autojump_clock, _again):
    stream = agreed_stream()
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(stream.connect_data)
            client.say(client.control.idr())
            await until(stream.connected.is_set)
            plane.scope.cancel()
            await until(lambda: client.of_kind(Disconnected))
            assert client.heard() == [bytes.fromhex("0901 0400 80030023")]
            assert stream.end_reason == "the host stopped"
            await trio.sleep(1)
        # Leaving the route finds a driver that has ended, and does not mind.
        plane.forget(stream)


@pytest.mark.trio
async def test_a_client_that_leaves_ends_its_stream(autojump_clock):
    stream = agreed_stream()
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(stream.connect_data)
            client.say(client.control.idr())
            await until(stream.connected.is_set)
            client.endpoint.disconnect(client.peer)
            await until(stream.ended.is_set)
            assert (stream.end_reason, stream.dropped) == ("the client left", False)
            assert stream.end_message is None


@pytest.mark.trio
async def test_a_client_that_falls_silent_ends_its_stream(autojump_clock):
    stream = agreed_stream()
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(stream.connect_data)
            client.say(client.control.idr())
            await until(stream.connected.is_set)
            client.endpoint._sock = Mute(client.endpoint._sock)
            began = trio.current_time()
            await until(stream.ended.is_set)
            assert (stream.end_reason, stream.dropped) == ("the client fell silent", True)
            assert trio.current_time() - began < 21


@pytest.mark.trio
async def test_a_candidate_that_leaves_ends_nothing(autojump_clock):
    stream = agreed_stream()
    async with running() as (plane, connect):
        with plane.route(stream):
            client = await connect(stream.connect_data)
            client.endpoint.disconnect(client.peer)
            await until(lambda: not plane._peers)
            assert not stream.ended.is_set()
            again = await connect(stream.connect_data)
            assert again.is_in
