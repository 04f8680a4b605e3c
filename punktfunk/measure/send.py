"""UDP over loopback, for each datagram: groups handed to the system at once, against Python's sendto.

What is timed on our side is the sending kernel, which loops over groups without coming back to Python; the
baseline is a Python loop over ``socket.sendto`` with bytes that exist beforehand. Unless a thread receives,
nobody reads the other socket: its buffer is full, the system drops there, and both sides meet the same.
"""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final, Literal

from punktfunk import realtime
from punktfunk.measure.floors import SEND, SENDTO, judged
from punktfunk.measure.options import SendOptions
from punktfunk.measure.paired import Row, measure_works, paired
from punktfunk.measure.steps import Benchmark, Step

Way = Literal["gso", "sendmmsg", "sendto"]

_WAYS: Final[dict[str, Way]] = {"GSO": "gso", "sendmmsg": "sendmmsg", "one by one": "sendto"}
_FLOOR_BYTES: Final = 1400
_UDP_GRO: Final = 104


def benchmark(options: SendOptions) -> Benchmark:
    """One step for each way to send."""
    return Benchmark(
        tuple(Step(f"send {case}", partial(send_rows, options, case, way)) for case, way in _WAYS.items())
    )


@contextlib.contextmanager
def loopback() -> Iterator[tuple[socket.socket, tuple[str, int]]]:
    """Yield a socket to send from, and the address of one that nobody reads.

    That one takes segments whole (UDP_GRO), as a client of punktfunk/1 does and a network card would: else
    the sender's time would hold the cutting, which on loopback the receiving side does in the sender's call.
    """
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host,
    ):
        client.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        client.bind(("127.0.0.1", 0))
        host.setblocking(False)  # noqa: FBT003  the name of the argument is flag
        yield host, client.getsockname()


def send_rows(options: SendOptions, case: str, way: Way) -> Iterator[Row]:
    """Time one way to send; nanoseconds for each datagram."""
    batch = options.batch
    with realtime.SendTrial(
        options.datagram_bytes, group_count=batch, ipv6=options.ipv6, receiving=options.receive
    ) as trial:
        theirs_s, ours_s = measure_works(
            lambda count: trial.send("python", count * batch),
            lambda count: trial.send(way, count * batch),
            rounds=options.rounds,
        )
    scale = 1e9 / batch
    row = paired("send", case, "ns", SENDTO, theirs_s * scale, ours_s * scale)
    row = replace(row, work_bytes=options.datagram_bytes)
    standard = options.datagram_bytes == _FLOOR_BYTES and not options.receive and not options.ipv6
    yield judged(row, SEND, asked=standard)
