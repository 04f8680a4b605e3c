"""A sender and a receiver of punktfunk/1 over loopback, and datagrams sealed one by one."""

import os
import select
import socket
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from punktfunk.plan import FrameType, MediaCipher, NativeSendPlan, Pacing, RealtimePlan, ReceivePlan
from punktfunk.realtime.receive.receiver import VideoReceiver
from punktfunk.realtime.send.native import NativeSender
from punktfunk.wire.native.packet import build_nonce, build_sequence

KEY, SALT = bytes(range(16)), b"\xff\2\3\4"
LONG_NS = 20_000_000_000
PLAN = ReceivePlan(1408, 50, 1, 20, MediaCipher.AES_128_GCM, KEY, SALT, 1 << 20)
CHACHA = {"cipher": MediaCipher.CHACHA20_POLY1305, "decryption_key": bytes(range(32))}
SECRETS = {"aes": {}, "chacha": CHACHA, "clear": {"decryption_key": None}}


def seal(packet, sequence, plan=PLAN, key=None, *, from_client=False):
    """A datagram as the wire has it, by ``cryptography``."""
    kind = AESGCM if plan.cipher is MediaCipher.AES_128_GCM else ChaCha20Poly1305
    head = build_sequence(sequence)
    nonce = build_nonce(plan.salt, sequence, from_client=from_client)
    return head + kind(key or plan.decryption_key).encrypt(nonce, packet, head)


@dataclass
class Link:
    receiver: VideoReceiver
    sender: NativeSender
    client: socket.socket
    host: socket.socket
    pushed: int = 0

    def send(self, unit, frame_type=FrameType.IDR):
        self.sender.push(
            unit, frame_type=frame_type, captured_ns=0, encoded_ns=0, pts_ns=self.pushed * 4_000_000
        )
        self.pushed += 1
        assert self.sender.send_next()

    def carry(self, size=100_000):
        """Send a unit and take it out at the other end."""
        unit = os.urandom(size)
        self.send(unit)
        frame = self.receiver.pop(LONG_NS)
        assert frame.access_unit == unit
        return frame


@contextmanager
def linked(*, family=socket.AF_INET, kind=VideoReceiver, **changes):
    plan = replace(PLAN, **changes)
    send_plan = NativeSendPlan(
        plan.shard_bytes_max, plan.data_max, plan.fec_scheme, plan.fec_percent, plan.cipher,
        plan.decryption_key, plan.salt, Pacing.BURST, 16_666_667,
    )  # fmt: skip
    with (
        socket.socket(family, socket.SOCK_DGRAM) as client,
        socket.socket(family, socket.SOCK_DGRAM) as host,
    ):
        client.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        receiver = kind(plan, client.fileno(), RealtimePlan())
        sender = NativeSender(send_plan, host.fileno(), plan.frame_bytes_max)
        try:
            sender.set_destination(*client.getsockname()[:2], family)
            receiver.start()
            yield Link(receiver, sender, client, host)
        finally:
            receiver.stop(LONG_NS)
            sender.close()


def until(condition):
    """Wait for another thread; nothing tells when."""
    for _ in range(20_000):
        if condition():
            return
        select.select([], [], [], 0.001)
    raise AssertionError
