"""A recorded network made whole again: the frames that were sent, and what became of each packet.

Rows name only what came. What was lost follows from the headers: a frame's blocks say how many packets it
had, the place of a packet in the order of sending says which numbers were before it. Of a frame that never
came at all its index is missing, and its packets are those between its neighbours.

Delays are those beyond the session's smallest, and count from the frame's pts: the time that the host took is
among them. ``RecordedWay`` gives the same fate to the same packet of the same frame. Where frames are cut
otherwise than they were (more parity, another rate), a packet gets the fate of the one at its share of the
frame: a loss in the middle stays in the middle.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from punktfunk.control.adapt.budget import FRAME_CEILING_MOST_BYTES
from punktfunk.errors import ConfigError
from punktfunk.measure.network.host_model import Told
from punktfunk.measure.network.recording import Facts, Row
from punktfunk.wire.native.blocks import MAX_PERCENT, Geometry
from punktfunk.wire.native.packet import USER_KEY_FRAME, USER_PICTURE, Header

LEAST_DELAY_NS: Final = 1_000_000
_PACKETS_FOR_EACH, _PACKETS_MORE = 20, 50_000
"""So many packets may have been sent for each that came, and so many more: beyond lies a damaged file."""
_PAUSE_NS: Final = 120 * 1_000_000_000
_GAP_MAX: Final = 100_000
_INDEX: Final = 1 << 32


@dataclass(slots=True)
class SentFrame:
    """One frame as it was sent; ``delays_ns`` has its packets in the order of sending, None where lost."""

    frame_index: int
    pts_ns: int
    frame_bytes: int
    user_flags: int
    delays_ns: list[int | None]
    percent: int


class RecordedWay:
    """A link that does what the recorded one did."""

    def __init__(self, frames: Sequence[SentFrame]) -> None:
        self._frames = frames
        self._starts = [frame.pts_ns for frame in frames]
        self._fates: list[int | None] = []
        self._began_ns = self._place = self._count = 0

    def begin_frame(self, now_ns: int, packet_count: int) -> None:
        """Find the recorded frame of this time."""
        nearest = max(0, bisect_right(self._starts, now_ns) - 1)
        self._fates = self._frames[nearest].delays_ns if self._frames else []
        self._began_ns, self._place, self._count = now_ns, 0, max(1, packet_count)

    def send(self, now_ns: int, packet_bytes: int) -> tuple[int, ...]:
        """Give a packet the fate of the one at its place; times of sending and sizes were recorded too."""
        del now_ns, packet_bytes
        if not self._fates:
            return ()
        place = self._place * len(self._fates) // self._count
        self._place += 1
        delay_ns = self._fates[min(place, len(self._fates) - 1)]
        return () if delay_ns is None else (self._began_ns + LEAST_DELAY_NS + delay_ns,)


def rebuild(facts: Facts, rows: Sequence[Row]) -> list[SentFrame]:
    """Make the frames of a session from the packets that came. ConfigError for what no session leaves."""
    if not rows:
        raise ConfigError("the recording has no packets", hint="Record while a stream runs.")
    geometry = facts.geometry()
    least_ns = min(row.arrival_ns - _pts(row.header) for row in rows)
    by_frame: dict[int, list[Row]] = {}
    for row in rows:
        by_frame.setdefault(_unwrapped(rows[0].header.frame_index, row.header.frame_index), []).append(row)
    most_packets = _PACKETS_FOR_EACH * len(rows) + _PACKETS_MORE
    found: list[SentFrame] = []
    packet_count = 0
    for index in sorted(by_frame):
        frame = _frame(geometry, index, by_frame[index], least_ns)
        packet_count += len(frame.delays_ns)
        if found:
            before, missing = found[-1], index - found[-1].frame_index - 1
            packet_count += missing * len(before.delays_ns)
            if packet_count <= most_packets:
                found += _missing(geometry, before, frame)
        if packet_count > most_packets:
            raise _impossible(f"{len(rows)} packets of which more than {most_packets} must have been sent")
        found.append(frame)
    begin_ns = at_ns = found[0].pts_ns
    for frame in found:
        if frame.pts_ns - at_ns > _PAUSE_NS:
            raise _impossible("frames that lie minutes apart")
        at_ns = max(at_ns, frame.pts_ns)  # a clock that was set back
        frame.pts_ns = at_ns - begin_ns
    return found


def _impossible(what: str) -> ConfigError:
    return ConfigError(f"the recording has {what}", hint="Record again.")


def told(frames: Sequence[SentFrame], *, as_it_was: bool) -> Iterator[Told]:
    """Give the frames to a model host: as they were, or only when they were."""
    for number, frame in enumerate(frames):
        flags = frame.user_flags | (USER_KEY_FRAME if number == 0 else 0)
        yield Told(frame.pts_ns, frame.frame_bytes, flags, frame.percent) if as_it_was else Told(frame.pts_ns)


def _pts(header: Header) -> int:
    """Pts since the first packet's; earlier ones, of reordered packets, are negative."""
    return header.pts_ns - (1 << 64) if header.pts_ns >= 1 << 63 else header.pts_ns


