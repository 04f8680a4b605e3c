"""What cuts frames and puts them together in a simulation: by counting, or by the product's kernels.

Counting knows headers only; any K shards of a block are enough. The kernels make real parity of real bytes
and repair it, and every frame that comes is compared. Both follow the same rules, so both give the same
result; tests hold them to it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

from punktfunk import realtime
from punktfunk.control.adapt.budget import frame_ceiling
from punktfunk.plan import MediaCipher, ReceivePlan
from punktfunk.wire.native.blocks import (
    MAX_PERCENT,
    FrameInfo,
    Geometry,
    build_packets,
    emission_order,
    wanted_parity,
)
from punktfunk.wire.native.packet import (
    FLAG_FIRST_PACKET,
    FLAG_LAST_PACKET,
    FLAG_PICTURE,
    FecScheme,
    Header,
    parse_packet,
)
from punktfunk.wire.native.placing import ReceiveLimits
from punktfunk.wire.native.reassembly import Reassembler

if TYPE_CHECKING:
    from punktfunk.realtime import Code8, Code16

_PERIOD: Final = 251
_COUNTED: Final = ("recovered_shards", "late_shards", "dropped_frames", "frames")


class Packet(NamedTuple):
    """A packet on its way; ``data`` is empty where bytes do not matter."""

    header: Header
    data: bytes


class Completed(Protocol):
    """A frame that came whole."""

    @property
    def frame_index(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def pts_ns(self) -> int: ...  # noqa: D102
    @property
    def user_flags(self) -> int: ...  # noqa: D102
    @property
    def first_ns(self) -> int: ...  # noqa: D102
    @property
    def recovered_count(self) -> int: ...  # noqa: D102


class Engine(Protocol):
    """Both ends of the media plane."""

    corrupt_count: int

    def cut(self, frame_bytes: int, percent: int, info: FrameInfo) -> list[Packet]:
        """Make all packets of a frame in the order of sending."""

    def take(self, packet: Packet, now_ns: int) -> Completed | None:
        """Take a packet that arrived; the frame that it completes."""

    def counts(self) -> dict[str, int]:
        """Give the receiver's counts."""


class CountingEngine:
    """Headers only: fast enough for a sweep."""

    corrupt_count = 0

    def __init__(self, geometry: Geometry, bitrate_kbps: int, refresh_hz: int) -> None:
        self._geometry = geometry
        ceiling = frame_ceiling(bitrate_kbps, refresh_hz)
        self._receiver = Reassembler(
            ReceiveLimits(geometry.data_max, geometry.fec_scheme, geometry.shard_bytes, ceiling)
        )

    def cut(self, frame_bytes: int, percent: int, info: FrameInfo) -> list[Packet]:
        """Make all headers of a frame in the order of sending."""
        geometry = self._geometry
        blocks = geometry.blocks(frame_bytes, percent)
        order = list(emission_order(blocks))
        packets = []
        for place, (block_index, shard_index) in enumerate(order):
            flags = FLAG_PICTURE | (FLAG_FIRST_PACKET if place == 0 else 0)
            flags |= FLAG_LAST_PACKET if place == len(order) - 1 else 0
            header = Header(
                info.pts_ns, info.frame_index, info.first_stream_sequence + place, frame_bytes,
                info.user_flags, block_index, len(blocks), *blocks[block_index], shard_index,
                geometry.shard_bytes, geometry.fec_scheme, flags,
            )  # fmt: skip
            packets.append(Packet(header, b""))
        return packets

    def take(self, packet: Packet, now_ns: int) -> Completed | None:
        """Count a packet; the frame that it completes."""
        return self._receiver.push_shard(packet.header, b"", now_ns)

    def counts(self) -> dict[str, int]:
        """Give the receiver's counts."""
        return {name: getattr(self._receiver.counts, name) for name in _COUNTED}


class KernelEngine:
    """The product's kernels: parity, reassembly and repair of real bytes, compared."""

    def __init__(self, geometry: Geometry, bitrate_kbps: int, refresh_hz: int) -> None:
        self._geometry = geometry
        ceiling = frame_ceiling(bitrate_kbps, refresh_hz)
        settled = geometry.data_max, int(geometry.fec_scheme), geometry.welcome_percent
        self._receiver = realtime.Reassembly(
            ReceivePlan(geometry.shard_bytes, *settled, MediaCipher.AES_128_GCM, None, bytes(4), ceiling)
        )
        self._codes: dict[tuple[int, int], Code8 | Code16] = {}
        self._pattern = bytes(range(_PERIOD)) * (ceiling // _PERIOD + 2)
        self._sizes: dict[int, int] = {}
        self.corrupt_count = 0

    def cut(self, frame_bytes: int, percent: int, info: FrameInfo) -> list[Packet]:
        """Make all packets of a frame in the order of sending, with real parity."""
        self._sizes[info.frame_index] = frame_bytes
        unit = self._unit(info.frame_index, frame_bytes)
        built = build_packets(unit, self._geometry, percent, info, self._parity)
        return [Packet(parse_packet(data)[0], data) for data in built]

    def take(self, packet: Packet, now_ns: int) -> Completed | None:
        """Hand a packet to the kernels; the frame that it completes, after comparing it."""
        self._receiver.take([packet.data], now_ns)
        frame = self._receiver.pop()
        if frame is not None:
            size = self._sizes.pop(frame.frame_index)
            self.corrupt_count += frame.access_unit != self._unit(frame.frame_index, size)
        return frame

    def counts(self) -> dict[str, int]:
        """Give the receiver's counts."""
        found = self._receiver.counters()
        return {name: found[name] for name in _COUNTED}

    def _unit(self, frame_index: int, frame_bytes: int) -> bytes:
        begin = frame_index % _PERIOD
        return self._pattern[begin : begin + frame_bytes]

    def _parity(self, data: Sequence[bytes], parity_count: int) -> list[bytes]:
        shards = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1).copy()
        made = np.zeros((parity_count, self._geometry.shard_bytes), np.uint8)
        self._code(len(data), parity_count).encode(shards, made)
        return [row.tobytes() for row in made]

    def _code(self, data_count: int, parity_count: int) -> "Code8 | Code16":
        """One code for all shapes of GF(2^16), which cost memory; one for each of GF(2^8)."""
        geometry = self._geometry
        wide = geometry.fec_scheme is FecScheme.GF16
        shape = (
            (geometry.data_max, wanted_parity(geometry.data_max, MAX_PERCENT))
            if wide
            else (data_count, parity_count)
        )
        if shape not in self._codes:
            kind = realtime.Code16 if wide else realtime.Code8
            self._codes[shape] = kind(*shape, geometry.shard_bytes)
        return self._codes[shape]


ENGINES: Final[dict[str, type[CountingEngine] | type[KernelEngine]]] = {
    "model": CountingEngine,
    "kernels": KernelEngine,
}
