"""Pictures of one output of a Wayland compositor, over pf-capture's own connection.

Driven by damage: a still screen gives nothing. The next copy is requested before a finished one is handed
out, so the compositor copies while the last picture is converted and encoded.
"""

import time

import numpy as np
from pywayland.protocol.ext_image_capture_source_v1 import ExtOutputImageCaptureSourceManagerV1
from pywayland.protocol.ext_image_copy_capture_v1 import ExtImageCopyCaptureManagerV1

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import WaylandSource
from punktfunk.realtime.capture.base import CapturedFrame
from punktfunk.realtime.capture.connection import Connection
from punktfunk.realtime.capture.copier import Copied, Copier
from punktfunk.realtime.capture.ext import ExtCopier
from punktfunk.realtime.capture.shm import as_bgrx
from punktfunk.realtime.capture.wlr import WlrCopier
from punktfunk.wire.wayland.wlr_screencopy_unstable_v1 import ZwlrScreencopyManagerV1


class WaylandCapture:
    """A source of pictures; see :class:`punktfunk.realtime.capture.base.Capture`."""

    def __init__(self, source: WaylandSource) -> None:
        self._source = source
        self._connection: Connection | None = None
        self._copier: Copier | None = None

    @property
    def protocol(self) -> str:
        """Name the copy protocol in use; empty before ``open``."""
        return self._copier.protocol if self._copier is not None else ""

    def open(self) -> None:
        """Connect and choose the protocol; EnvironmentProblem if the output or a protocol is missing."""
        self._connection = connection = Connection(self._source.socket_path)
        connection.discover()
        output = connection.output(self._source.output_name)
        if output is None:
            raise EnvironmentProblem(
                f"the compositor has no output {self._source.output_name}, only {connection.output_names()}"
            )
        cursor = self._source.show_cursor
        if connection.offers(ExtImageCopyCaptureManagerV1) and connection.offers(
            ExtOutputImageCaptureSourceManagerV1
        ):
            self._copier = ExtCopier(connection, output, show_cursor=cursor)
        elif connection.offers(ZwlrScreencopyManagerV1):
            self._copier = WlrCopier(connection, output, show_cursor=cursor)
        else:
            raise EnvironmentProblem(
                "the compositor offers neither ext-image-copy-capture-v1 nor wlr-screencopy-unstable-v1",
                hint="Use sway 1.7 or newer, or the test card.",
            )

    def next(self, timeout_ns: int, wake_fd: int) -> CapturedFrame | None:
        """Wait for the next picture; see :meth:`punktfunk.realtime.capture.base.Capture.next`."""
        if self._connection is None or self._copier is None:
            raise EnvironmentProblem("the capture is not open")
        connection, copier = self._connection, self._copier
        deadline_ns = time.monotonic_ns() + timeout_ns
        while True:
            copied = copier.take()
            now_ns = time.monotonic_ns()
            copier.request(now_ns)
            if copied is not None:
                connection.flush()
                return self._hand_out(copied, copier)
            if connection.output(self._source.output_name) is None:
                raise EnvironmentProblem(f"output {self._source.output_name} went away")
            if now_ns >= deadline_ns:
                connection.flush()
                return None
            retry_ns = copier.retry_ns()
            until_ns = deadline_ns if retry_ns is None else min(deadline_ns, max(retry_ns, now_ns + 1))
            if connection.pump(until_ns, wake_fd):
                return None

    def _hand_out(self, copied: Copied, copier: Copier) -> CapturedFrame:
        pixels = as_bgrx(copied.buffer, copied.transform)
        if not np.may_share_memory(
            pixels, copied.buffer.words
        ):  # a copy was needed: the buffer is free at once
            copier.pool.give_back(copied.buffer)
            return CapturedFrame(pixels, copied.captured_ns, _nothing)
        return CapturedFrame(pixels, copied.captured_ns, lambda: copier.pool.give_back(copied.buffer))

    def close(self) -> None:
        """Disconnect; pictures handed out stay readable."""
        if self._copier is not None:
            self._copier.pool.close()
        connection, self._connection, self._copier = self._connection, None, None
        if connection is not None:
            connection.close()


def _nothing() -> None:
    """Release a picture that is a copy."""