def _unwrapped(first: int, index: int) -> int:
    return (index - first + _INDEX // 2) % _INDEX - _INDEX // 2


def _frame(geometry: Geometry, index: int, rows: Sequence[Row], least_ns: int) -> SentFrame:
    header = rows[0].header
    if max(row.header.frame_bytes for row in rows) > FRAME_CEILING_MOST_BYTES:
        raise _impossible(f"a frame {index} that is larger than any may be")
    if any(row.header.block_count == 0 for row in rows):
        return _streamed(geometry, index, rows, least_ns)
    percent = _percent(geometry, rows)
    blocks = geometry.blocks(header.frame_bytes, percent)
    delays: list[int | None] = [None] * sum(block.data_count + block.parity_count for block in blocks)
    data_total = sum(block.data_count for block in blocks)
    for row in rows:
        one = row.header
        if one.block_index >= len(blocks) or one.data_count != blocks[one.block_index].data_count:
            raise _impossible(f"a frame {index} that is cut as no host does")
        before = blocks[: one.block_index]
        if one.is_parity:
            place = (
                data_total + sum(block.parity_count for block in before) + one.shard_index - one.data_count
            )
        else:
            place = sum(block.data_count for block in before) + one.shard_index
        if place < len(delays):
            delays[place] = row.arrival_ns - _pts(one) - least_ns
    return SentFrame(index, _pts(header), header.frame_bytes, header.user_flags, delays, percent)


def _streamed(geometry: Geometry, index: int, rows: Sequence[Row], least_ns: int) -> SentFrame:
    """Make a frame that left in pieces while it was encoded: packets in the order of their numbers."""
    first = min(row.sequence for row in rows)
    count = min(max(row.sequence for row in rows) - first + 1, _GAP_MAX)
    delays: list[int | None] = [None] * count
    for row in rows:
        if row.sequence - first < count:
            delays[row.sequence - first] = row.arrival_ns - _pts(row.header) - least_ns
    known = [row.header.frame_bytes for row in rows if row.header.block_count]
    data_count = sum(not row.header.is_parity for row in rows)
    frame_bytes = known[0] if known else data_count * geometry.shard_bytes
    header = rows[0].header
    return SentFrame(index, _pts(header), frame_bytes, header.user_flags, delays, geometry.welcome_percent)


def _percent(geometry: Geometry, rows: Sequence[Row]) -> int:
    """Find the percentage that gives the blocks the parity that they had; the nearest, if none does."""
    seen = {(row.header.data_count, row.header.parity_count) for row in rows}

    def off(percent: int) -> int:
        return sum(abs(geometry.parity_count(data, percent) - parity) for data, parity in seen)

    return min(range(MAX_PERCENT + 1), key=lambda percent: (off(percent), percent))


def _missing(geometry: Geometry, before: SentFrame, after: SentFrame) -> list[SentFrame]:
    """Make the frames between two, of which nothing came: as large as the one before, evenly spread."""
    count = after.frame_index - before.frame_index - 1
    packets = len(before.delays_ns)
    step_ns = (after.pts_ns - before.pts_ns) // (count + 1)
    return [
        SentFrame(
            before.frame_index + number,
            before.pts_ns + step_ns * number,
            min(before.frame_bytes, packets * geometry.shard_bytes),
            USER_PICTURE,
            [None] * packets,
            before.percent,
        )
        for number in range(1, count + 1)
    ]
