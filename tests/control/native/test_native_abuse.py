"""What a client may send that means nothing: the session goes on, and nothing of it grows."""

import random

import pytest
import trio
from native_serving import CLIENTS, HELLO, SilentSound, no_inhibition, serving

from punktfunk.control.quic import QuicConfig, connect_quic
from punktfunk.wire.native import control as wire
from punktfunk.wire.native.capabilities import ALPN, CloseCode
from punktfunk.wire.native.control import build_control
from punktfunk.wire.native.framing import CONTROL_MAGIC, frame

pytestmark = pytest.mark.trio


@pytest.fixture(autouse=True)
def doubles(monkeypatch):
    monkeypatch.setattr("punktfunk.control.native.session.HostAudio", SilentSound)
    monkeypatch.setattr("punktfunk.control.native.showing.inhibited", no_inhibition)


def nonsense(chance):
    """A payload of noise, or a message's type with a body of another."""
    body = chance.randbytes(chance.randrange(40))
    return body if chance.random() < 0.3 else CONTROL_MAGIC + bytes([chance.randrange(0x60)]) + body


async def test_nonsense_of_every_kind_is_ignored(tmp_path):
    chance = random.Random(7)
    async with serving(tmp_path) as world, world.client() as client:
        pipeline = await world.pipeline()
        for _ in range(400):
            await client.messages.send(nonsense(chance))
            client.connection.send_datagram(chance.randbytes(chance.randrange(1, 60)))
        for _ in range(20):
            await client.say(wire.ShardPayloadAck(chance.randrange(65536)), wire.RfiRequest(2**32 - 1, 0))
        client.media.sendto(b"not a punch", ("127.0.0.1", client.welcome.media_port))
        await client.say(wire.ClockProbe(77))
        assert (await client.hear(wire.ClockEcho)).t1_ns == 77
        assert pipeline.said("change_send") == []
        assert len(pipeline.said("set_destination")) == 1
        assert world.service.sessions


async def test_streams_beside_the_control_stream_are_bounded(tmp_path):
    async with serving(tmp_path) as world, world.client() as client:
        await world.pipeline()
        for number in range(12):
            stream = client.connection.open_stream()
            await stream.send_all(bytes([number]) * 200)
        await client.say(wire.ClockProbe(5))
        assert (await client.hear(wire.ClockEcho)).t1_ns == 5


@pytest.mark.parametrize("first", [b"", b"PKF1", bytes(200), build_control(wire.ClockProbe(1))])
async def test_a_first_message_that_is_none(tmp_path, first):
    config = QuicConfig(alpn=(ALPN,), certificate=CLIENTS[0].certificate, private_key=CLIENTS[0].private_key)
    async with serving(tmp_path) as world:
        async with connect_quic("127.0.0.1", world.port, config) as connection:
            await connection.open_stream().send_all(frame(first))
            with trio.fail_after(5):
                assert (await connection.wait_closed()).code == CloseCode.SETUP_FAILED
        assert world.service.sessions == []


async def test_a_clock_probe_where_start_belongs(tmp_path):
    from punktfunk.control.native.messages import MessageStream
    from punktfunk.wire.native.handshake import build_hello

    config = QuicConfig(alpn=(ALPN,), certificate=CLIENTS[0].certificate, private_key=CLIENTS[0].private_key)
    async with serving(tmp_path) as world, connect_quic("127.0.0.1", world.port, config) as connection:
        messages = MessageStream(connection.open_stream())
        await messages.send(build_hello(HELLO))
        assert await messages.receive()
        await messages.send(build_control(wire.ClockProbe(1)))
        with trio.fail_after(5):
            assert (await connection.wait_closed()).code == CloseCode.SETUP_FAILED
        assert world.backend.living == []


async def test_a_device_that_waits_for_approval_holds_no_slot(tmp_path):
    async with serving(tmp_path, open_host=False, slots=1) as world:
        await world.book.add_native(CLIENTS[0].fingerprint, "laptop")
        async with trio.open_nursery() as nursery:
            approved = trio.Event()

            async def stranger():
                async with world.client(1):
                    approved.set()
                    await world.pipeline(2)

            nursery.start_soon(stranger)
            await world.heard("asks to come in")
            async with world.client(0) as client:
                await world.pipeline()
                assert not approved.is_set()
                await world.door.verbs["clients.approve"]({"device": "1"})
                client.connection.close(CloseCode.QUIT, "")
            with trio.fail_after(5):
                await approved.wait()
