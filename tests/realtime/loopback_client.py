"""A client on a loopback socket: datagrams to frames, frames to pictures. Nothing may be lost here."""

import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from stream_helpers import decode_one, decoder, luma

from punktfunk.realtime.capture import barcode
from punktfunk.wire.gamestream.video import parse_datagram, parse_frame_header
from punktfunk.wire.gamestream.video_blocks import FRAME_HEADER_BYTES
from punktfunk.wire.gamestream.video_encryption import parse_encrypted


@dataclass
class Frame:
    index: int
    header: object
    timestamp_90k: int
    data: bytes


class LoopbackClient:
    """Two sockets: the client's own, and the one that the host sends from."""

    def __init__(self, codec=None, key=None, family=socket.AF_INET):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.host_socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.socket.settimeout(10)
        self.host_socket.setblocking(False)  # noqa: FBT003
        self.key = key
        self.decoder = decoder(codec) if codec else None

    def close(self):
        self.socket.close()
        self.host_socket.close()

    @property
    def address(self):
        return self.socket.getsockname()

    def frame(self):
        """The next frame, put together from its data shards."""
        shards, payloads, timestamps = {}, [], set()
        while True:
            datagram = self.socket.recv(65536)
            if self.key:
                _, _, datagram = parse_encrypted(self.key, datagram)
            shard = parse_datagram(datagram)
            if shard.shard_index >= shard.data_count:
                continue
            timestamps.add(shard.timestamp_90k)
            shards[shard.block_index, shard.shard_index] = shard
            if len(shards) == shard.data_count and shard.block_index == shard.last_block_index == 0:
                break
        payloads = [shards[place].payload for place in sorted(shards)]
        header = parse_frame_header(payloads[0])
        payloads[-1] = payloads[-1][: header.last_payload_bytes]
        (index,) = {shard.frame_index for shard in shards.values()}
        (timestamp_90k,) = timestamps
        return Frame(index, header, timestamp_90k, b"".join(payloads)[FRAME_HEADER_BYTES:])

    def picture(self):
        """The next frame and the stamp that can be read in it."""
        frame = self.frame()
        return frame, barcode.read(luma(decode_one(self.decoder, frame.data)))


def open_things():
    """What a pipeline could leave behind: threads and open files."""
    tasks = {entry.name for entry in Path("/proc/self/task").iterdir()}
    files = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            files[entry.name] = str(entry.readlink())
        except FileNotFoundError:
            continue
    return tasks, files


def nothing_left(before):
    """Whether only what `open_things` found before is there. The kernel forgets a thread after Python has."""
    deadline = time.monotonic() + 5
    while True:
        tasks, files = open_things()
        if tasks <= before[0] and files == before[1]:
            return True
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.005)
