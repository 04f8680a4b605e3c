"""Whether a stream's frames are what the host sent: all there, in order, readable, undamaged.

The test card's barcode numbers its pictures; units of the synthetic source are compared byte by byte. A
number that comes twice is a picture that the host sent again (it had no newer one); a number that is missing
is one that the host never encoded, unless a frame index is missing too: only those are losses.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from punktfunk.realtime import FrameRow

_MASK = 0xFFFFFFFF
_HALF = 1 << 31


@dataclass(frozen=True, slots=True)
class Verification:
    """Counts of one session. ``what`` is ``barcodes``, ``synthetic`` or ``nothing``."""

    what: str
    frames: int
    lost: int  # frame indices that never came
    decoded: int
    held: int  # decoded, or not, while the picture was frozen
    unreadable: int  # pictures shown without a readable barcode, or units that differ
    reordered: int  # barcodes that went back
    repeated: int  # the same picture again
    skipped: int  # pictures that the host left out

    @property
    def ok(self) -> bool:
        """Whether everything that came was right; losses and held pictures are a network's fault."""
        return self.frames > 0 and self.what != "nothing" and not self.unreadable and not self.reordered

    def as_json(self) -> dict[str, object]:
        """Every count, and the verdict."""
        return {**asdict(self), "ok": self.ok}

    def sentence(self) -> str:
        """Say it in one line."""
        if self.what == "nothing":
            return (
                "nothing could be verified: the host shows no test card (punktfunk serve --display testcard)"
            )
        verdict = "all right" if self.ok else "NOT right"
        return (
            f"{verdict}: {self.frames} frames, {self.lost} lost, {self.held} held, "
            f"{self.unreadable} damaged, {self.reordered} out of order, {self.repeated} repeated"
        )


def verify(rows: Sequence[FrameRow]) -> Verification:
    """Judge the rows of one session, in the order of completion."""
    synthetic = [row for row in rows if row.intact is not None]
    shown = [row for row in rows if row.readable is not None]
    numbered = [row for row in shown if row.number is not None]
    steps = [
        (((later.number or 0) - (earlier.number or 0) + _HALF) & _MASK) - _HALF
        for earlier, later in pairwise(numbered)
        # Another mode is another test card, which counts from 0.
        if (earlier.width_px, earlier.height_px) == (later.width_px, later.height_px)
    ]
    if synthetic:
        what, damaged = "synthetic", sum(not row.intact for row in rows)
    elif numbered:
        what, damaged = "barcodes", sum(not row.readable for row in shown)
    else:
        what, damaged = "nothing", 0
    return Verification(
        what=what,
        frames=len(rows),
        lost=lost_frames(rows),
        decoded=len(shown),
        held=len(rows) - len(shown) if shown else 0,
        unreadable=damaged,
        reordered=sum(step < 0 for step in steps),
        repeated=sum(step == 0 for step in steps),
        skipped=sum(step - 1 for step in steps if step > 1),
    )


def lost_frames(rows: Sequence[FrameRow]) -> int:
    """Count frame indices between the first and the last that never completed; indices wrap."""
    if not rows:
        return 0
    first = rows[0].frame_index
    offsets = {((row.frame_index - first + _HALF) & _MASK) - _HALF for row in rows}
    return max(offsets) - min(offsets) + 1 - len(offsets)
