"""Copies by wlr-screencopy-unstable-v1 (version 3): sway before 1.11 has nothing else.

A copy is one frame object: the compositor names the shape of the buffer, we answer with a buffer, it copies
on the next damage and says ``ready``. The very first copy is a plain one: ``copy_with_damage`` waits for a
change, and a still screen has none. Handlers only take notes: what they raised would be lost in the library.
"""

import time
from typing import Any

from punktfunk.realtime.capture.connection import Connection
from punktfunk.realtime.capture.copier import Copied, Patience, presentation_ns
from punktfunk.realtime.capture.shm import Buffer, BufferPool, Shape, bind_shm
from punktfunk.wire.wayland.wlr_screencopy_unstable_v1 import ZwlrScreencopyManagerV1

MINIMUM_VERSION = 3
Y_INVERT = 1
FLIPPED_180 = 6
"""The wl_output transform that only turns a picture upside down."""


class WlrCopier:
    """Copies one output; see :class:`punktfunk.realtime.capture.copier.Copier`."""

    protocol = "wlr-screencopy-unstable-v1"

    def __init__(self, connection: Connection, output: Any, *, show_cursor: bool) -> None:
        self._manager = connection.bind(ZwlrScreencopyManagerV1)
        self._output = output
        self._show_cursor = show_cursor
        self.pool = BufferPool(bind_shm(connection))
        self._patience = Patience()
        self._frame: Any = None
        self._shape: Shape | None = None
        self._last_shape: Shape | None = None
        self._buffer: Buffer | None = None
        self._transform = 0
        self._finished: Copied | None = None
        self._refused = ""
        self._first = True
        self._shape_known = False

    def request(self, now_ns: int) -> None:
        """Ask for the next copy, or answer one that waits for a buffer."""
        if self._frame is not None and self._shape_known:
            self._answer(self._frame)
        if self._frame is not None or self._finished is not None or not self._patience.allows(now_ns):
            return
        self._shape_known = False
        self._shape, self._transform = None, 0
        self._frame = self._manager.capture_output(int(self._show_cursor), self._output)
        self._frame.dispatcher["buffer"] = self._on_buffer
        self._frame.dispatcher["buffer_done"] = self._on_buffer_done
        self._frame.dispatcher["flags"] = self._on_flags
        self._frame.dispatcher["ready"] = self._on_ready
        self._frame.dispatcher["failed"] = self._on_failed

    def take(self) -> Copied | None:
        """Take the finished copy; EnvironmentProblem once copying failed for good."""
        if self._refused:
            refused, self._refused = self._refused, ""
            self._patience.failed(refused)
        finished, self._finished = self._finished, None
        return finished

    def retry_ns(self) -> int | None:
        """Say when to ask again after a refusal."""
        return self._patience.again_ns()

    def _on_buffer(self, _frame: Any, pixel_format: int, width: int, height: int, stride: int) -> None:
        self._shape = Shape(int(pixel_format), width, height, stride)

    def _on_buffer_done(self, _frame: Any) -> None:
        self._shape_known = True

    def _answer(self, frame: Any) -> None:
        if self._buffer is not None:
            return
        if self._shape is None:
            self._end("it offers no shared memory")
            return
        self._buffer = self.pool.take(self._shape)
        if self._buffer is None:
            return  # the consumer holds every buffer: the frame waits for one to come back
        # After a change of mode the copy under way fills a buffer of the old shape and uses the damage up.
        if self._first or self._shape != self._last_shape:
            frame.copy(self._buffer.proxy)
        else:
            frame.copy_with_damage(self._buffer.proxy)

    def _on_flags(self, _frame: Any, flags: int) -> None:
        self._transform = FLIPPED_180 if int(flags) & Y_INVERT else 0

    def _on_ready(self, _frame: Any, seconds_high: int, seconds_low: int, nanoseconds: int) -> None:
        if self._buffer is not None:
            stamp_ns = presentation_ns(seconds_high, seconds_low, nanoseconds)
            self._finished = Copied(self._buffer, stamp_ns, self._transform)
            self._buffer = None
        self._first = False
        self._last_shape = self._shape
        self._patience.succeeded()
        self._end("")

    def _on_failed(self, _frame: Any) -> None:
        self._first = True
        self._end(f"copy failed at {time.monotonic():.1f} s")

    def _end(self, refused: str) -> None:
        self._refused = refused
        if self._buffer is not None:
            self.pool.give_back(self._buffer)
            self._buffer = None
        if self._frame is not None:
            self._frame.destroy()
            self._frame = None
