"""A client's pen samples into pen events: each sample is a whole state, the reader finds what changed.

Order of what a sample makes: in range, contact, buttons, lift, out of range. A changed tool leaves and enters
again; a batch that is not newer is dropped whole; predicted samples are skipped; 200 ms without a sample let
everything go. Spec: punktfunk-1.md section 2.10; peer: punktfunk-core quic/pen.rs, PenTracker.
"""

from collections.abc import Iterator
from typing import Final

from punktfunk.wire.input import ContactEvent, Pen, PenTool
from punktfunk.wire.native.rich_input import (
    PEN_RELEASE_NS,
    UNKNOWN_U8,
    UNKNOWN_U16,
    PenBatch,
    PenEnd,
    PenSample,
    PenState,
)

BUTTON_BITS: Final = ((PenState.BARREL_1, 1), (PenState.BARREL_2, 2))
_TOOLS: Final = {PenEnd.PEN: PenTool.PEN, PenEnd.ERASER: PenTool.ERASER}


class PenReader:
    """The one pen of a session."""

    def __init__(self) -> None:
        self._sequence: int | None = None
        self._last: PenSample | None = None
        self._tool = PenTool.PEN
        self._touching = False
        self._sample_ns = 0

    @property
    def deadline_ns(self) -> int | None:
        """When a silent pen is let go (CLOCK_MONOTONIC); None while none is in range."""
        return None if self._last is None else self._sample_ns + PEN_RELEASE_NS

    def read(self, batch: PenBatch, now_ns: int) -> Iterator[Pen]:
        """Events of a batch."""
        if self._sequence is not None and not 0 < (batch.sequence - self._sequence) & 0xFFFF < 0x8000:
            return
        self._sequence = batch.sequence
        self._sample_ns = now_ns
        for sample in batch.samples:
            if not sample.state & PenState.PREDICTED:
                yield from self._apply(sample)

    def expire(self, now_ns: int) -> Iterator[Pen]:
        """Let a silent pen go; nothing before its deadline."""
        if self.deadline_ns is not None and now_ns >= self.deadline_ns:
            yield from self.release()

    def release(self) -> Iterator[Pen]:
        """Lift and leave, whatever the pen does."""
        last, self._last = self._last, None
        if last is None:
            return
        if self._touching:
            self._touching = False
            yield self._event(ContactEvent.UP, last, buttons=0)
        yield self._event(ContactEvent.HOVER_LEAVE, last, buttons=0)

    def _apply(self, sample: PenSample) -> Iterator[Pen]:
        touching = bool(sample.state & PenState.TOUCHING)
        if not touching and not sample.state & PenState.IN_RANGE:
            yield from self.release()
            return
        tool = _TOOLS.get(sample.tool, self._tool if self._last is not None else PenTool.PEN)
        if self._last is not None and tool != self._tool:
            yield from self.release()
        self._tool, was_touching = tool, self._touching
        self._last, self._touching = sample, touching
        if touching:
            yield self._event(ContactEvent.MOVE if was_touching else ContactEvent.DOWN, sample)
            return
        if was_touching:
            yield self._event(ContactEvent.UP, sample)
        yield self._event(ContactEvent.HOVER, sample)

    def _event(self, what: ContactEvent, sample: PenSample, buttons: int | None = None) -> Pen:
        if buttons is None:
            buttons = sum(bit for state, bit in BUTTON_BITS if sample.state & state)
        hovering = what in (ContactEvent.HOVER, ContactEvent.HOVER_LEAVE)
        distance = 0.0 if sample.distance == UNKNOWN_U16 else sample.distance / (UNKNOWN_U16 - 1)
        return Pen(
            what,
            self._tool,
            buttons,
            sample.x,
            sample.y,
            distance if hovering else sample.pressure / 0xFFFF,
            0.0,
            0.0,
            None if sample.azimuth_degrees == UNKNOWN_U16 else sample.azimuth_degrees,
            None if sample.tilt_degrees == UNKNOWN_U8 else sample.tilt_degrees,
        )
