"""``python -m punktfunk.measure.quic_peer WHAT PORT COUNT``: the other side of `measure.native_control`.

    idle    connect COUNT times and stay
    echo    when told by a line, send COUNT datagrams, 200 a second; print their round trips (JSON, ns)
    hello   flood with first packets of COUNT handshakes that are never finished, from 64 ports
    noise   the same with random bytes

Each prints ``ready`` once it is under way and goes on until it is killed; ``echo`` ends by itself.
"""

import json
import os
import socket
import sys
import time
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Final

import trio

from punktfunk.control.native.identity import create_identity
from punktfunk.control.quic import NoAnswer, QuicClosed, QuicConfig, QuicConnection, connect_quic
from punktfunk.control.quic.config import build_configuration
from punktfunk.control.quic.core import Core
from punktfunk.control.quic.paths import Path

ADDRESS: Final = "127.0.0.1"
LOST_S: Final = 1.0
_EVERY_S: Final = 0.005
_AT_ONCE: Final = 4
_PORTS: Final = 64


def client_config() -> QuicConfig:
    """Be a client with a certificate of its own."""
    identity = create_identity("punktfunk-client")
    return QuicConfig(
        alpn=("pkf1",), certificate=identity.certificate, private_key=identity.private_key, handshake_s=30
    )


async def stay_connected(port: int, count: int) -> None:
    """Hold ``count`` connections that say nothing."""
    config = client_config()
    limit = trio.CapacityLimiter(_AT_ONCE)
    left = count

    async def one() -> None:
        nonlocal left
        async with AsyncExitStack() as stack:
            async with limit:
                connection = await _connect(stack, port, config)
            left -= 1
            if not left:
                print("ready", flush=True)
            await connection.wait_closed()

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)


async def _connect(stack: AsyncExitStack, port: int, config: QuicConfig) -> QuicConnection:
    """Dial until the host takes us: it begins only so many handshakes a second."""
    while True:
        try:
            return await stack.enter_async_context(connect_quic(ADDRESS, port, config))
        except NoAnswer:
            await trio.sleep(_EVERY_S)


async def measure_echo(port: int, count: int) -> None:
    """Print the round trips of ``count`` datagrams; a lost one is ``null``."""
    round_trips: list[int | None] = []
    async with connect_quic(ADDRESS, port, client_config(), timeout_s=30) as connection:
        print("ready", flush=True)
        await trio.to_thread.run_sync(sys.stdin.readline)
        try:
            for number in range(count):
                round_trips.append(await _round_trip(connection, number))
                await trio.sleep(_EVERY_S)
        except QuicClosed as closed:
            print(f"closed {closed}", file=sys.stderr)
    print(json.dumps(round_trips), flush=True)


async def _round_trip(connection: QuicConnection, number: int) -> int | None:
    question = number.to_bytes(4, "big")
    began_ns = time.monotonic_ns()
    connection.send_datagram(question)
    with trio.move_on_after(LOST_S):
        while question not in await connection.receive_datagrams():
            pass
        return time.monotonic_ns() - began_ns
    return None


def flood(port: int, packets: list[bytes]) -> None:
    """Send for ever, as fast as one core can."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(_PORTS)]
    print("ready", flush=True)
    for packet, sock in zip(cycle(packets), cycle(sockets), strict=False):
        try:
            sock.sendto(packet, (ADDRESS, port))
        except OSError:
            continue


def first_packets(port: int, count: int) -> list[bytes]:
    """Build the first packets of ``count`` handshakes."""
    config = client_config()
    configuration = build_configuration(config, is_client=True)
    packets = []
    for _ in range(count):
        core = Core(config, configuration)
        core.connect(Path(ADDRESS, port, 0, 0, "", 0), 0.0)
        packets.append(core.datagrams_to_send(0.0)[0][0])
    return packets


def main() -> None:
    """Do what the command line says."""
    what, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if what == "idle":
        trio.run(stay_connected, port, count)
    elif what == "echo":
        trio.run(measure_echo, port, count)
    elif what == "hello":
        flood(port, first_packets(port, count))
    else:
        flood(port, [os.urandom(1200) for _ in range(count)])


if __name__ == "__main__":
    main()
