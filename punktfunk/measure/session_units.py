"""Access units of a moving picture, encoded once: what ``punktfunk bench session`` replays."""

from itertools import pairwise
from pathlib import Path
from typing import Final

import av
import numpy as np

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode

MODE: Final = Mode(1280, 720, 120_000)
BITRATE_BPS: Final = 20_000_000
COUNT: Final = 240
_NOISE_ROWS: Final = 192
_BANDS: Final = 16


def encode_units() -> list[bytes]:
    """Encode ``COUNT`` pictures with libx264, the first alone being a key frame; about 21 kB each.

    Raises EnvironmentProblem if this PyAV has no libx264.
    """
    hertz = MODE.refresh_millihertz // 1000
    try:
        context = av.VideoCodecContext.create("libx264", "w")
    except av.error.FFmpegError as error:
        raise EnvironmentProblem(
            f"cannot encode with libx264: {error}", hint="Install a build of PyAV that has it."
        ) from error
    context.width, context.height, context.pix_fmt = MODE.width_px, MODE.height_px, "yuv420p"
    context.framerate, context.bit_rate, context.gop_size = hertz, BITRATE_BPS, 10 * COUNT
    kilobits = str(BITRATE_BPS // 1000)
    context.options = {
        "preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1",
        "x264-params": f"vbv-maxrate={kilobits}:vbv-bufsize={int(kilobits) // hertz * 2}:scenecut=0",
    }  # fmt: skip
    units: list[bytes] = []
    random = np.random.default_rng(1)
    for number in range(COUNT):
        units += [bytes(packet) for packet in context.encode(_picture(number, random))]
    units += [bytes(packet) for packet in context.encode(None)]
    return units


def _picture(number: int, random: np.random.Generator) -> av.VideoFrame:
    """Bands that move, and a strip of noise that keeps the encoder at its rate."""
    height, width = MODE.height_px, MODE.width_px
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = ((np.arange(width) + 8 * number) // (width // _BANDS) * 12 % 220 + 16).astype(np.uint8)
    planes[:_NOISE_ROWS] = random.integers(16, 235, (_NOISE_ROWS, width), np.uint8)
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts = number
    return frame


def write_units(path: Path, units: list[bytes]) -> None:
    """Keep them for another process."""
    ends = np.cumsum([0, *map(len, units)])
    path.write_bytes(b"".join(units))
    path.with_suffix(".ends").write_bytes(ends.astype("<i8").tobytes())


def read_units(path: Path) -> tuple[bytes, ...]:
    """Read what ``write_units`` kept."""
    ends = np.frombuffer(path.with_suffix(".ends").read_bytes(), "<i8").tolist()
    content = path.read_bytes()
    return tuple(content[begin:end] for begin, end in pairwise(ends))
