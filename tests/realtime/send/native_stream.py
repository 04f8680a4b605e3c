"""A sender of punktfunk/1 that is driven on the test's own thread, and the textbook's packets."""

import ctypes
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from sender_stream import client_socket

from punktfunk.plan import FrameType, MediaCipher, NativeSendPlan, Pacing
from punktfunk.realtime.reference import gf8, leopard
from punktfunk.realtime.send.native import NativeSender
from punktfunk.realtime.variants import Variant
from punktfunk.wire.native.blocks import FrameInfo, Geometry, build_packets
from punktfunk.wire.native.packet import FecScheme, build_nonce, parse_sequence

KEY, SALT = bytes(range(16)), b"\xff\2\3\4"
PLAN = NativeSendPlan(512, 40, 1, 20, MediaCipher.AES_128_GCM, KEY, SALT, Pacing.BURST, 16_666_667)
PTS_NS = 1_790_000_000_123_456_789
INVERSES, PRODUCTS = gf8.inverses(), gf8.products()


def plan(**changes) -> NativeSendPlan:
    return replace(PLAN, **changes)


@dataclass
class NativeStream:
    sender: NativeSender
    plan: NativeSendPlan
    client: socket.socket
    percent: int

    def push(self, access_unit, frame_type=FrameType.IDR, **more):
        now_ns = time.monotonic_ns()
        return self.sender.push(
            access_unit, frame_type=frame_type, captured_ns=now_ns, encoded_ns=now_ns, pts_ns=PTS_NS, **more
        )

    def send(self, access_unit, frame_type=FrameType.IDR, **more) -> list[bytes]:
        """Everything that arrives when one frame is pushed and sent."""
        self.push(access_unit, frame_type, **more)
        assert self.sender.send_next()
        return self.arrived()

    def arrived(self) -> list[bytes]:
        got = []
        self.client.settimeout(0)
        while True:
            try:
                got.append(self.client.recv(65536))
            except BlockingIOError:
                return got

    def opened(self, datagrams) -> list[bytes]:
        """Packets of sealed datagrams, whose sequences must follow each other from the first on."""
        if self.plan.encryption_key is None:
            return datagrams
        kind = AESGCM if self.plan.cipher is MediaCipher.AES_128_GCM else ChaCha20Poly1305
        cipher = kind(self.plan.encryption_key)
        sequences = [parse_sequence(datagram) for datagram in datagrams]
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
        return [
            cipher.decrypt(build_nonce(self.plan.salt, sequence), datagram[8:], datagram[:8])
            for sequence, datagram in zip(sequences, datagrams, strict=True)
        ]

    def textbook(self, access_unit, frame_index, stream_sequence, user_flags=5, parity=None) -> list[bytes]:
        scheme = FecScheme(self.plan.fec_scheme)
        geometry = Geometry(self.plan.shard_bytes, self.plan.data_max, scheme, self.plan.fec_percent)
        info = FrameInfo(PTS_NS, frame_index, stream_sequence, user_flags)
        own = parity16 if scheme is FecScheme.GF16 else parity8
        return build_packets(access_unit, geometry, self.percent, info, parity or own)


@contextmanager
def native(capacity_bytes: int = 1 << 17, percent: int | None = None, **changes) -> Iterator[NativeStream]:
    firsts = {name: changes.pop(name) for name in list(changes) if name.startswith("first_")}
    chosen = plan(**changes)
    with client_socket() as client, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sender = NativeSender(chosen, sending.fileno(), capacity_bytes, **firsts)
        sender.set_destination(*client.getsockname())
        stream = NativeStream(sender, chosen, client, chosen.fec_percent)
        if percent is not None:
            sender.set_fec_percent(percent)
            stream.percent = percent
        try:
            yield stream
        finally:
            sender.close()


def parity16(data, count):
    rows = np.array([np.frombuffer(shard, np.uint8) for shard in data])
    return [row.tobytes() for row in leopard.encode(rows, count)]


def parity8(data, count):
    made = []
    for j in range(count):
        total = np.zeros(len(data[0]), np.uint8)
        for i, shard in enumerate(data):
            total ^= PRODUCTS[INVERSES[(count + i) ^ j]][np.frombuffer(shard, np.uint8)]
        made.append(total.tobytes())
    return made


def no_parity(data, count):
    return [bytes(len(data[0]))] * count


ARGUMENT_COUNTS = {"fec8": 8, "fec16": 8, "seal": 9, "pace": 5}
_alive = []


def variant(kind: str, number: int, function: Callable[..., int]) -> Variant:
    """A variant whose entry calls Python: slow, but it may look at everything."""
    made = ctypes.CFUNCTYPE(*[ctypes.c_int64] * (ARGUMENT_COUNTS[kind] + 1))(function)
    _alive.append(made)
    return Variant(kind, f"test-{number}", number, ctypes.cast(made, ctypes.c_void_p).value)
