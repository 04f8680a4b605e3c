"""Memory shared with a compositor: a few buffers of one shape, and pixels made the way encoders want them."""

import mmap
import os
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pywayland.protocol.wayland import WlShm

from punktfunk.errors import EnvironmentProblem

BUFFER_COUNT = 3
"""One with the consumer, one with the compositor, one to hand over."""

MAXIMUM_BUFFER_BYTES = 512 << 20
MAXIMUM_RECTANGLES = 16

BGRX_FORMATS = {0, 1}  # wl_shm: argb8888, xrgb8888 (little-endian words 0xXXRRGGBB)
RGBX_FORMATS = {0x34324241, 0x34324258}  # "AB24", "XB24": red and blue change places

Rectangle = tuple[int, int, int, int]
"""x, y, width, height in pixels of the buffer."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a compositor wants its buffers."""

    format: int
    width_px: int
    height_px: int
    stride_bytes: int


@dataclass(eq=False)
class Buffer:
    """One shared buffer; ``stale`` lists what changed on screen since it was filled, None: everything."""

    shape: Shape
    proxy: Any
    words: NDArray[np.uint32]
    stale: list[Rectangle] | None = field(default=None)

    def spoil(self, damage: list[Rectangle]) -> None:
        """Add what another buffer received; many rectangles become the one around them."""
        if self.stale is None:
            return
        self.stale += damage
        if len(self.stale) > MAXIMUM_RECTANGLES:
            left = min(x for x, _, _, _ in self.stale)
            top = min(y for _, y, _, _ in self.stale)
            right = max(x + width for x, _, width, _ in self.stale)
            bottom = max(y + height for _, y, _, height in self.stale)
            self.stale = [(left, top, right - left, bottom - top)]


class BufferPool:
    """Buffers of one shape; a new shape replaces them all. Used by one thread."""

    def __init__(self, shm: Any) -> None:
        self._shm = shm
        self._all: list[Buffer] = []
        self._free: deque[Buffer] = deque()
        self._closed = False

    def take(self, shape: Shape) -> Buffer | None:
        """Return a free buffer of that shape; None while the consumer holds them all."""
        if not self._all or self._all[0].shape != shape:
            self._replace(shape)
        return self._free.popleft() if self._free else None

    def give_back(self, buffer: Buffer) -> None:
        """Make a buffer free again; one of an older shape is dropped."""
        if any(known is buffer for known in self._all):
            self._free.append(buffer)
        elif not self._closed:
            buffer.proxy.destroy()

    def close(self) -> None:
        """Forget every buffer; the connection's end destroys what the compositor has of them."""
        self._closed = True
        for buffer in self._all:
            # Unmaps it, as soon as no picture in use shows it. The compositor's proxies lie in reference
            # cycles with everything around them: the memory would stay until garbage is collected.
            buffer.words = np.empty((0, 0), np.uint32)
        self._all = []
        self._free.clear()

    def spoil_others(self, filled: Buffer, damage: list[Rectangle]) -> None:
        """Note that ``filled`` is up to date and that every other buffer lacks ``damage``."""
        filled.stale = []
        for buffer in self._all:
            if buffer is not filled:
                buffer.spoil(damage)

    def _replace(self, shape: Shape) -> None:
        check_shape(shape)
        for buffer in self._free:
            buffer.proxy.destroy()
        self._all = [self._make(shape) for _ in range(BUFFER_COUNT)]
        self._free = deque(self._all)

    def _make(self, shape: Shape) -> Buffer:
        size = shape.stride_bytes * shape.height_px
        handle = os.memfd_create("punktfunk-capture", os.MFD_CLOEXEC)
        try:
            os.ftruncate(handle, size)
            memory = mmap.mmap(handle, size)
            pool = self._shm.create_pool(handle, size)
        except OSError as error:
            raise EnvironmentProblem(f"no memory for a picture of {size} bytes: {error.strerror}") from error
        finally:
            os.close(handle)
        proxy = pool.create_buffer(0, shape.width_px, shape.height_px, shape.stride_bytes, shape.format)
        pool.destroy()
        words = np.frombuffer(memory, np.uint32).reshape(shape.height_px, shape.stride_bytes // 4)
        return Buffer(shape, proxy, words)


def check_shape(shape: Shape) -> None:
    """Refuse what cannot be a picture of four-byte pixels with EnvironmentProblem."""
    if shape.format not in BGRX_FORMATS | RGBX_FORMATS:
        raise EnvironmentProblem(
            f"the compositor copies in pixel format {shape.format:#x}, which is not 8-bit RGB"
        )
    if (
        shape.width_px < 1
        or shape.height_px < 1
        or shape.stride_bytes % 4
        or shape.stride_bytes < shape.width_px * 4
        or shape.stride_bytes * shape.height_px > MAXIMUM_BUFFER_BYTES
    ):
        raise EnvironmentProblem(f"the compositor asks for an impossible buffer: {shape}")


def upright(pixels: NDArray[np.uint32], transform: int) -> NDArray[np.uint32]:
    """Undo a wl_output transform: 0-3 quarter turns counter-clockwise, 4-7 the same after a mirror."""
    turned = np.rot90(pixels, -(transform & 3))
    return np.fliplr(turned) if transform & 4 else turned


def as_bgrx(buffer: Buffer, transform: int) -> NDArray[np.uint32]:
    """View a buffer as contiguous BGRx pixels, upright; copies only where padding or order force it."""
    pixels = upright(buffer.words[:, : buffer.shape.width_px], transform)
    if buffer.shape.format in RGBX_FORMATS:
        red, blue = pixels & np.uint32(0xFF), (pixels >> np.uint32(16)) & np.uint32(0xFF)
        pixels = (pixels & np.uint32(0xFF00FF00)) | (red << np.uint32(16)) | blue
    return np.ascontiguousarray(pixels)


def bind_shm(connection: Any) -> Any:
    """Bind wl_shm, which every compositor must have."""
    if not connection.offers(WlShm):
        raise EnvironmentProblem("the compositor has no wl_shm")
    return connection.bind(WlShm)
