"""A double of a compositor's video node: a PipeWire stream of ours that shows what a test gives it.

It runs in a thread of its own and negotiates as mutter does: it drives the graph, allocates its buffers
(memfds), takes any size or one, and gives a buffer only when something changed.
"""

import os
import queue
import struct
import threading
import time

import numpy as np

from punktfunk.realtime.capture.video_format import BGRX, DMA_BUF, MEM_FD
from punktfunk.realtime.pipewire.core import Core
from punktfunk.realtime.pipewire.library import ffi
from punktfunk.realtime.pipewire.loop import Loop
from punktfunk.realtime.pipewire.pod import (
    DONT_FIXATE,
    MANDATORY,
    Choice,
    ChoiceKind,
    Fraction,
    Id,
    Long,
    ObjectType,
    Param,
    Property,
    Rectangle,
    choice,
    make_object,
    parse_object,
)
from punktfunk.realtime.pipewire.stream import Direction, Flags, Handlers, State, Stream

START_S = 10.0
SETTLING_NS = 2_000_000_000


class VideoNode:
    """One node on the daemon at ``remote``, from ``with`` to its end.

    size         (width, height) that it has; None takes what the consumer fixes, as mutter's virtual monitor does
    formats      spa formats that it offers, best first
    modifiers    of DMA-BUFs that it offers, before shared memory; its "DMA-BUFs" are memfds
    only_dma_buf it offers nothing else
    properties   of every format, such as {0x2000E: Id(15)} for PQ
    """

    def __init__(
        self,
        remote,
        size=None,
        *,
        formats=(BGRX,),
        rate=60,
        modifiers=(),
        only_dma_buf=False,
        name="punktfunk-test-node",
        properties=None,
        padding=0,
    ):
        self.remote, self.size, self.formats, self.rate, self.name = remote, size, formats, rate, name
        self.modifiers, self.only_dma_buf, self.padding = modifiers, only_dma_buf, padding
        self.properties = properties or {}
        self.node_id = self.serial = -1
        self.width = self.height = 0
        self.format = None
        self.settled_modifier = None
        self.states: list[State] = []
        self.settled_sizes: list[tuple[int, int]] = []
        self.shown = 0
        self._fds: dict[int, int] = {}
        self._work: queue.SimpleQueue = queue.SimpleQueue()
        self._ready = threading.Event()
        self._streaming = threading.Event()
        self._failure: BaseException | None = None
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="video-node", daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(START_S), "the node does not appear"
        if self._failure:
            raise self._failure
        return self

    def __exit__(self, *_):
        self._ask(None)
        self._thread.join(START_S)
        os.close(self._bell)
        assert not self._thread.is_alive()

    def await_streaming(self):
        """Wait until somebody takes pictures."""
        assert self._streaming.wait(START_S), f"nobody takes pictures; states were {self.states}"

    def show(self, pixels=None, **beside):
        """Give a picture, (height, width) words; see ``_show`` for what can go beside it. Waits for it."""
        self.call(lambda: self._show(pixels, **beside))

    def call(self, function):
        """Run something in the node's thread and wait for it."""
        done = threading.Event()
        result = []

        def run():
            try:
                result.append(function())
            finally:
                done.set()

        self._ask(run)
        assert done.wait(START_S), "the node is stuck"
        return result[0] if result else None

    def offer(self, **changes):
        """Offer formats anew, as a compositor does whose output changed its mode."""
        for key, value in changes.items():
            setattr(self, key, value)
        self.call(lambda: self._stream.update_params(self._offers()))

    def _ask(self, work):
        self._work.put(work)
        os.eventfd_write(self._bell, 1)

    def _run(self):
        try:
            with Loop() as loop, Core(loop, self.remote) as core:
                self._serve(loop, core)
        except BaseException as error:
            self._failure = error
            self._ready.set()
            raise

    def _serve(self, loop, core):
        core.watch()
        properties = {"media.class": "Video/Source", "node.name": self.name, "node.description": self.name}
        handlers = Handlers(self._on_state, self._on_param, added=self._on_added, removed=self._on_removed)
        with Stream(core, self.name, properties, handlers) as self._stream:
            self._stream.connect(Direction.OUTPUT, Flags.DRIVER | Flags.ALLOC_BUFFERS, self._offers())
            while True:
                if not self._ready.is_set() and self._stream.state is State.PAUSED:
                    core.roundtrip()
                    self.node_id = self._stream.node_id
                    self.serial = core.globals[self.node_id].serial
                    self._ready.set()
                loop.pump(time.monotonic_ns() + 20_000_000, self._bell)
                # The consumer joins the graph a moment after its stream says so: the first cycle may miss it.
                if self.shown and time.monotonic_ns() - self._since_ns < SETTLING_NS:
                    self._stream.trigger()
                while not self._work.empty():
                    work = self._work.get()
                    if work is None:
                        return
                    work()
                os.eventfd_write(self._bell, 1)
                os.eventfd_read(self._bell)

    def _offers(self):
        size = (
            Rectangle(*self.size)
            if self.size
            else choice(ChoiceKind.RANGE, Rectangle(1280, 720), Rectangle(1, 1), Rectangle(16384, 16384))
        )

        def offer(modifiers):
            properties = {
                1: Id(2),
                2: Id(1),
                0x20001: choice(ChoiceKind.ENUM, Id(self.formats[0]), *map(Id, self.formats)),
            }
            if modifiers:
                longs = [Long(modifier) for modifier in modifiers]
                properties[0x20002] = Property(
                    choice(ChoiceKind.ENUM, longs[0], *longs),
                    MANDATORY | (DONT_FIXATE if len(longs) > 1 else 0),
                )
            properties |= {
                0x20003: size,
                0x20004: Fraction(0, 1),
                0x20005: choice(
                    ChoiceKind.RANGE, Fraction(self.rate, 1), Fraction(1, 1), Fraction(self.rate, 1)
                ),
            }
            return make_object(ObjectType.FORMAT, Param.ENUM_FORMAT, properties | self.properties)

        offers = [offer(self.modifiers)] if self.modifiers else []
        return offers if self.only_dma_buf else [*offers, offer(None)]

    def _on_state(self, state, _reason):
        self.states.append(state)
        self._since_ns = time.monotonic_ns()
        (self._streaming.set if state is State.STREAMING else self._streaming.clear)()

    def _on_param(self, identity, param):
        if identity != Param.FORMAT or param is None:
            return
        settled = parse_object(param)
        size, modifier = settled.value(0x20003), settled.value(0x20002)
        offered = settled.properties.get(0x20002)
        if offered is not None and isinstance(offered.value, Choice) and offered.flags & DONT_FIXATE:
            self.modifiers = (modifier.value,)  # the producer decides, and offers that one alone
            self._stream.update_params(self._offers())
            return
        self.width, self.height = size.width, size.height
        self.settled_sizes.append((self.width, self.height))
        self.format = settled.value(0x20001).value
        self.settled_modifier = modifier.value if modifier is not None else None
        self.stride = self.width * 4 + self.padding
        kinds = 1 << (MEM_FD if modifier is None else DMA_BUF)
        buffers = {
            1: choice(ChoiceKind.RANGE, 4, 2, 8),
            2: 1,
            3: self.stride * self.height,
            4: self.stride,
            6: Choice(ChoiceKind.FLAGS, (kinds,)),
        }
        metas = [(1, 32), (3, 16 * 16), (5, 28 + 20 + 64 * 64 * 4), (2, 16), (8, 4)]
        self._stream.update_params(
            [
                make_object(ObjectType.BUFFERS, Param.BUFFERS, buffers),
                *[make_object(ObjectType.META, Param.META, {1: Id(kind), 2: size}) for kind, size in metas],
            ]
        )

    def _on_added(self, buffer):
        data = buffer.buffer.datas[0]
        size = self.stride * self.height
        fd = os.memfd_create("video-node", os.MFD_CLOEXEC)
        os.ftruncate(fd, size)
        data.type = MEM_FD if self.settled_modifier is None else DMA_BUF
        data.fd, data.mapoffset, data.maxsize, data.flags = fd, 0, size, 3
        self._fds[fd] = fd

    def _on_removed(self, buffer):
        fd = self._fds.pop(int(buffer.buffer.datas[0].fd), None)
        if fd is not None:
            os.close(fd)

    def _show(
        self,
        pixels=None,
        *,
        pts_ns=None,
        damage=(),
        cursor=None,
        corrupted=False,
        crop=None,
        transform=0,
        stride=None,
    ):
        """One buffer. ``pixels`` None: nothing but what goes beside, as when only the pointer moved.

        cursor   (x, y) or (x, y, hot_x, hot_y, (height, width) BGRA words); words None hides it
        """
        buffer = self._stream.dequeue()
        if buffer is None:
            return False
        data = buffer.buffer.datas[0]
        data.chunk.offset, data.chunk.stride, data.chunk.flags = 0, stride or self.stride, 0
        data.chunk.size = 0
        if pixels is not None:
            rows = np.zeros((self.height, self.stride // 4), np.uint32)
            rows[:, : self.width] = pixels
            os.pwrite(int(data.fd), rows.tobytes(), 0)
            data.chunk.size = self.stride * self.height
        now_ns = time.monotonic_ns() if pts_ns is None else pts_ns
        self.shown += 1
        beside = {
            1: struct.pack("=IIqqQ", 2 if corrupted or pixels is None else 0, 0, now_ns, 0, self.shown),
            2: struct.pack("=iiII", *(crop or (0, 0, 0, 0))),
            3: b"".join(struct.pack("=iiII", *region) for region in [*damage, (0, 0, 0, 0)]),
            5: _cursor_bytes(cursor),
            8: struct.pack("=I", transform),
        }
        for index in range(buffer.buffer.n_metas):
            meta = buffer.buffer.metas[index]
            told = beside.get(int(meta.type), b"")[: int(meta.size)]
            ffi.memmove(meta.data, told + bytes(int(meta.size) - len(told)), int(meta.size))
        self._stream.queue(buffer)
        self._stream.trigger()
        return True


def _cursor_bytes(cursor):
    if cursor is None:
        return bytes(28)
    x, y, *shape = cursor
    if not shape:
        return struct.pack("=IIiiiiI", 1, 0, x, y, 0, 0, 0)
    hot_x, hot_y, words = shape
    if words is None:
        return struct.pack("=IIiiiiI", 1, 0, x, y, 0, 0, 28) + struct.pack("=IIIiI", 12, 0, 0, 0, 0)
    height, width = words.shape
    bitmap = struct.pack("=IIIiI", 12, width, height, width * 4, 20)
    return struct.pack("=IIiiiiI", 1, 0, x, y, hot_x, hot_y, 28) + bitmap + words.astype("<u4").tobytes()
