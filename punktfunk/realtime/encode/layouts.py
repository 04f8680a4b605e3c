"""How the planes of each pixel format lie that encoders are fed with. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Layout:
    """One of FFmpeg's pixel formats.

    bits         of a sample: 8 in a byte, 10 in two
    full_chroma  chroma planes as large as luma
    plane_count  3, or 2 where Cb and Cr take turns in one
    shift        how far samples of ten bits are moved up in their sixteen
    """

    bits: int
    full_chroma: bool
    plane_count: int
    shift: int = 0


LAYOUTS: Final = {
    "yuv420p": Layout(8, full_chroma=False, plane_count=3),
    "nv12": Layout(8, full_chroma=False, plane_count=2),
    "yuv444p": Layout(8, full_chroma=True, plane_count=3),
    "yuv420p10le": Layout(10, full_chroma=False, plane_count=3),
    "p010le": Layout(10, full_chroma=False, plane_count=2, shift=6),
    "yuv444p10le": Layout(10, full_chroma=True, plane_count=3),
    "yuv444p16le": Layout(10, full_chroma=True, plane_count=3, shift=6),
}
"""Every format that pictures are made in (libavutil/pixfmt.h)."""
