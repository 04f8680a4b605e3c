"""UDP over loopback, for each datagram: groups handed to the system at once, against Python's sendto.

What is timed on our side is the sending kernel, which loops over groups without coming back to Python; the
baseline is a Python loop over ``socket.sendto`` with bytes that exist beforehand. Nobody reads the receiving
socket: its buffer is full, the system drops there, and both sides meet the same.
"""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from punktfunk import realtime
from punktfunk.measure.floors import SEND, SENDTO, judged
from punktfunk.measure.options import SendOptions
from punktfunk.measure.paired import Row, Work, measure_works, paired
from punktfunk.measure.steps import Benchmark, Step

SEND_MODES: Final = {"GSO": 0, "sendmmsg": 1, "one by one": 2}
_FLOOR_BYTES: Final = 1400


def benchmark(options: SendOptions) -> Benchmark:
    """One step for each way to send."""
    return Benchmark(tuple(Step(f"send {way}", partial(send_rows, options, way)) for way in SEND_MODES))


@contextlib.contextmanager
def loopback() -> Iterator[tuple[socket.socket, tuple[str, int]]]:
    """Yield a socket to send from, and the address of one that nobody reads."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host,
    ):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.bind(("127.0.0.1", 0))
        host.setblocking(False)  # noqa: FBT003  the name of the argument is flag
        yield host, client.getsockname()


def send_rows(options: SendOptions, way: str) -> Iterator[Row]:
    """Time one way to send; nanoseconds for each datagram."""
    packets = realtime.aligned_rows(options.batch, options.datagram_bytes, seed=0)
    with loopback() as (host, address):
        ours = realtime.RowSender(host.fileno(), *address, packets, group=options.batch, mode=SEND_MODES[way])
        theirs = _sendto(host, address, [row.tobytes() for row in packets])
        theirs(2)  # fills the receiver's buffer
        theirs_s, ours_s = measure_works(theirs, ours, rounds=options.rounds)
    scale = 1e9 / options.batch
    row = paired("send", way, "ns", SENDTO, theirs_s * scale, ours_s * scale)
    row = replace(row, work_bytes=options.datagram_bytes)
    yield judged(row, SEND, asked=options.datagram_bytes == _FLOOR_BYTES)


def _sendto(host: socket.socket, address: tuple[str, int], datagrams: list[bytes]) -> Work:
    def work(count: int) -> None:
        for _ in range(count):
            for datagram in datagrams:
                with contextlib.suppress(BlockingIOError):
                    host.sendto(datagram, address)

    return work
