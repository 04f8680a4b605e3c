"""Copies by ext-image-copy-capture-v1: the protocol that replaces wlr-screencopy (sway 1.11 and later).

A session announces size and formats once, and again after each change. A frame takes a buffer and what is
stale in it, and is ready after the next change of the screen. One frame at a time.
"""

from typing import Any

from pywayland.protocol.ext_image_capture_source_v1 import ExtOutputImageCaptureSourceManagerV1
from pywayland.protocol.ext_image_copy_capture_v1 import ExtImageCopyCaptureManagerV1

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.capture.connection import Connection
from punktfunk.realtime.capture.copier import Copied, Patience, presentation_ns
from punktfunk.realtime.capture.shm import (
    BGRX_FORMATS,
    RGBX_FORMATS,
    Buffer,
    BufferPool,
    Rectangle,
    Shape,
    bind_shm,
)

PAINT_CURSORS = 1
STOPPED = 2


class ExtCopier:
    """Copies one output; see :class:`punktfunk.realtime.capture.copier.Copier`."""

    protocol = "ext-image-copy-capture-v1"

    def __init__(self, connection: Connection, output: Any, *, show_cursor: bool) -> None:
        self._source = connection.bind(ExtOutputImageCaptureSourceManagerV1).create_source(output)
        manager = connection.bind(ExtImageCopyCaptureManagerV1)
        self._session = manager.create_session(self._source, PAINT_CURSORS if show_cursor else 0)
        self._session.dispatcher["buffer_size"] = self._on_buffer_size
        self._session.dispatcher["shm_format"] = self._on_shm_format
        self._session.dispatcher["done"] = self._on_done
        self._session.dispatcher["stopped"] = self._on_stopped
        self.pool = BufferPool(bind_shm(connection))
        self._patience = Patience()
        self._size = (0, 0)
        self._formats: list[int] = []
        self._shape: Shape | None = None
        self._frame: Any = None
        self._buffer: Buffer | None = None
        self._damage: list[Rectangle] = []
        self._stamp_ns = 0
        self._transform = 0
        self._finished: Copied | None = None
        self._refused = ""
        self._stopped = False

    def request(self, now_ns: int) -> None:
        """Ask for the next copy, once the session said what it wants."""
        if self._shape is None or self._frame is not None or self._finished is not None:
            return
        if not self._patience.allows(now_ns):
            return
        self._buffer = self.pool.take(self._shape)
        if self._buffer is None:
            return
        self._damage, self._stamp_ns, self._transform = [], 0, 0
        self._frame = self._session.create_frame()
        self._frame.dispatcher["transform"] = self._on_transform
        self._frame.dispatcher["damage"] = self._on_damage
        self._frame.dispatcher["presentation_time"] = self._on_presentation_time
        self._frame.dispatcher["ready"] = self._on_ready
        self._frame.dispatcher["failed"] = self._on_failed
        self._frame.attach_buffer(self._buffer.proxy)
        whole = [(0, 0, self._shape.width_px, self._shape.height_px)]
        for rectangle in whole if self._buffer.stale is None else self._buffer.stale:
            self._frame.damage_buffer(*rectangle)
        self._frame.capture()

    def take(self) -> Copied | None:
        """Take the finished copy; EnvironmentProblem once copying failed for good."""
        if self._stopped:
            raise EnvironmentProblem("the compositor ended the capture of the output")
        if self._refused:
            refused, self._refused = self._refused, ""
            self._patience.failed(refused)
        finished, self._finished = self._finished, None
        return finished

    def retry_ns(self) -> int | None:
        """Say when to ask again after a refusal."""
        return self._patience.again_ns()

    def _on_buffer_size(self, _session: Any, width: int, height: int) -> None:
        self._size = (width, height)

    def _on_shm_format(self, _session: Any, pixel_format: int) -> None:
        self._formats.append(int(pixel_format))

    def _on_done(self, _session: Any) -> None:
        width, height = self._size
        usable = [known for known in self._formats if known in BGRX_FORMATS]
        usable += [known for known in self._formats if known in RGBX_FORMATS]
        self._shape = Shape(usable[0], width, height, width * 4) if usable else None
        if self._shape is None:
            self._refused = f"no usable format among {[hex(known) for known in self._formats]}"
        self._formats = []

    def _on_stopped(self, _session: Any) -> None:
        self._stopped = True

    def _on_transform(self, _frame: Any, transform: int) -> None:
        self._transform = int(transform)

    def _on_damage(self, _frame: Any, x: int, y: int, width: int, height: int) -> None:
        self._damage.append((x, y, width, height))

    def _on_presentation_time(self, _frame: Any, high: int, low: int, nanoseconds: int) -> None:
        self._stamp_ns = presentation_ns(high, low, nanoseconds)

    def _on_ready(self, _frame: Any) -> None:
        if self._buffer is not None:
            self.pool.spoil_others(self._buffer, self._damage)
            self._finished = Copied(self._buffer, self._stamp_ns or presentation_ns(0, 0, 0), self._transform)
            self._buffer = None
        self._patience.succeeded()
        self._end()

    def _on_failed(self, _frame: Any, reason: int) -> None:
        self._stopped = int(reason) == STOPPED
        self._refused = f"frame failed with reason {int(reason)}"
        self._end()

    def _end(self) -> None:
        if self._buffer is not None:
            self._buffer.stale = None
            self.pool.give_back(self._buffer)
            self._buffer = None
        if self._frame is not None:
            self._frame.destroy()
            self._frame = None
