"""A loopback socket that plays the client, and a sender on a thread of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from punktfunk.plan import FrameType, Pacing, SendPlan
from punktfunk.realtime.send.sender import PushResult, VideoSender

RCVBUFFORCE = 33
FRAME_INTERVAL_NS = 16_666_667


@dataclass
class Stream:
    """A running sender and the socket that it sends to."""

    sender: VideoSender
    client: socket.socket
    thread: threading.Thread
    failures: list[BaseException] = field(default_factory=list)

    def push(self, access_unit: bytes, frame_type: FrameType = FrameType.IDR, **more: bool) -> PushResult:
        now_ns = time.monotonic_ns()
        return self.sender.push(
            access_unit,
            frame_type=frame_type,
            captured_ns=now_ns,
            encoded_ns=now_ns,
            timestamp_90k=1234,
            **more,
        )

    def address(self) -> None:
        name = self.client.getsockname()
        self.sender.set_destination(name[0], name[1], self.client.family)

    def receive(self, count: int) -> list[bytes]:
        return [self.client.recv(65536) for _ in range(count)]

    def join(self) -> None:
        self.thread.join(5)
        assert not self.thread.is_alive()

    def wait_for(self, counter: str, value: int) -> None:
        deadline = time.monotonic() + 5
        while self.sender.counters()[counter] < value:
            assert time.monotonic() < deadline, f"{counter} never came to {value}: {self.sender.counters()}"
            threading.Event().wait(0.001)


def client_socket(family: int = socket.AF_INET) -> socket.socket:
    client = socket.socket(family, socket.SOCK_DGRAM)
    try:
        client.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 32 << 20)
    except PermissionError:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
    client.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    client.settimeout(5)
    return client


@contextmanager
def streaming(
    packet_bytes: int = 1024,
    *,
    fec_percent: int = 20,
    minimum_parity_count: int = 2,
    key: bytes | None = None,
    pacing: Pacing = Pacing.BURST,
    interval_ns: int = FRAME_INTERVAL_NS,
    capacity_bytes: int = 1 << 20,
    family: int = socket.AF_INET,
    addressed: bool = True,
    first_sequence: int = 0,
    first_frame_index: int = 1,
) -> Iterator[Stream]:
    plan = SendPlan(packet_bytes, fec_percent, minimum_parity_count, key, pacing, interval_ns)
    with client_socket(family) as client, socket.socket(family, socket.SOCK_DGRAM) as sending:
        sending.setblocking(False)  # noqa: FBT003  the name of the argument is flag
        sender = VideoSender(
            plan,
            sending.fileno(),
            capacity_bytes,
            first_sequence=first_sequence,
            first_frame_index=first_frame_index,
        )
        failures: list[BaseException] = []

        def body() -> None:
            try:
                sender.run()
            except BaseException as error:  # noqa: BLE001  handed to the test
                failures.append(error)

        stream = Stream(sender, client, threading.Thread(target=body, name="pf-send"), failures)
        if addressed:
            stream.address()
        stream.thread.start()
        try:
            yield stream
        finally:
            sender.stop()
            stream.join()
            sender.close()
