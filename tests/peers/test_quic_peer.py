"""The QUIC driver between processes, in real time: clients that are killed, floods beside a live connection."""

import signal
import subprocess
import sys

import pytest
import trio

from punktfunk.control.native.identity import create_identity
from punktfunk.control.quic import QuicConfig, serve_quic
from punktfunk.control.sockets import bound_sockets
from punktfunk.measure.native_control import Amount, rows

pytestmark = pytest.mark.peer


async def watch_clients_be_killed(count):
    """Return how the connections of a killed process ended, and how long that took."""
    identity = create_identity("punktfunk")
    config = QuicConfig(
        alpn=("pkf1",), certificate=identity.certificate, private_key=identity.private_key, idle_timeout_s=1
    )
    reasons = []

    async def handle(connection):
        reasons.append(await connection.wait_closed())

    with bound_sockets(["127.0.0.1"], 0) as bound:
        port = bound[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            server = await nursery.start(serve_quic, bound, config, handle)
            words = [sys.executable, "-m", "punktfunk.measure.quic_peer", "idle", str(port), str(count)]
            process = await trio.lowlevel.open_process(words, stdout=subprocess.PIPE)
            assert await process.stdout.receive_some() == b"ready\n"
            await trio.sleep(2)  # longer than the idle timeout: pings keep them alive
            assert not reasons
            process.send_signal(signal.SIGKILL)
            await process.wait()
            await process.stdout.aclose()
            began = trio.current_time()
            while len(reasons) < count or server.connection_count:  # noqa: ASYNC110 - real time
                await trio.sleep(0.02)
            took_s = trio.current_time() - began
            nursery.cancel_scope.cancel()
    return reasons, took_s


def test_a_killed_client_is_gone_after_the_idle_timeout():
    reasons, took_s = trio.run(watch_clients_be_killed, 5)
    assert all(reason.timed_out for reason in reasons)
    assert took_s < 5


def test_no_datagram_of_a_live_connection_is_lost_in_a_flood():
    found = {row.case: row.ours for row in rows(Amount(connections=10, echoes=60, watch_s=0.1))}
    lost = {case: value for case, value in found.items() if case.endswith("lost")}
    assert len(lost) == 4
    assert set(lost.values()) == {0.0}
    assert found["10 idle connections: growth"] < 10
