"""Pictures of one PipeWire video node, over pf-capture's own connection.

A node gives a buffer when something changed. The newest wins and is kept until a newer one comes: a pointer
that moves over a still screen is drawn again over what is kept.

    connect -> format settled -> buffers -> frames ... -> the node is gone
"""

import time
from typing import Any, Final

import numpy as np

from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import CursorMode, PipeWireSource
from punktfunk.realtime.capture.base import CapturedFrame
from punktfunk.realtime.capture.cursor import Beside
from punktfunk.realtime.capture.drawing import draw_pointer
from punktfunk.realtime.capture.pipewire_buffer import CHUNK_CORRUPTED, Mappings, meta_bytes
from punktfunk.realtime.capture.settling import Settling
from punktfunk.realtime.capture.shm import upright
from punktfunk.realtime.capture.video_format import (
    META_CROP,
    META_CURSOR,
    META_DAMAGE,
    META_HEADER,
    META_TRANSFORM,
    RED_FIRST,
    VideoFormat,
)
from punktfunk.realtime.capture.video_meta import (
    Region,
    parse_crop,
    parse_cursor,
    parse_damage,
    parse_header,
    parse_transform,
)
from punktfunk.realtime.pipewire.core import DAEMON_HINT, Core, Global
from punktfunk.realtime.pipewire.library import ANY_ID
from punktfunk.realtime.pipewire.loop import Loop
from punktfunk.realtime.pipewire.stream import Direction, Flags, Handlers, State, Stream

SETTLE_NS: Final = 5_000_000_000
"""For the format and the first buffers: mutter makes a monitor meanwhile, KWin starts its renderer."""

PAUSE_NS: Final = 3_000_000_000
"""How long a node may pause before that counts as its end: a change of mode pauses it for a moment."""

CLOCK_SLACK_NS: Final = 1_000_000_000
MISTAKES_MAX: Final = 8
"""Impossible buffers in a row after which a node is given up."""


