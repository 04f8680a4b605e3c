"""The media socket of one session, and where its client wants the video.

The client punches: eight bytes, from its media socket to ours, over and over. Only an address counts that the
QUIC connection comes from too; the port may be another than Start named, as NAT may have changed it. A later
punch from elsewhere moves the video only once the place that is in use has been silent for long enough that
the client cannot be there any more. Spec: punktfunk-1 section 2.3.
"""

import socket
from collections.abc import Callable
from typing import Final

import trio

from punktfunk.control.sockets import bind_udp, plain_address
from punktfunk.wire.native.capabilities import PUNCH

PATIENCE_S: Final = 2.5
SILENT_S: Final = 5.0
"""Clients punch every two seconds: one that has missed two has moved."""
DRAIN_COUNT: Final = 64
FLOOD_PAUSE_S: Final = 0.005
SEND_BUFFER_BYTES: Final = 8 << 20

Address = tuple[str, int] | tuple[str, int, int, int]
Follow = Callable[[Address, int], None]


class MediaSocket:
    """A UDP socket on the address that the client reached; bound before Welcome, closed with the session."""

    def __init__(self, local_address: str, peer_address: str) -> None:
        self.socket = bind_udp(local_address, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.peer_address = plain_address(peer_address)
        self.destination: Address | None = None
        self.move_count = 0
        self.stray_count = 0
        self._heard_s = 0.0
        self._punched = trio.Event()
        self._follow: Follow | None = None

    @property
    def port(self) -> int:
        """Our port."""
        return int(self.socket.getsockname()[1])

    @property
    def send_buffer_bytes(self) -> int:
        """What the system really gave; Linux says twice as much as it takes for payload."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2

    def close(self) -> None:
        """Close it; nobody may be sending any more."""
        self.socket.close()

    def followed_by(self, follow: Follow) -> None:
        """Call ``follow(address, family)`` now, if the destination is known, and for every move."""
        self._follow = follow
        if self.destination is not None:
            follow(self.destination, self.socket.family)

    async def find_destination(self, start_port: int, patience_s: float = PATIENCE_S) -> None:
        """Wait for a punch while :meth:`run` runs; without one the client is where Start said."""
        with trio.move_on_after(patience_s):
            await self._punched.wait()
        if self.destination is None:
            self._move((self.peer_address, start_port))

    async def run(self) -> None:
        """Receive punches until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self.socket)
            for _ in range(DRAIN_COUNT):
                try:
                    data, address = self.socket.recvfrom(64)
                except BlockingIOError:
                    break
                except OSError:  # an ICMP error of an earlier send surfaces here
                    continue
                self._take(data, address)
            else:
                await trio.sleep(FLOOD_PAUSE_S)

    def _take(self, data: bytes, address: Address) -> None:
        if data != PUNCH or plain_address(address[0]) != self.peer_address:
            self.stray_count += 1
            return
        now_s = trio.current_time()
        if address == self.destination:
            self._heard_s = now_s
        elif not self._punched.is_set() or now_s - self._heard_s > SILENT_S:
            self._heard_s = now_s
            self._move(address)
        self._punched.set()

    def _move(self, address: Address) -> None:
        self.move_count += self.destination is not None
        self.destination = address
        if self._follow is not None:
            self._follow(address, self.socket.family)
