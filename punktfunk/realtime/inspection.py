"""What a client without a window does with frames: count, check, stamp, record.

A row for each access unit in the order of completion. Pictures of the test card are read: their barcode says
which frame was drawn and when (``capture.barcode``). Units of the synthetic source are compared byte by byte:
unit i holds i in its first four bytes and then (i + j) mod 256 at byte j (punktfunk-1 section 2.16).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from punktfunk.realtime.capture import barcode
from punktfunk.realtime.decode.base import DecodedPicture, Judge, Unit, UnitSource
from punktfunk.realtime.recording import Recorder
from punktfunk.wire.native.packet import USER_KEY_FRAME, USER_REPEATED

ROWS_MAX: Final = 1 << 20
POP_NS: Final = 50_000_000
_PENDING_MAX: Final = 64


@dataclass(slots=True)
class FrameRow:
    """One access unit. Times are CLOCK_MONOTONIC, but ``pts_ns``; 0 where a stage was not reached.

    ``number`` and ``stamp_ns`` are the barcode's: the picture's number, and the host's CLOCK_MONOTONIC.
    """

    frame_index: int
    pts_ns: int
    user_flags: int
    unit_bytes: int
    packet_count: int
    recovered_count: int
    data_count: int
    first_ns: int
    complete_ns: int
    decode_ns: int = 0
    decoded_ns: int = 0
    width_px: int = 0
    height_px: int = 0
    number: int | None = None
    stamp_ns: int = 0
    readable: bool | None = None  # None: nobody looked
    intact: bool | None = None  # of synthetic units; None: it is none

    @property
    def is_key(self) -> bool:
        """Whether the host marked it as a key frame."""
        return bool(self.user_flags & USER_KEY_FRAME)

    @property
    def is_repeat(self) -> bool:
        """Whether the host marked it as the last picture once more."""
        return bool(self.user_flags & USER_REPEATED)


class FrameInspector:
    """Stands between a receiver and a decoder, as the source of the one and the audience of the other.

    One thread pops and shows, another may read ``rows``. ``done`` is called by the former, once, when
    ``wanted`` of them are there and through.
    """

    def __init__(
        self, source: UnitSource, wanted: int, done: Callable[[], None], recorder: Recorder | None = None
    ) -> None:
        self._source = source
        self._wanted = wanted
        self._done = done
        self._recorder = recorder
        self._recording = threading.Lock()
        self._pending: OrderedDict[int, FrameRow] = OrderedDict()
        self.rows: list[FrameRow] = []

    def pop(self, timeout_ns: int) -> Unit | None:
        """Take the oldest unit, note and record it; None after the timeout. For the decoder's thread."""
        if self._wanted and len(self.rows) >= self._wanted:
            # Whoever asks for more is through with the last one.
            self._wanted = 0
            self._done()
        unit = self._source.pop(timeout_ns)
        if unit is None:
            return None
        row = FrameRow(
            unit.frame_index,
            unit.pts_ns,
            unit.user_flags,
            len(unit.access_unit),
            getattr(unit, "packet_count", 0),
            getattr(unit, "recovered_count", 0),
            getattr(unit, "data_count", 0),
            unit.first_ns,
            unit.complete_ns,
            intact=is_intact(unit.access_unit),
        )
        if len(self.rows) < ROWS_MAX:
            self.rows.append(row)
        self._pending[unit.frame_index] = row
        while len(self._pending) > _PENDING_MAX:
            self._pending.popitem(last=False)
        if self._recorder is not None:
            with self._recording:
                self._recorder.video(unit.access_unit, unit.pts_ns, is_key=row.is_key)
        return unit

    def show(self, picture: DecodedPicture) -> None:
        """Read a picture that may be shown; for the decoder's thread."""
        row = self._pending.get(picture.unit.frame_index)
        if row is None:
            return
        row.decode_ns, row.decoded_ns = picture.decode_ns, picture.decoded_ns
        row.width_px, row.height_px = picture.frame.width, picture.frame.height
        stamp = barcode.read(luma(picture.frame))
        row.readable = stamp is not None
        if stamp is not None:
            row.number, row.stamp_ns = stamp.frame_number, stamp.captured_ns

    def sound(self, opus: bytes, pts_ns: int) -> None:
        """Record a packet of sound, if anything is recorded; for any thread."""
        if self._recorder is not None:
            with self._recording:
                self._recorder.sound(opus, pts_ns)

    def close(self) -> None:
        """Finish the recording; nothing may pop any more."""
        if self._recorder is not None:
            with self._recording:
                self._recorder.close()


class PlainReader:
    """Takes units without decoding them, on a thread of its own: for rates that no decoder keeps up with."""

    def __init__(self, inspector: FrameInspector, judge: Judge) -> None:
        self._inspector = inspector
        self._judge = judge
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pf-inspect", daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, join_ns: int) -> bool:
        """End the thread within ``join_ns``; False if it hangs."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(join_ns / 1e9)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                unit = self._inspector.pop(POP_NS)
                if unit is not None and self._judge.arrived(unit):
                    is_key = bool(unit.user_flags & USER_KEY_FRAME)
                    self._judge.decoded(unit, produced=True, is_key=is_key)
        except Exception as error:  # noqa: BLE001 -- the receiver's own failure reaches the session elsewhere
            self.failure = error


def luma(frame: Any) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Give the luma plane of a decoded planar frame, (height, width) uint8, without a copy."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8)[: frame.height * plane.line_size]
    return rows.reshape(frame.height, plane.line_size)[:, : frame.width]


def is_intact(unit: bytes) -> bool | None:
    """Compare a unit with the synthetic source's; None if it begins like none of those."""
    if len(unit) < 64:
        return None
    number = int.from_bytes(unit[:4], "little")
    body = np.frombuffer(unit, np.uint8, offset=4)
    # An encoder's unit never looks like this: sixteen bytes counting up right behind the number.
    if any(int(body[at]) != (number + at + 4) & 0xFF for at in range(16)):
        return None
    expected = (np.arange(4, len(unit), dtype=np.int64) + number).astype(np.uint8)
    return bool(np.array_equal(body, expected))
