"""What a stranger on the network may send, as a program: ``python attacks.py JSON``, one attack after another.

It runs beside the test, so that the client under test keeps its own processor time, and paces itself: it is to find
out what the host's limits are worth, not how fast two processors are. It ends by printing how much it sent.
"""

import contextlib
import json
import os
import resource
import secrets
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from punktfunk.wire.enet.events import HostConfig
from punktfunk.wire.enet.host import Host as EnetHost

CROWD = 1000
GARBAGE = [
    b"\x00" * 64,
    b"\xff" * 2048,
    b"\r\n\r\n\r\n\r\n",
    b"GET",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /pair?" + b"x=1&" * 4000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /serverinfo HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
    b"POST /launch HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"z" * 4096,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\xff\xff" + b"\x01" * 600,
    b"OPTIONS rtsp://h:1 RTSP/1.0\r\nCSeq: " + b"9" * 5000 + b"\r\n\r\n",
    b"DESCRIBE rtsp://h:1 RTSP/1.0\r\nContent-length: 4294967295\r\n\r\n",
    b"\x80\x00\x40\x00" + b"\x00" * 100_000,
    b'{"do":"' + b"x" * 200_000 + b'"}\n',
    b"[" * 100_000 + b"\n",
]


class Target:
    """One listener: how to reach it."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.address: str = options["address"]
        self.base: int = options["port"]
        self.admin: str = options["admin"]

    def connectors(self) -> list[Callable[[], socket.socket]]:
        return [*(lambda offset=offset: self.tcp(offset) for offset in (-5, 0, 21)), self.unix]

    def tcp(self, offset: int) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        return self._connected(opened, (self.address, self.base + offset))

    def unix(self) -> socket.socket:
        return self._connected(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), self.admin)

    @staticmethod
    def _connected(opened: socket.socket, place: Any) -> socket.socket:
        opened.settimeout(2)
        try:
            opened.connect(place)
        except OSError:
            opened.close()
            raise
        opened.setblocking(False)  # noqa: FBT003
        return opened

    def udp(self, offset: int) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.connect((self.address, self.base + offset))
        opened.setblocking(False)  # noqa: FBT003
        return opened


def paced(count: int, per_second: float) -> Iterator[int]:
    """Numbers at an even rate."""
    start = time.monotonic()
    for number in range(count):
        late = start + number / per_second - time.monotonic()
        if late > 0:
            time.sleep(late)
        yield number


def spill(opened: socket.socket, data: bytes) -> None:
    """Send as much as the peer takes within a moment."""
    opened.settimeout(0.2)
    with contextlib.suppress(OSError):
        opened.sendall(data)


def garbage(target: Target) -> int:
    """Nonsense, truncation and excess on every TCP listener and the unix socket."""
    sent = 0
    for _ in paced(2, 2):
        for data in GARBAGE:
            for connect in target.connectors():
                for piece in (data, data[: len(data) // 2]):
                    with contextlib.suppress(OSError), connect() as opened:
                        spill(opened, piece)
                        sent += 1
    return sent


def crowd(target: Target) -> int:
    """A thousand silent connections to each listener, as many open at once as the host lets live."""
    reached = 0
    for connect in target.connectors():
        held: list[socket.socket] = []
        for _ in paced(CROWD, 1000):
            with contextlib.suppress(OSError):
                held.append(connect())
                reached += 1
        for opened in held:
            opened.close()
    return reached


def slow_loris(target: Target) -> int:
    """Heads that come byte by byte and never end, on a hundred connections at once."""
    head = b"GET /serverinfo HTTP/1.1\r\nHost: host\r\nX-A: " + b"a" * 500
    held = []
    for connect in target.connectors():
        for _ in range(25):
            with contextlib.suppress(OSError):
                held.append(connect())
    for number in paced(60, 20):
        for opened in held:
            with contextlib.suppress(OSError):
                opened.send(head[number : number + 1])
    for opened in held:
        opened.close()
    return len(held)


def handshakes(target: Target) -> int:
    """TLS that goes through, without a certificate, and asks for what only paired clients may have."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    refused = 0
    for number in paced(30, 30):
        path = ("launch?appid=1", "resume", "cancel", "applist", "appasset?appid=1")[number % 5]
        with contextlib.suppress(OSError), target.tcp(-5) as plain:
            plain.settimeout(3)
            with context.wrap_socket(plain) as secure:
                secure.sendall(f"GET /{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
                reply = b"".join(iter(lambda secure=secure: secure.recv(4096), b""))
                refused += b'status_code="401"' in reply
    return refused


def connects(target: Target) -> int:
    """CONNECTs from two hundred ports with every connect data but the right one, and their first data."""
    client = EnetHost(HostConfig(), secrets.token_bytes)
    client.connect((target.address, target.base + 10), 48, 0, 0)
    ((_, template),) = client.datagrams()
    sockets = [target.udp(10) for _ in range(200)]
    for number in paced(10_000, 5000):
        with contextlib.suppress(OSError):
            sockets[number % len(sockets)].send(template[:-4] + secrets.token_bytes(4))
    for opened in sockets:
        opened.close()
    return 10_000


def datagrams(target: Target) -> int:
    """Garbage, empty, short and huge datagrams, and pings that name no stream, on all three UDP ports."""
    pings = [b"PING", b"PINGPINGPINGPING\x00\x00\x00\x01", b"\x00" * 20]
    sockets = [target.udp(offset) for offset in (9, 10, 11)]
    for number in paced(9000, 4500):
        kind = number // 3 % 5
        data = (
            os.urandom(number % 1400), b"", os.urandom(40_000) if number % 60 == 0 else b"\x8f\xff",
            pings[number % len(pings)], secrets.token_hex(8).upper().encode() + number.to_bytes(4, "big"),
        )[kind]  # fmt: skip
        with contextlib.suppress(OSError):
            sockets[number % 3].send(data)
    for opened in sockets:
        opened.close()
    return 9000


def forged(target: Target, recorded: list[bytes]) -> int:
    """What the client really sent, from elsewhere: as it was, cut short, and with a bit turned."""
    with target.udp(10) as opened:
        for number in paced(5000, 2500):
            original = bytearray(recorded[number % len(recorded)])
            if number % 3 == 1:
                del original[1 + number % len(original) :]
            elif number % 3 == 2:
                original[number % len(original)] ^= 1 << number % 8
            with contextlib.suppress(OSError):
                opened.send(original)
    return 5000


def main() -> None:
    options = json.loads(sys.argv[1])
    target = Target(options)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    counts = {}
    for name in options["attacks"]:
        if name == "forged":
            counts[name] = forged(target, [bytes.fromhex(text) for text in options["recorded"]])
        else:
            counts[name] = globals()[name](target)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
