"""Captured pixels into an encoder's planes: the conversion kernels against FFmpeg's swscale.

Both convert the same noise, on one thread, in the CPU time of that thread. swscale is asked through PyAV's
reformatter, as a program without kernels would: it makes a frame for each picture, ours writes into planes
that are there. Luma of both is compared before anything is timed: chroma differs, as swscale places it left
and the kernels take the mean of four.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from punktfunk import realtime
from punktfunk.errors import PunktfunkError
from punktfunk.measure.floors import CONVERT, SWSCALE, judged
from punktfunk.measure.options import ConvertOptions
from punktfunk.measure.paired import Row, compare_works, looped, own_ns
from punktfunk.measure.steps import Benchmark, Step
from punktfunk.plan import ColourSpace

CASES: Final = {
    "I420": ("bgra", "yuv420p"),
    "NV12": ("bgra", "nv12"),
    "4:4:4": ("bgra", "yuv444p"),
    "10 bit 4:2:0": ("x2rgb10le", "yuv420p10le"),
    "P010": ("x2rgb10le", "p010le"),
    "10 bit 4:4:4": ("x2rgb10le", "yuv444p10le"),
}
"""What is measured: FFmpeg's names of the captured pixels and of the encoder's."""


def benchmark(options: ConvertOptions) -> Benchmark:
    """Every format, in every size that was asked for."""
    steps = [
        Step(f"convert to {case}, {width}x{height}", partial(rows, options, case, width, height))
        for width, height in options.sizes
        for case in CASES
    ]
    return Benchmark(tuple(steps), ())


def rows(options: ConvertOptions, case: str, width: int, height: int) -> Iterator[Row]:
    """Time one format in one size."""
    source, target = CASES[case]
    deep = source != "bgra"
    pixels = np.random.default_rng(0).integers(0, 1 << 32, (height, width), dtype=np.uint32)
    picture = realtime.Picture(width, height, target)
    converter = realtime.Converter(ColourSpace.BT709, full_range=False)
    ours = partial(converter.convert, pixels, picture, ten_bit=deep)
    theirs = partial(_swscale, VideoReformatter(), _frame(pixels, source), target)
    ours()
    shown = _luma(theirs(), picture)
    apart = int(np.abs(shown - _luma(picture.frame, picture)).max()) >> picture.layout.shift
    if apart > (4 if deep else 1):  # a step of eight bits: swscale computes no finer there
        raise PunktfunkError(f"{case}: luma differs from swscale's, so it is not timed")
    row = compare_works(
        *("convert", case, SWSCALE, looped(theirs), looped(ours)),
        rounds=options.rounds,
        work_bytes=pixels.nbytes,
        clock=own_ns,
    )
    if (width, height) == (1920, 1080):
        yield judged(row, CONVERT)
    else:
        yield replace(row, case=f"{case}, {width}x{height}")


def _frame(pixels: "np.ndarray[Any, np.dtype[np.uint32]]", name: str) -> Any:
    """Make an AVFrame of packed pixels."""
    height, width = pixels.shape
    frame = av.VideoFrame(width, height, name)
    plane = frame.planes[0]
    lines = np.frombuffer(plane, np.uint32).reshape(height, plane.line_size // 4)
    lines[:, :width] = pixels
    return frame


def _swscale(reformatter: Any, frame: Any, target: str) -> Any:
    words = {"src_colorspace": "ITU709", "dst_colorspace": "ITU709"}
    size = frame.width, frame.height
    try:
        return reformatter.reformat(frame, *size, target, **words, threads=1)
    except TypeError:  # PyAV before 17 has no other choice
        return reformatter.reformat(frame, *size, target, **words)


def _luma(frame: Any, picture: realtime.Picture) -> "np.ndarray[Any, np.dtype[np.int64]]":
    kind = picture.planes[0].dtype
    plane = frame.planes[0]
    lines = np.frombuffer(plane, kind).reshape(plane.height, plane.line_size // kind.itemsize)
    return lines[:, : picture.width_px].astype(np.int64)
