"""What a compositor sends beside the pixels: stamp, damage, crop, transform, cursor. Pure.

Structures of PipeWire's spa/include/spa/buffer/meta.h, in the machine's byte order:

    header   u32 flags, u32 offset, i64 pts_ns, i64 dts_offset, u64 seq
    region   i32 x, i32 y, u32 width, u32 height; damage is a row of them, ended by an empty one
    cursor   u32 id, u32 flags, i32 x, y, i32 hotspot x, y, u32 bitmap_offset
    bitmap   u32 format, u32 width, u32 height, i32 stride, u32 offset (from the bitmap's own start)
"""

import struct
from dataclasses import dataclass
from typing import Final

from punktfunk.errors import RemoteProtocolError
from punktfunk.realtime.capture.video_format import BGRA, BGRX, RGBA, RGBX

CORRUPTED: Final = 1 << 1
"""SPA_META_HEADER_FLAG_CORRUPTED: mutter marks buffers that bring nothing but a cursor so."""

CURSOR_SIDE_MAX_PX: Final = 1024

_HEADER = struct.Struct("=IIqqQ")
_REGION = struct.Struct("=iiII")
_CURSOR = struct.Struct("=IIiiiiI")
_BITMAP = struct.Struct("=IIIiI")

Region = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@dataclass(frozen=True, slots=True)
class Header:
    """When the picture was taken (CLOCK_MONOTONIC; 0 unknown), its number, and whether it is none."""

    pts_ns: int
    sequence: int
    corrupted: bool


@dataclass(frozen=True, slots=True)
class CursorBitmap:
    """A pointer's picture. ``pixels``: height rows of width BGRA pixels, alpha premultiplied, no padding."""

    width_px: int
    height_px: int
    hot_x_px: int
    hot_y_px: int
    pixels: bytes


@dataclass(frozen=True, slots=True)
class CursorMeta:
    """Where the pointer is (its hotspot). ``bitmap`` None: as before. One of 0x0: it is hidden."""

    x_px: int
    y_px: int
    bitmap: CursorBitmap | None


def parse_header(data: bytes) -> Header:
    """Read the stamp; RemoteProtocolError if it is cut short."""
    flags, _offset, pts_ns, _dts_ns, sequence = _unpack(_HEADER, data, 0, "header")
    return Header(pts_ns, sequence, bool(flags & CORRUPTED))


def parse_damage(data: bytes) -> list[Region]:
    """Read what changed; an empty list says nothing about it."""
    regions: list[Region] = []
    for x, y, width, height in _REGION.iter_unpack(data[: len(data) - len(data) % _REGION.size]):
        if not width or not height:
            break
        regions.append((x, y, width, height))
    return regions


def parse_crop(data: bytes, width_px: int, height_px: int) -> Region | None:
    """Read which part of a picture of that size is meant; None for the whole."""
    x, y, width, height = _unpack(_REGION, data, 0, "crop")
    if not width or not height or (x, y, width, height) == (0, 0, width_px, height_px):
        return None
    if x < 0 or y < 0 or x + width > width_px or y + height > height_px:
        raise RemoteProtocolError(f"a crop of {width}x{height} at {x},{y} in {width_px}x{height_px}")
    return x, y, width, height


def parse_transform(data: bytes) -> int:
    """Read the transform of a picture: a ``wl_output.transform``, 0 to 7."""
    if len(data) < 4:
        raise RemoteProtocolError(f"a transform of {len(data)} bytes")
    (transform,) = struct.unpack_from("=I", data)
    if transform > 7:
        raise RemoteProtocolError(f"there is no transform {transform}")
    return int(transform)


def parse_cursor(data: bytes) -> CursorMeta | None:
    """Read the pointer; None where nothing is said of it. RemoteProtocolError if it cannot be."""
    identity, _flags, x, y, hot_x, hot_y, at = _unpack(_CURSOR, data, 0, "cursor")
    if not identity:
        return None
    if at < _CURSOR.size:
        return CursorMeta(x, y, None)
    name, width, height, stride, offset = _unpack(_BITMAP, data, at, "cursor's bitmap")
    if not name:
        return CursorMeta(x, y, None)
    if offset < _BITMAP.size or not width or not height:  # no image data: the pointer is not to be seen
        return CursorMeta(x, y, CursorBitmap(0, 0, 0, 0, b""))
    pixels = _rows(data, at + offset, (width, height, stride))
    bitmap = CursorBitmap(width, height, _inside(hot_x, width), _inside(hot_y, height), _bgra(pixels, name))
    return CursorMeta(x, y, bitmap)


def _rows(data: bytes, begin: int, shape: tuple[int, int, int]) -> bytes:
    width, height, stride = shape
    if max(width, height) > CURSOR_SIDE_MAX_PX or stride < width * 4:
        raise RemoteProtocolError(f"a cursor of {width}x{height} with rows of {stride} bytes")
    if begin + stride * (height - 1) + width * 4 > len(data):
        raise RemoteProtocolError(f"a cursor of {width}x{height} does not fit its {len(data)} bytes")
    return b"".join(data[begin + y * stride : begin + y * stride + width * 4] for y in range(height))


def _bgra(pixels: bytes, name: int) -> bytes:
    """Put the bytes into BGRA order; a format without alpha is opaque."""
    if name in {BGRA, BGRX}:
        ordered = bytearray(pixels)
    elif name in {RGBA, RGBX}:
        ordered = bytearray(pixels)
        ordered[0::4], ordered[2::4] = pixels[2::4], pixels[0::4]
    else:
        raise RemoteProtocolError(f"a cursor in pixel format {name}")
    if name in {BGRX, RGBX}:
        ordered[3::4] = b"\xff" * (len(pixels) // 4)
    return bytes(ordered)


def _inside(hot_px: int, side_px: int) -> int:
    return min(max(hot_px, 0), side_px - 1)


def _unpack(layout: struct.Struct, data: bytes, at: int, what: str) -> tuple[int, ...]:
    if len(data) - at < layout.size:
        raise RemoteProtocolError(f"a {what} of {len(data)} bytes is cut short")
    return layout.unpack_from(data, at)
