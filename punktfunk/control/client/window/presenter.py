"""From decoded pictures to the screen: when to draw, what to draw, and what became of it.

``show`` may be called by any thread; everything else belongs to the main thread.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from punktfunk.control.client.window.canvas import Canvas
from punktfunk.realtime import DecodedPicture, DisplayCadence, JitterBuffer, StageRecorder

INBOX: Final = 8
"""Decoded pictures between pf-decode and the main thread; a main thread that hangs drops the oldest."""


EARLY_NS: Final = 500_000
LATE_NS: Final = 900_000


class Presenter:
    """The pictures of one session after another. ``ring`` wakes the main thread."""

    def __init__(self, canvas: Canvas, ring: Callable[[], None]) -> None:
        self._canvas = canvas
        self._ring = ring
        self._arrived: deque[DecodedPicture] = deque(maxlen=INBOX)
        self._session: Any = None
        self._dirty = True
        self._latch_ns = 0
        self.dimmed = True
        self.cadence = DisplayCadence(canvas.refresh_hz)
        self.jitter = JitterBuffer(16_666_667)
        self.stages = StageRecorder()
        self.shown_count = 0

    def show(self, picture: DecodedPicture) -> None:
        """Take a picture that may be shown."""
        self._arrived.append(picture)
        self._ring()

    def begin(self, session: Any, refresh_hz: int) -> None:
        """Begin a session: statistics start anew."""
        self._session = session
        self._arrived.clear()
        self.changed_rate(refresh_hz)
        self.stages = StageRecorder()

    def changed_rate(self, refresh_hz: int) -> None:
        """Expect another frame rate."""
        self.jitter = JitterBuffer(1_000_000_000 // max(refresh_hz, 1))

    def end(self) -> None:
        """End the session: the last picture stays, dimmed."""
        self._session = None
        self._arrived.clear()
        self.jitter.clear()
        self.dimmed = True
        self._dirty = True

    def redraw(self) -> None:
        """Draw again at the next opportunity: a panel or the window has changed."""
        self._dirty = True

    def moved_to_display(self) -> None:
        """Measure the display anew: the window may be on another one."""
        self.cadence = DisplayCadence(self._canvas.refresh_hz)

    def delay_ns(self) -> int | None:
        """Tell how long after its capture a picture is shown of late; any thread."""
        return self.stages.median_total_ns()

    def wake_ns(self, now_ns: int) -> int | None:
        """When ``pump`` has something to do (CLOCK_MONOTONIC); None until a picture comes."""
        if self._arrived or self._dirty:
            return now_ns
        due_ns = self.jitter.next_due_ns()
        if due_ns is None:
            return None
        if not self.cadence.locked:
            return due_ns
        return self._latch_for(max(now_ns, due_ns - self.cadence.lead_ns)) - self.cadence.lead_ns

    def pump(self, now_ns: int) -> bool:
        """Draw if it is time; whether the screen has changed."""
        while self._arrived:
            self.jitter.put(self._arrived.popleft())
        locked = self.cadence.locked
        latch_ns = self._latch_for(now_ns) if locked else now_ns
        picture = None
        if not locked or now_ns >= latch_ns - self.cadence.lead_ns - EARLY_NS:
            picture = self.jitter.take(latch_ns, self.cadence.interval_ns if locked else None)
        if picture is None and not self._dirty:
            return False
        began_ns = time.monotonic_ns()
        if picture is not None:
            picture.taken_ns = began_ns
            self._canvas.upload(picture.frame)
            self.dimmed = False
            self._latch_ns = latch_ns
        self._canvas.draw(dimmed=self.dimmed)
        self._dirty = False
        asked_ns, done_ns = self._canvas.swap()
        self.cadence.drawn(asked_ns - began_ns)
        self.cadence.swapped(asked_ns, done_ns)
        if picture is not None:
            picture.presented_ns = done_ns
            self._account(picture)
        return True

    def _latch_for(self, now_ns: int) -> int:
        """Next blank that can be met and was not served yet.

        Who wakes a little late for a blank still goes for it: the lead has room for that, and waiting for the
        next one would lose a whole refresh to a microsecond.
        """
        latch_ns = self.cadence.next_latch_ns(now_ns - LATE_NS)
        if latch_ns - self._latch_ns < self.cadence.interval_ns // 2:
            latch_ns += self.cadence.interval_ns
        return latch_ns

    def _account(self, picture: DecodedPicture) -> None:
        self.shown_count += 1
        session = self._session
        if session is None:
            return
        captured_ns = session.capture_ns(picture.unit.pts_ns) if session.clock_offset_ns is not None else None
        timing = session.host_timing(picture.unit.pts_ns)
        self.stages.record(picture, captured_ns, None if timing is None else timing.host_us * 1000)
        session.frames.presented(picture.unit, picture.presented_ns)
