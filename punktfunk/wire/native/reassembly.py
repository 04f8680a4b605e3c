"""A receiver of punktfunk/1 in plain Python: opened packets in, access units out.

This is the model that the kernels of ``realtime.receive`` are held equal to, count for count, and what
anything without a hot path uses. Nothing is stored for a packet before all of it is believed (``placing``),
and everything that is stored has room in ``slabs``: what finds none is dropped and counted.

A block is done when any K of its shards are there; a frame when all its blocks are, and the total is known. A
frame that is more than 64 indices or 120 ms of pts behind the newest is given up. Which ones are delivered or
given up is remembered for 64 indices, and which of their shards only parity has brought: such a shard that
comes after all was late, not lost. Video and probe filler count their frames apart, in a ``Window`` each.

Spec: punktfunk-1.md section 2.7. Left out: frames handed over with holes, and in pieces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.native.packet import HEADER_BYTES, USER_PROBE, USER_SLICES, Header, parse_packet
from punktfunk.wire.native.placing import IN_FLIGHT_FRAMES, Place, ReceiveLimits, find_place
from punktfunk.wire.native.slabs import SLAB_BYTES, Slabs
from punktfunk.wire.native.unfinished import Block, Frame, Window, contradicts, overlaps

LOSS_WINDOW: Final = 64
LOSS_WINDOW_NS: Final = 120_000_000
_HALF: Final = 0x7FFFFFFF
_U32: Final = 0xFFFFFFFF

Recover = Callable[[Sequence[bytes | None], int], Sequence[bytes] | None]
"""(data and parity shards, None where missing; data count) -> all data shards, or None if it cannot."""


class Unit(NamedTuple):
    """One access unit, and how it came; times are those given to ``push``."""

    frame_index: int
    pts_ns: int
    user_flags: int
    data: bytes
    first_ns: int
    complete_ns: int
    packet_count: int
    recovered_count: int
    data_count: int
    block_count: int


@dataclass(slots=True)
class Counts:
    """What became of packets, shards and frames; the names are those of ``VideoReceiver.counters``."""

    packets: int = 0
    media_bytes: int = 0
    malformed: int = 0
    contradicting: int = 0
    surplus: int = 0
    stale: int = 0
    no_room: int = 0
    recovered_shards: int = 0
    late_shards: int = 0
    failed_blocks: int = 0
    frames: int = 0
    dropped_frames: int = 0
    probe_packets: int = 0
    probe_bytes: int = 0
    probe_frames: int = 0


class Reassembler:
    """Packets of one session. ``recover`` is the erasure code of the session's scheme.

    Without one, shards are only counted: any K of a block are enough, and units come without their bytes.
    """

    def __init__(self, limits: ReceiveLimits, recover: Recover | None = None) -> None:
        self._limits = limits
        self._recover = recover
        self.slabs = Slabs(-(-IN_FLIGHT_FRAMES * limits.frame_bytes_max // SLAB_BYTES))
        self.counts = Counts()
        self._windows = (Window(), Window())

    @property
    def newest_index(self) -> int:
        """Of the newest video frame that was heard of; -1 before any."""
        return self._windows[0].newest_index

    def flush(self) -> None:
        """Forget all frames: what comes next begins anew."""
        self.slabs = Slabs(-(-IN_FLIGHT_FRAMES * self._limits.frame_bytes_max // SLAB_BYTES))
        self._windows = (Window(), Window())

    def push(self, packet: bytes, now_ns: int = 0) -> Unit | None:
        """Take one opened packet; the video frame that it completes."""
        try:
            header, payload = parse_packet(packet)
        except RemoteProtocolError:
            self.counts.packets += 1
            self.counts.malformed += 1
            return None
        return self.push_shard(header, payload, now_ns, packet_bytes=len(packet))

    def push_shard(
        self, header: Header, payload: bytes = b"", now_ns: int = 0, *, packet_bytes: int = 0
    ) -> Unit | None:
        """Take one packet that ``parse_packet`` would have read; the video frame that it completes.

        Where there is nothing to recover with, the payload may be left out. ``packet_bytes`` defaults to
        those of header and shard.
        """
        self.counts.packets += 1
        place = find_place(header, self._limits)
        if place is None:
            self.counts.malformed += 1
            return None
        if header.user_flags & USER_PROBE:
            self.counts.probe_packets += 1
            self.counts.probe_bytes += packet_bytes or HEADER_BYTES + header.shard_bytes
        elif not header.is_parity:
            self.counts.media_bytes += header.shard_bytes
        return self._place(header, place, payload, now_ns)

    def _place(self, header: Header, place: Place, payload: bytes, now_ns: int) -> Unit | None:
        window = self._windows[bool(header.user_flags & USER_PROBE)]
        self._advance(window, header)
        if self._is_over(window, header, place):
            return None
        frame = self._open_frame(window, header, place, now_ns)
        if frame is None or not self._agree(window, frame, header, place):
            return None
        block = self._open_block(frame, header, place)
        if block is None or not self._store(frame, block, header, payload):
            return None
        if len(block.shards) >= block.data_count:
            self._finish_block(frame, block)
        if not frame.block_count or frame.done_count < frame.block_count:
            return None
        return self._finish_frame(window, frame, header.frame_index, now_ns)

    def _is_over(self, window: Window, header: Header, place: Place) -> bool:
        """Whether a packet's frame is delivered, given up, or too old to begin."""
        restored = window.finished.get(header.frame_index)
        if restored is not None:
            if not header.is_parity and place.base + header.shard_index in restored:
                restored.remove(place.base + header.shard_index)
                self.counts.late_shards += 1
            self.counts.surplus += 1
            return True
        behind_ns = window.newest_pts_ns - header.pts_ns
        stale = window.behind(header.frame_index) > LOSS_WINDOW or behind_ns > LOSS_WINDOW_NS
        self.counts.stale += stale
        return stale

    def _advance(self, window: Window, header: Header) -> None:
        """Move the newest frame, give up what falls behind, forget what is long over."""
        newest = window.newest_index, window.newest_pts_ns
        newer = (header.frame_index - window.newest_index) & _U32
        if (window.newest_index >= 0 and newer > _HALF) or newest == (header.frame_index, header.pts_ns):
            return
        window.newest_index, window.newest_pts_ns = header.frame_index, header.pts_ns
        for index, frame in list(window.frames.items()):
            behind_ns = window.newest_pts_ns - frame.pts_ns
            if window.behind(index) > LOSS_WINDOW or behind_ns > LOSS_WINDOW_NS:
                self._end(window, index, frame)
                self._note_dropped(frame)
        window.finished = {
            index: late for index, late in window.finished.items() if window.behind(index) <= LOSS_WINDOW
        }

    def _end(self, window: Window, index: int, frame: Frame) -> None:
        """Free a frame's memory and remember it."""
        del window.frames[index]
        window.finished[index] = {
            block.base + shard for block in frame.blocks.values() for shard in block.restored
        }
        for block in frame.blocks.values():
            self._free_parity(block)
        self.slabs.free(frame.run)

    def _free_parity(self, block: Block) -> None:
        if block.parity:
            self.slabs.free(block.parity)
            block.parity = None

    def _note_dropped(self, frame: Frame) -> None:
        if not frame.user_flags & USER_PROBE:
            self.counts.dropped_frames += 1

    def _open_frame(self, window: Window, header: Header, place: Place, now_ns: int) -> Frame | None:
        frame = window.frames.get(header.frame_index)
        if frame is None:
            run = self.slabs.take(place.data_total * header.shard_bytes)
            if run is None:
                self.counts.no_room += 1
                return None
            frame = Frame(header.shard_bytes, header.pts_ns, header.user_flags, run, place.data_total, now_ns)
            if header.block_count:
                frame.learn(header, place)
            window.frames[header.frame_index] = frame
        return frame

    def _agree(self, window: Window, frame: Frame, header: Header, place: Place) -> bool:
        """Hold a packet against what its frame is known to be, and let it tell more."""
        slices = header.user_flags & USER_SLICES
        agrees = frame.shard_bytes == header.shard_bytes and frame.user_flags & USER_SLICES == slices
        if agrees and header.block_count == 0 and frame.block_count:
            agrees = header.block_index + 1 < frame.block_count
            if agrees and slices:
                agrees = place.base + header.data_count <= frame.last_base
        elif agrees and header.block_count and not frame.block_count:
            if contradicts(frame, header, place):
                self._end(window, header.frame_index, frame)
                self._note_dropped(frame)
                agrees = False
            else:
                frame.learn(header, place)
        elif agrees and header.block_count:
            agrees = (frame.block_count, frame.frame_bytes) == (header.block_count, header.frame_bytes)
        if not agrees:
            self.counts.contradicting += 1
            return False
        if place.data_total > frame.data_total:
            run = self.slabs.grow(frame.run, place.data_total * header.shard_bytes)
            if run is None:
                self.counts.no_room += 1
                return False
            frame.run, frame.data_total = run, place.data_total
        return True

    def _open_block(self, frame: Frame, header: Header, place: Place) -> Block | None:
        block = frame.blocks.get(header.block_index)
        if block is None and not overlaps(frame, header, place):
            block = Block(header.data_count, header.parity_count, place.base)
            frame.blocks[header.block_index] = block
        asked = (header.data_count, header.parity_count, place.base)
        if block is None or (block.data_count, block.parity_count, block.base) != asked:
            self.counts.contradicting += 1
            return None
        return block

    def _store(self, frame: Frame, block: Block, header: Header, payload: bytes) -> bool:
        """Keep a shard; whether the block has one more than before."""
        shard = header.shard_index
        if block.done:
            self.counts.surplus += 1
            if shard in block.restored:
                block.restored.remove(shard)
                self.counts.late_shards += 1
            return False
        if shard in block.shards:
            return False
        if header.is_parity and block.parity is None:
            block.parity = self.slabs.take(block.parity_count * header.shard_bytes)
            if block.parity is None:
                self.counts.no_room += 1
                return False
        block.shards[shard] = payload
        frame.packet_count += 1
        return True

    def _finish_block(self, frame: Frame, block: Block) -> None:
        count = block.data_count
        missing = {shard for shard in range(count) if shard not in block.shards}
        block.done = True
        self._free_parity(block)
        if missing and not self._rebuild(block):
            self.counts.failed_blocks += 1
            return
        block.restored = missing
        self.counts.recovered_shards += len(missing)
        frame.recovered_count += len(missing)
        frame.done_count += 1

    def _rebuild(self, block: Block) -> bool:
        if self._recover is None:
            return True
        shards = [block.shards.get(shard) for shard in range(block.data_count + block.parity_count)]
        data = self._recover(shards, block.data_count)
        block.shards = dict(enumerate(data or ()))
        return data is not None

    def _finish_frame(self, window: Window, frame: Frame, index: int, now_ns: int) -> Unit | None:
        ordered = [frame.blocks[number] for number in sorted(frame.blocks)]
        self._end(window, index, frame)
        ends = [block.base + block.data_count for block in ordered]
        if [block.base for block in ordered] != [0, *ends[:-1]]:
            self.counts.contradicting += 1
            self._note_dropped(frame)
            return None
        if frame.user_flags & USER_PROBE:
            self.counts.probe_frames += 1
            return None
        self.counts.frames += 1
        data = b""
        if self._recover:
            data = b"".join(block.shards[shard] for block in ordered for shard in range(block.data_count))
        return Unit(
            index, frame.pts_ns, frame.user_flags, data[: frame.frame_bytes], frame.first_ns, now_ns,
            frame.packet_count, frame.recovered_count, frame.data_total, frame.block_count,
        )  # fmt: skip
