"""What the control plane costs and bears: idle connections, handshakes, and floods beside a live connection.

The server is this process, so that its memory and its CPU time can be read; clients and floods are processes
of their own (`measure.quic_peer`) on loopback.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import trio

from punktfunk.control.native.identity import create_identity
from punktfunk.control.quic import QuicConfig, QuicConnection, QuicServer, serve_quic
from punktfunk.control.sockets import bound_sockets
from punktfunk.errors import PipelineFailed
from punktfunk.measure.paired import Row, single
from punktfunk.measure.quic_peer import ADDRESS

NAME: Final = "native control"
IDLE_MIB_FLOOR: Final = 100 * 1e6 / (1 << 20)
FLOODS: Final = (
    ("no flood", ""),
    ("flood of another port", "elsewhere"),  # what the kernel and a busy core cost without us
    ("flood of handshakes", "hello"),
    ("flood of noise", "noise"),
)
_FLOOD_PACKETS: Final = 500
_PAGE_BYTES: Final = 4096
_SETTLE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is measured: connections, datagrams of an echo, seconds of watching."""

    connections: int = 500
    echoes: int = 1000
    watch_s: float = 10.0


def rows(amount: Amount) -> Iterator[Row]:
    """Measure everything; takes about a minute with the usual amount."""
    yield from trio.run(_idle_rows, amount)
    for case, flood in FLOODS:
        yield from trio.run(_echo_rows, amount, case, flood)


async def _echo(connection: QuicConnection) -> None:
    while True:
        for data in await connection.receive_datagrams():
            connection.send_datagram(data)


@asynccontextmanager
async def _serving(amount: Amount) -> AsyncIterator[tuple[QuicServer, int]]:
    identity = create_identity("punktfunk")
    config = QuicConfig(
        alpn=("pkf1",),
        certificate=identity.certificate,
        private_key=identity.private_key,
        connections_per_address_max=amount.connections + 100,
    )
    with bound_sockets([ADDRESS], 0) as bound:
        async with trio.open_nursery() as nursery:
            server = await nursery.start(serve_quic, bound, config, _echo)
            yield server, bound[0].socket.getsockname()[1]
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def _peer(what: str, port: int, count: int) -> AsyncIterator[trio.Process]:
    """Run the other side until the block is left; it is under way when the block begins."""
    words = [sys.executable, "-m", "punktfunk.measure.quic_peer", what, str(port), str(count)]
    process = await trio.lowlevel.open_process(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        if not (await process.stdout.receive_some()).startswith(b"ready"):
            raise PipelineFailed(f"the peer {what!r} did not begin")
        yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()
            await process.stdin.aclose()


@asynccontextmanager
async def _flooding(flood: str, port: int) -> AsyncIterator[None]:
    if not flood:
        yield
    elif flood == "elsewhere":
        with bound_sockets([ADDRESS], 0) as nobody:
            async with _peer("noise", nobody[0].socket.getsockname()[1], _FLOOD_PACKETS):
                yield
    else:
        async with _peer(flood, port, _FLOOD_PACKETS):
            yield


def _resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES / (1 << 20)


async def _idle_rows(amount: Amount) -> list[Row]:
    count = amount.connections
    async with _serving(amount) as (_, port):
        async with _peer("idle", port, 1):
            pass  # what the first connection of all imports and allocates is not the others' weight
        gc.collect()
        before_mib, before_s = _resident_mib(), time.process_time()
        async with _peer("idle", port, count):
            handshake_ms = (time.process_time() - before_s) / count * 1e3
            await trio.sleep(_SETTLE_S)
            grown_mib = _resident_mib() - before_mib
            began_s, cpu_s = time.perf_counter(), time.process_time()
            await trio.sleep(amount.watch_s)
            percent = 100 * (time.process_time() - cpu_s) / (time.perf_counter() - began_s)
    floor = IDLE_MIB_FLOOR if count >= Amount().connections else None
    growth = single(NAME, f"{count} idle connections: growth", "MiB", grown_mib)
    return [
        replace(growth, floor=floor, floor_on="ours"),
        single(NAME, f"{count} idle connections: CPU of one core", "%", percent),
        single(NAME, "one handshake at the host: CPU", "ms", handshake_ms),
    ]


async def _echo_rows(amount: Amount, case: str, flood: str) -> list[Row]:
    async with _serving(amount) as (_, port), _peer("echo", port, amount.echoes) as echo:
        assert echo.stdout is not None
        assert echo.stdin is not None
        text = bytearray()
        async with _flooding(flood, port):
            cpu_s, began_s = time.process_time(), time.perf_counter()
            await echo.stdin.send_all(b"go\n")
            async for piece in echo.stdout:
                text.extend(piece)
        percent = 100 * (time.process_time() - cpu_s) / (time.perf_counter() - began_s)
    answers: list[int | None] = json.loads(text)
    found = [answer for answer in answers if answer is not None]
    times_us = np.array(found, float) / 1e3 if found else np.array([np.nan])
    lost = amount.echoes - len(found)
    return [
        single(NAME, f"datagram and answer, {case}: p50", "us", float(np.median(times_us)), times_us),
        single(NAME, f"datagram and answer, {case}: p99", "us", float(np.percentile(times_us, 99))),
        single(NAME, f"datagram and answer, {case}: lost", "%", 100 * lost / amount.echoes),
        single(NAME, f"host beside it, {case}: CPU of one core", "%", percent),
    ]
