"""The senders that ``measure.frame`` times: the host's own for either protocol, and one in Python.

The one in Python does the same for every packet that the kernels do: parity by reed-solomon-leopard (for
GameStream, which has another field, by Code8), the product's own builder of headers, encryption by
``cryptography``, ``sendto``. Frame, key and socket are ready beforehand on both sides.
"""

import contextlib
import importlib
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk import realtime
from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.options import FrameOptions
from punktfunk.plan import FrameType, MediaCipher, NativeSendPlan, Pacing, SendPlan
from punktfunk.wire.gamestream.video import FrameInfo, build_datagrams
from punktfunk.wire.gamestream.video_blocks import BlockPlan, plan_blocks
from punktfunk.wire.gamestream.video_encryption import build_encrypted
from punktfunk.wire.native import blocks as native
from punktfunk.wire.native.packet import (
    USER_KEY_FRAME,
    USER_PICTURE,
    FecScheme,
    build_nonce,
    build_sequence,
)

if TYPE_CHECKING:
    from punktfunk.realtime import NativeSender, VideoSender

SHARD_BYTES: Final = 1408  # sealed and with its headers a datagram of 1472 bytes, the most that Ethernet has
KEY: Final = bytes(range(16))
SALT: Final = bytes(4)
_PACKET_BYTES: Final = 1392  # of GameStream: payloads of 1376 bytes
_MINIMUM_PARITY: Final = 2

PythonSend = Callable[[], None]
"""Sends one frame, packet by packet."""


class FrameMaker:
    """A sender of the chosen protocol, and how a frame is pushed into it."""

    def __init__(self, options: FrameOptions, socket_fd: int) -> None:
        interval_ns = 1_000_000_000 // options.rate
        self.sender: NativeSender | VideoSender
        self._push: Callable[..., object]
        if options.protocol == "punktfunk":
            plan = NativeSendPlan(
                SHARD_BYTES, data_max(options), FecScheme.GF16, options.percent, MediaCipher.AES_128_GCM, KEY,
                SALT, Pacing.BURST, interval_ns,
            )  # fmt: skip
            native_sender = realtime.NativeSender(plan, socket_fd, options.frame_bytes)
            self._push = partial(native_sender.push, frame_type=FrameType.IDR, pts_ns=0)
            self.sender = native_sender
        else:
            video = SendPlan(_PACKET_BYTES, options.percent, _MINIMUM_PARITY, KEY, Pacing.BURST, interval_ns)
            video_sender = realtime.VideoSender(video, socket_fd, options.frame_bytes)
            self._push = partial(video_sender.push, frame_type=FrameType.IDR, timestamp_90k=0)
            self.sender = video_sender

    def push(self, frame: bytes, captured_ns: int) -> None:
        """Hand over one frame; the log says when it was captured, and that it was encoded just now."""
        self._push(frame, captured_ns=captured_ns, encoded_ns=time.monotonic_ns())


def data_max(options: FrameOptions) -> int:
    """Count the data shards of a block that has the whole frame."""
    return max(1, -(-options.frame_bytes // SHARD_BYTES))


def python_sender(
    options: FrameOptions, host: socket.socket, address: tuple[str, int], frame: bytes
) -> PythonSend:
    """Make the baseline; EnvironmentProblem where reed-solomon-leopard is missing and needed."""
    if options.protocol == "gamestream":
        return _gamestream_sender(options, host, address, frame)
    try:
        leopard: Any = importlib.import_module("reed_solomon_leopard")
    except ImportError as error:
        raise EnvironmentProblem(
            "reed-solomon-leopard is not installed", hint="pip install 'punktfunk[bench]'"
        ) from error
    geometry = native.Geometry(SHARD_BYTES, data_max(options), FecScheme.GF16, options.percent)
    encrypt = AESGCM(KEY).encrypt
    sequence = 0

    def parity(data: Sequence[bytes], count: int) -> Sequence[bytes]:
        made: list[bytes] = leopard.encode(data, count)
        return made

    def send() -> None:
        nonlocal sequence
        info = native.FrameInfo(0, 0, sequence, USER_PICTURE | USER_KEY_FRAME)
        for packet in native.build_packets(frame, geometry, options.percent, info, parity):
            head = build_sequence(sequence)
            with contextlib.suppress(BlockingIOError):
                host.sendto(head + encrypt(build_nonce(SALT, sequence), packet, head), address)
            sequence += 1

    return send


def _gamestream_sender(
    options: FrameOptions, host: socket.socket, address: tuple[str, int], frame: bytes
) -> PythonSend:
    code = realtime.Code8(212, 43, _PACKET_BYTES + 16)
    sequence = 0

    def parity(data: Sequence[bytes], count: int) -> list[bytes]:
        rows = np.frombuffer(bytearray(b"".join(data)), np.uint8).reshape(len(data), -1)
        made = np.empty((count, rows.shape[1]), np.uint8)
        code.encode(rows, made)
        return [row.tobytes() for row in made]

    def send() -> None:
        nonlocal sequence
        plan = plan_blocks(len(frame), _PACKET_BYTES, options.percent, _MINIMUM_PARITY)
        assert isinstance(plan, BlockPlan)
        info = FrameInfo(1, FrameType.IDR, 0, sequence, 0)
        for datagram in build_datagrams(frame, _PACKET_BYTES, plan, info, parity):
            with contextlib.suppress(BlockingIOError):
                host.sendto(build_encrypted(KEY, sequence, 1, datagram), address)
            sequence += 1

    return send
