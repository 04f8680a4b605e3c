"""The gate's fairness, and listeners that outlive their peers."""

import errno
import logging
from contextlib import suppress
from functools import partial

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.control.complaints import Complaints
from punktfunk.control.listeners import ConnectionGate, neighbourhood, open_tcp, peer_address, serve_gated
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError

logger = logging.getLogger("test")


@pytest.mark.trio
async def test_the_longest_idle_makes_room(autojump_clock):
    gate = ConnectionGate(total=10, per_address=3)
    places = []
    for _ in range(3):
        places.append(gate.admit("10.0.0.1"))
        await trio.sleep(1)
    places[0].set_busy()
    newest = gate.admit("10.0.0.1")
    assert newest is not None
    assert [place.scope.cancel_called for place in places] == [False, True, False]
    for place in (places[2], newest):
        place.set_busy()
    assert gate.admit("10.0.0.1") is None
    assert gate.admit("10.0.0.2") is not None
    places[0].set_idle()
    assert gate.admit("10.0.0.1") is not None
    assert places[0].scope.cancel_called


@pytest.mark.trio
async def test_a_crowd_pays_when_the_gate_is_full(autojump_clock):
    gate = ConnectionGate(total=5, per_address=4)
    quiet = gate.admit("10.0.0.1")
    await trio.sleep(1)
    crowd = [gate.admit("10.0.0.2") for _ in range(4)]
    assert gate.admit("10.0.0.3") is not None
    assert not quiet.scope.cancel_called
    assert sum(place.scope.cancel_called for place in crowd) == 1
    assert len(gate) == 5


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("adbl")), max_size=60))
def test_the_gate_is_always_bounded(moves):
    async def play():
        gate, held = ConnectionGate(total=6, per_address=2), []
        for number, move in moves:
            place = held[number % len(held)] if held else None
            if move == "a" or place is None:
                held.append(gate.admit(f"fd00:0:0:{number}::{len(held)}"))
                held = [each for each in held if each and not each.scope.cancel_called]
            elif move == "l":
                gate.leave(place)
                held.remove(place)
            elif move == "b":
                place.set_busy()
            else:
                place.set_idle()
            assert len(gate) == len(held) <= 6

    trio.run(play)


def test_households():
    assert neighbourhood("10.0.0.1") != neighbourhood("10.0.0.2")
    assert neighbourhood("fd00::1") == neighbourhood("fd00::ffff:1")
    assert neighbourhood("fd00::1") != neighbourhood("fd00:0:0:1::1")


@pytest.mark.trio
async def test_one_broken_peer_ends_alone(caplog):
    complaints = Complaints(logger)

    async def handle(stream, place):
        place.set_busy()
        wish = await stream.receive_some()
        if wish == b"protocol":
            raise RemoteProtocolError("nonsense")
        if wish == b"group":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.send_all, b"")
                raise trio.BrokenResourceError
        if wish == b"slow":
            with trio.fail_after(0):
                await trio.sleep_forever()
        if wish == b"system":
            raise OSError(errno.ETIMEDOUT, "timed out")
        await stream.send_all(b"hello " + peer_address(stream).encode())

    listeners = open_tcp(["127.0.0.1", "::1"], 0)
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        serve = partial(serve_gated, name="test", complaints=complaints)
        nursery.start_soon(serve, listeners, handle, ConnectionGate(total=4, per_address=4))

        async def ask(wish, host="127.0.0.1"):
            async with await trio.open_tcp_stream(host, port) as stream:
                await stream.send_all(wish)
                with suppress(trio.BrokenResourceError):
                    return await stream.receive_some()

        for wish in (b"protocol", b"group", b"system", b"slow") * 3:
            assert not await ask(wish)
        assert await ask(b"x") == b"hello 127.0.0.1"
        assert await ask(b"x", "::1") == b"hello ::1"
        nursery.cancel_scope.cancel()
    assert complaints.counts() == {"test-broken": 12}
    assert caplog.text.count("refused kind=test-broken") == 1


@pytest.mark.trio
async def test_a_taken_port_is_explained():
    (listener,) = open_tcp(["127.0.0.1"], 0)
    async with listener:
        port = listener.socket.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=f"127.0.0.1 TCP port {port}") as caught:
            open_tcp(["127.0.0.2", "127.0.0.1"], port)
        assert "doctor" in caught.value.hint


@pytest.mark.trio
async def test_both_families_on_one_socket():
    (listener,) = open_tcp(["::"], 0)
    async with listener:
        for host in ("127.0.0.1", "::1"):
            async with await trio.open_tcp_stream(host, listener.socket.getsockname()[1]):
                stream = await listener.accept()
                assert peer_address(stream) == host
                await stream.aclose()


def test_complaints_are_rare(caplog):
    now_s = [0.0]
    complaints = Complaints(logger, clock_s=lambda: now_s[0])
    for second in range(130):
        now_s[0] = float(second)
        complaints.note("garbage", peer="10.0.0.1", reason="x" * 1000)
        complaints.note("flood")
    lines = caplog.text.splitlines()
    assert sum("kind=garbage" in line for line in lines) == 3
    assert "held_back=59" in caplog.text
    assert max(map(len, lines)) < 500
    assert complaints.counts() == {"garbage": 130, "flood": 130}
