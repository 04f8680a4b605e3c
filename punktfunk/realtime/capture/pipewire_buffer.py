"""The pixels of one PipeWire buffer, wherever they lie: in shared memory, or in a DMA-BUF that is mapped.

What a node says of its buffers is checked against the size of their memory before anything is read.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from punktfunk.errors import RemoteProtocolError
from punktfunk.realtime.capture.video_format import DMA_BUF, VideoFormat
from punktfunk.realtime.pipewire.library import ffi

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXEL_BYTES: Final = 4
CHUNK_CORRUPTED: Final = 1 << 0
_SYNC: Final = 0x40086200
"""DMA_BUF_IOCTL_SYNC of one u64 (linux/dma-buf.h); reading is between _BEGIN_READ and _END_READ."""
_BEGIN_READ: Final = struct.pack("=Q", 1 << 0)
_END_READ: Final = struct.pack("=Q", 1 << 0 | 1 << 2)


def nothing() -> None:
    """End a reading that needs no end."""


class Mappings:
    """The memory of a stream's buffers, by the number of its file. Used by one thread."""

    def __init__(self) -> None:
        self._maps: dict[int, mmap.mmap] = {}

    def pixels(self, buffer: Any, shape: VideoFormat) -> tuple["NDArray[np.uint32]", Callable[[], None]]:
        """View the pixels of a ``struct pw_buffer *``: (height, width) words, and what to call after reading.

        RemoteProtocolError where the description is impossible, OSError where memory cannot be had.
        """
        data = buffer.buffer.datas[0]
        chunk = data.chunk
        stride = int(chunk.stride) or shape.width_px * PIXEL_BYTES
        offset = int(chunk.offset)
        needed = offset + stride * (shape.height_px - 1) + shape.width_px * PIXEL_BYTES
        if stride % PIXEL_BYTES or offset % PIXEL_BYTES or stride < shape.width_px * PIXEL_BYTES:
            raise RemoteProtocolError(f"rows of {stride} bytes from {offset} for {shape}")
        if data.type == DMA_BUF:
            return self._dma_buf(data, shape, offset, stride)
        if data.data == ffi.NULL or needed > int(data.maxsize):
            raise RemoteProtocolError(f"{shape} does not fit the {data.maxsize} bytes of its buffer")
        memory = ffi.buffer(data.data, int(data.maxsize))
        return _view(memory, shape, offset, stride), nothing

    def _dma_buf(
        self, data: Any, shape: VideoFormat, offset: int, stride: int
    ) -> tuple["NDArray[np.uint32]", Callable[[], None]]:
        fd = int(data.fd)
        offset += int(data.mapoffset)
        memory = self._maps.get(fd)
        if memory is None:
            size = os.lseek(fd, 0, os.SEEK_END)
            if size < offset + stride * (shape.height_px - 1) + shape.width_px * PIXEL_BYTES:
                raise RemoteProtocolError(f"{shape} does not fit the {size} bytes of its DMA-BUF")
            memory = self._maps[fd] = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ)
        view = _view(memory, shape, offset, stride)
        # Without it the processor's caches may hold an older picture, and the GPU may not be done.
        fcntl.ioctl(fd, _SYNC, _BEGIN_READ)

        def end_reading() -> None:
            fcntl.ioctl(fd, _SYNC, _END_READ)

        return view, end_reading

    def forget(self, buffer: Any) -> None:
        """Unmap what a buffer used that its node takes away."""
        for index in range(int(buffer.buffer.n_datas)):
            self._maps.pop(int(buffer.buffer.datas[index].fd), None)

    def clear(self) -> None:
        """Unmap everything, as soon as no picture in use shows it."""
        self._maps.clear()


def _view(memory: Any, shape: VideoFormat, offset: int, stride: int) -> "NDArray[np.uint32]":
    strides = (stride, PIXEL_BYTES)
    try:
        words: NDArray[np.uint32] = np.ndarray(
            (shape.height_px, shape.width_px), np.uint32, memory, offset, strides
        )
    except (ValueError, TypeError) as error:  # the node has shrunk what it promised
        raise RemoteProtocolError(f"{shape} does not fit its memory: {error}") from error
    words.flags.writeable = False
    return words


def meta_bytes(buffer: Any) -> dict[int, bytes]:
    """Copy what a buffer carries beside the pixels, by kind (``video_format.META_*``)."""
    spa = buffer.buffer
    return {
        int(spa.metas[index].type): bytes(ffi.buffer(spa.metas[index].data, spa.metas[index].size))
        for index in range(spa.n_metas)
        if spa.metas[index].data != ffi.NULL
    }