class PipeWireCapture:
    """A source of pictures; see :class:`punktfunk.realtime.capture.base.Capture`.

    ``beside`` is told of the pointer, and in sentences for the user which way pictures take.
    """

    protocol = "pipewire"

    def __init__(
        self, source: PipeWireSource, beside: Beside | None = None, *, dma_buf_first: bool = False
    ) -> None:
        self._source = source
        beside = beside or Beside()
        self._pointer = beside.pointer
        self._loop: Loop | None = None
        self._core: Core | None = None
        self._stream: Stream | None = None
        self._settling = Settling(source, beside.note, dma_buf_first=dma_buf_first)
        self._mappings = Mappings()
        self._filled: Any | None = None  # newest buffer, not yet handed out
        self._kept: Any | None = None  # the one that is shown
        self._node_id = -1
        self._node_gone = False
        self._paused_since_ns = 0
        self._mistake_count = 0
        self._damage: list[Region] | None = None  # since the picture that was handed out last

    @property
    def format(self) -> VideoFormat | None:
        """What was settled with the node; None before."""
        return self._settling.format

    def open(self) -> None:
        """Connect and offer formats; EnvironmentProblem if there is no daemon or it refuses."""
        source = self._source
        self._loop = Loop()
        self._core = Core(self._loop, source.remote, source.remote_fd)
        self._core.watch(self._on_global, self._on_global_removed)
        properties = {
            "media.type": "Video",
            "media.category": "Capture",
            "media.role": "Screen",
            "node.name": "punktfunk-capture",
        }
        if source.is_serial:
            properties["target.object"] = str(source.target)
        handlers = Handlers(self._on_state, self._on_param, self._on_process, removed=self._on_removed)
        self._stream = Stream(self._core, "punktfunk-capture", properties, handlers)
        self._stream.connect(
            Direction.INPUT,
            Flags.AUTOCONNECT | Flags.MAP_BUFFERS | Flags.DONT_RECONNECT,
            self._settling.offers(),
            ANY_ID if source.is_serial else source.target,
        )
        self._paused_since_ns = time.monotonic_ns()

    def next(self, timeout_ns: int, wake_fd: int) -> CapturedFrame | None:
        """Wait for the next picture; see :meth:`punktfunk.realtime.capture.base.Capture.next`."""
        if self._loop is None or self._stream is None:
            raise EnvironmentProblem("the capture is not open")
        deadline_ns = time.monotonic_ns() + timeout_ns
        while True:
            frame = self._take()
            if frame is not None:
                return frame
            now_ns = time.monotonic_ns()
            self._check(now_ns)
            if now_ns >= deadline_ns or self._loop.pump(min(deadline_ns, now_ns + PAUSE_NS), wake_fd):
                return None

    def settle(self, timeout_ns: int = SETTLE_NS) -> VideoFormat:
        """Wait until format and buffers are settled: a compositor has then made what it casts.

        EnvironmentProblem if that does not happen in time.
        """
        deadline_ns = time.monotonic_ns() + timeout_ns
        while self._stream is None or self._stream.state is not State.STREAMING or self.format is None:
            now_ns = time.monotonic_ns()
            self._check(now_ns)
            if self._loop is None or now_ns >= deadline_ns:
                raise self._unsettled()
            self._loop.pump(deadline_ns)
        return self.format

    def close(self) -> None:
        """Disconnect. Harmless when ``open`` failed or never ran."""
        self._filled = self._kept = None
        self._mappings.clear()
        parts = (self._stream, self._core, self._loop)
        self._stream, self._core, self._loop = None, None, None
        for part in parts:
            if part is not None:
                part.close()

    # --- what the node tells; all of it inside Loop.iterate ---

    def _on_global(self, known: Global) -> None:
        if (known.serial if self._source.is_serial else known.id) == self._source.target:
            self._node_id = known.id

    def _on_global_removed(self, known: Global) -> None:
        self._node_gone |= known.id == self._node_id

    def _on_state(self, state: State, _reason: str) -> None:
        self._paused_since_ns = 0 if state is State.STREAMING else time.monotonic_ns()

    def _on_param(self, identity: int, param: bytes | None) -> None:
        answer = self._settling.answer(identity, param)
        if answer and self._stream is not None:
            self._stream.update_params(answer)

    def _on_process(self) -> None:
        assert self._stream is not None
        while (buffer := self._stream.dequeue()) is not None:
            if self._look(buffer):
                self._give_back(self._filled)
                self._filled = buffer
            else:
                self._stream.queue(buffer)

    def _on_removed(self, buffer: Any) -> None:
        self._mappings.forget(buffer)
        self._damage = None
        if self._filled == buffer:
            self._filled = None
        if self._kept == buffer:
            self._kept = None

    def _look(self, buffer: Any) -> bool:
        """Note where the pointer is; whether the buffer brings a picture too."""
        metas = meta_bytes(buffer)
        chunk = buffer.buffer.datas[0].chunk
        try:
            if self._source.cursor is CursorMode.METADATA and META_CURSOR in metas:
                self._pointer.move(parse_cursor(metas[META_CURSOR]))
            empty = META_HEADER in metas and parse_header(metas[META_HEADER]).corrupted
        except RemoteProtocolError as error:
            self._damage = None
            self._mistaken(error)
            return False
        if not chunk.size or chunk.flags & CHUNK_CORRUPTED or empty:
            return False
        told = parse_damage(metas.get(META_DAMAGE, b""))
        self._damage = None if self._damage is None or not told else self._damage + told
        return True

    # --- pictures ---

    def _take(self) -> CapturedFrame | None:
        """Hand out the newest picture, or the kept one where the pointer moved over it."""
        if self._filled is not None:
            self._give_back(self._kept)
            self._kept, self._filled = self._filled, None
            self._pointer.take_moved()
            damage, self._damage = self._damage, None
            frame = self._show(self._kept, damage)
            if frame is not None:
                self._damage = []
            return frame
        if self._kept is not None and self._pointer.is_drawn and self._pointer.take_moved():
            return self._show(self._kept, [], fresh=False)
        return None

    def _show(
        self, buffer: Any, damage: "list[Region] | None", *, fresh: bool = True
    ) -> CapturedFrame | None:
        settled = self.format
        if settled is None:
            return None
        metas = meta_bytes(buffer)
        try:
            pixels, done = self._mappings.pixels(buffer, settled)
            self._mistake_count = 0
            crop = parse_crop(metas[META_CROP], *pixels.shape[::-1]) if META_CROP in metas else None
            transform = parse_transform(metas[META_TRANSFORM]) if META_TRANSFORM in metas else 0
            stamp_ns = parse_header(metas[META_HEADER]).pts_ns if META_HEADER in metas and fresh else 0
        except (RemoteProtocolError, OSError) as error:
            self._mistaken(error)
            return None
        if crop is not None:
            x, y, width, height = crop
            pixels = pixels[y : y + height, x : x + width]
        pixels = upright(pixels, transform)
        if settled.format in RED_FIRST:
            pixels = _swapped(pixels, ten_bit=settled.is_ten_bit)
        deep = settled.is_ten_bit
        # A pointer comes in sRGB: over HDR10 it would have to be graded, so there it is left out, and said.
        drawn = self._pointer.is_drawn and self._pointer.state.visible and not deep
        patch = draw_pointer(self._pointer.state, pixels) if drawn else None
        moved = crop is not None or transform  # damage is told in the buffer's own pixels
        changed = None if moved else damage
        return CapturedFrame(pixels, _captured_ns(stamp_ns), done, patch, ten_bit=deep, damage=changed)

    def _mistaken(self, error: Exception) -> None:
        """Count a buffer that cannot be read; step down, or give up, when that goes on."""
        self._mistake_count += 1
        if self._mistake_count < MISTAKES_MAX or self._settling.is_stepping_down:
            return
        self._mistake_count = 0
        offers = self._settling.step_down(str(error))
        if not offers or self._stream is None:
            raise EnvironmentProblem(f"the pictures of the node cannot be read: {error}")
        self._kept = None
        self._stream.update_params(offers)

    def _give_back(self, buffer: Any | None) -> None:
        if buffer is not None and self._stream is not None:
            self._stream.queue(buffer)

    # --- ends ---

    def _check(self, now_ns: int) -> None:
        """Raise EnvironmentProblem once nothing will come any more."""
        if self._core is None or self._stream is None:
            raise EnvironmentProblem("the capture is not open")
        self._core.check()
        if self._node_gone:
            raise EnvironmentProblem(f"the video node {self._source.target} of PipeWire went away")
        if self._stream.state is State.ERROR:
            raise EnvironmentProblem(f"PipeWire ended the capture: {self._stream.error}")
        if self._settling.problem:
            raise EnvironmentProblem(self._settling.problem)
        since_ns = self._paused_since_ns
        if since_ns and now_ns - since_ns > (PAUSE_NS if self._kept is not None else SETTLE_NS):
            raise self._unsettled()

    def _unsettled(self) -> EnvironmentProblem:
        """Say why no picture came."""
        target = self._source.target
        if self._node_id < 0:
            return EnvironmentProblem(f"PipeWire has no video node {target}", hint=DAEMON_HINT)
        if self.format is not None:
            return EnvironmentProblem(f"the video node {target} of PipeWire paused and did not go on")
        return EnvironmentProblem(
            f"the video node {target} of PipeWire settled on no format with us",
            hint=(
                "It gives no HDR10: only eight bits can be had of it."
                if self._source.bit_depth == 10
                else "If no session manager runs, nothing is ever linked: start wireplumber."
            ),
        )


def _swapped(pixels: "np.ndarray[Any, np.dtype[np.uint32]]", *, ten_bit: bool) -> Any:
    """Exchange red and blue; a copy."""
    bits, mask = (20, 0x3FF) if ten_bit else (16, 0xFF)
    low, high = pixels & np.uint32(mask), pixels >> np.uint32(bits) & np.uint32(mask)
    rest = pixels & np.uint32(~(mask | mask << bits) & 0xFFFFFFFF)
    return rest | low << np.uint32(bits) | high


def _captured_ns(stamp_ns: int) -> int:
    """Trust a stamp of CLOCK_MONOTONIC of the last second; anything else is replaced by now."""
    now_ns = time.monotonic_ns()
    return stamp_ns if now_ns - CLOCK_SLACK_NS <= stamp_ns <= now_ns else now_ns
