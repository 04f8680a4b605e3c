"""The flight recorder: every stage stamp of the last minutes' frames, in a ring that is never locked.

One row of whole numbers for each frame; the newest overwrites the oldest, so memory is fixed and recording is
always on. A host's rows and a client's name the same frame by its pts. What they mean, and what made a frame
late, is said by ``measure.flight``. All times are nanoseconds of the writer's CLOCK_MONOTONIC, but for the
pts, which is the host's CLOCK_REALTIME.

One thread appends rows; stamps that come later (decoded, presented) are patched in by whoever has them, each
by one store. A reader copies and leaves out what was overwritten meanwhile.
"""

import time
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from punktfunk.realtime import SentFrame

FORMAT: Final = "punktfunk-flight"
VERSION: Final = 1
HOST_COLUMNS: Final = (
    "pts_ns", "captured_ns", "begun_ns", "encoded_ns", "first_sent_ns", "last_sent_ns", "frame_bytes",
    "packets", "parity_percent", "send_thread", "send_cpu",
)  # fmt: skip
CLIENT_COLUMNS: Final = (
    "pts_ns", "frame_index", "user_flags", "first_ns", "complete_ns", "packets", "data_packets", "recovered",
    "taken_ns", "decoded_ns", "presented_ns", "shown", "offset_ns", "decode_thread", "decode_cpu",
)  # fmt: skip
USUAL_FRAMES: Final = 1 << 15
"""Four and a half minutes at 120 frames a second, and 4 MB."""
_PATCHED_FRAMES: Final = 256
_CPU_FIELD: Final = 36  # of /proc/self/task/N/stat, counted behind the name in brackets
_CPU_EVERY: Final = 8


@dataclass(frozen=True, slots=True)
class Left:
    """A frame that left, of a pipeline that knows no ``SentFrame``; the fields are the same."""

    pts_ns: int
    captured_ns: int
    begun_ns: int
    encoded_ns: int
    first_ns: int
    last_ns: int
    frame_bytes: int
    datagram_count: int


class Received(Protocol):
    """What a client knows of a frame that came: ``realtime.ReceivedFrame``."""

    @property
    def frame_index(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def pts_ns(self) -> int: ...  # noqa: D102
    @property
    def user_flags(self) -> int: ...  # noqa: D102
    @property
    def first_ns(self) -> int: ...  # noqa: D102
    @property
    def complete_ns(self) -> int: ...  # noqa: D102
    @property
    def packet_count(self) -> int: ...  # noqa: D102
    @property
    def data_count(self) -> int: ...  # noqa: D102
    @property
    def recovered_count(self) -> int: ...  # noqa: D102


class FlightRing:
    """``frame_count`` rows of named whole numbers; all memory is taken at once."""

    def __init__(self, columns: Sequence[str], frame_count: int = USUAL_FRAMES) -> None:
        self.columns = tuple(columns)
        self._width = len(self.columns)
        self._frame_count = frame_count
        self._cells = array("q", bytes(8 * self._width * frame_count))
        self._head = 0

    def append(self, values: Sequence[int]) -> int:
        """Write a row; its position, by which ``patch`` finds it."""
        begin = self._head % self._frame_count * self._width
        self._cells[begin : begin + self._width] = array("q", values)
        self._head += 1
        return self._head - 1

    def patch(self, position: int, column: str, value: int) -> None:
        """Set one number of a row; nothing happens to a row that is overwritten already."""
        if self._head - position <= self._frame_count:
            place = position % self._frame_count * self._width
            self._cells[place + self.columns.index(column)] = value

    def rows(self, most: int | None = None) -> list[list[int]]:
        """Copy the newest rows, oldest first."""
        head = self._head
        count = min(head, self._frame_count, head if most is None else most)
        found = []
        for position in range(head - count, head):
            begin = position % self._frame_count * self._width
            found.append(self._cells[begin : begin + self._width].tolist())
        overwritten = max(0, self._head - self._frame_count - (head - count))
        return found[overwritten:]

    @property
    def count(self) -> int:
        """Frames that were written so far."""
        return self._head


class _Cpu:
    """On which CPU a thread ran last, looked up once in a few frames."""

    def __init__(self) -> None:
        self._thread_id = self._cpu = -1
        self._turn = 0

    def of(self, thread_id: int) -> int:
        if thread_id != self._thread_id or self._turn % _CPU_EVERY == 0:
            self._thread_id, self._cpu = thread_id, last_cpu(thread_id)
        self._turn += 1
        return self._cpu


def last_cpu(thread_id: int) -> int:
    """Read on which CPU a thread of ours ran last; -1 where the system does not say."""
    try:
        stat = Path(f"/proc/self/task/{thread_id}/stat").read_bytes()
        return int(stat[stat.rindex(b")") + 2 :].split()[_CPU_FIELD])
    except (OSError, ValueError, IndexError):
        return -1


class HostFlight:
    """Frames of one session as its host saw them; for one thread."""

    def __init__(self, name: str, frame_count: int = USUAL_FRAMES) -> None:
        self.name = name
        self._ring = FlightRing(HOST_COLUMNS, frame_count)
        self._cpu = _Cpu()

    def note_sent(
        self, frames: Iterable["SentFrame | Left"], *, parity_percent: int, send_thread: int = -1
    ) -> None:
        """Note frames that have left. ``send_thread`` is pf-send's native id, for its CPU."""
        for frame in frames:
            self._ring.append((
                frame.pts_ns, frame.captured_ns, frame.begun_ns, frame.encoded_ns, frame.first_ns,
                frame.last_ns, frame.frame_bytes, frame.datagram_count, parity_percent, send_thread,
                self._cpu.of(send_thread) if send_thread > 0 else -1,
            ))  # fmt: skip

    def recording(self, most: int | None = None) -> dict[str, Any]:
        """Give the newest frames as plain values, ready for JSON."""
        return _recording("host", self.name, self._ring, most)


class ClientFlight:
    """Frames of one session as its client saw them.

    ``note_taken`` belongs to the decode thread; the other two may come from anywhere.
    """

    def __init__(self, name: str, frame_count: int = USUAL_FRAMES) -> None:
        self.name = name
        self._ring = FlightRing(CLIENT_COLUMNS, frame_count)
        self._cpu = _Cpu()
        self._open: OrderedDict[int, int] = OrderedDict()

    def note_taken(
        self, frame: Received, taken_ns: int, *, offset_ns: int = 0, decode_thread: int = -1
    ) -> None:
        """Note a frame that the decoder takes now. ``offset_ns``: host's realtime clock minus ours."""
        position = self._ring.append((
            frame.pts_ns, frame.frame_index, frame.user_flags, frame.first_ns, frame.complete_ns,
            frame.packet_count, frame.data_count, frame.recovered_count, taken_ns, 0, 0, 0, offset_ns,
            decode_thread, self._cpu.of(decode_thread) if decode_thread > 0 else -1,
        ))  # fmt: skip
        self._open[frame.frame_index] = position
        if len(self._open) > _PATCHED_FRAMES:
            self._open.popitem(last=False)

    def note_decoded(self, frame_index: int, decoded_ns: int, *, shown: bool) -> None:
        """Note that the decoder is done with a frame, and whether its picture may be shown."""
        position = self._open.get(frame_index)
        if position is not None:
            self._ring.patch(position, "decoded_ns", decoded_ns)
            self._ring.patch(position, "shown", int(shown))

    def note_presented(self, frame_index: int, presented_ns: int) -> None:
        """Note that a picture is on the screen."""
        position = self._open.get(frame_index)
        if position is not None:
            self._ring.patch(position, "presented_ns", presented_ns)

    def recording(self, most: int | None = None) -> dict[str, Any]:
        """Give the newest frames as plain values, ready for JSON."""
        return _recording("client", self.name, self._ring, most)


def _recording(side: str, name: str, ring: FlightRing, most: int | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "side": side,
        "name": name,
        "monotonic_ns": time.monotonic_ns(),
        "realtime_ns": time.time_ns(),
        "columns": list(ring.columns),
        "rows": ring.rows(most),
    }
