"""What the realtime engine must reach at least: the table of docs/measurements.md, as numbers.

Most are ratios of paired medians. They were set for 1408-byte shards, one core and AVX2 or wider, so rows of
other shapes, sizes and modes have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from punktfunk.measure.paired import Row

SHARD_BYTES: Final = 1408
MODES: Final = ("gfni512", "avx512", "avx2")

MEMCPY: Final = "memcpy"
LEOPARD: Final = "reed-solomon-leopard"
MATRIX: Final = "matrix kernel"
CRYPTOGRAPHY: Final = "cryptography"
SENDTO: Final = "Python's sendto"
QUEUE: Final = "Python's SimpleQueue"
PER_PACKET: Final = "Python per packet"
SWSCALE: Final = "swscale"


@dataclass(frozen=True, slots=True)
class Floor:
    """``value`` is the least ratio, or with ``on`` "ours" the most that ours may be, in the row's unit."""

    value: float
    on: Literal["ratio", "ours"] = "ratio"


_ENCODE = {"20:4": 0.60, "50:10": 0.35, "200:40": 0.28, "500:100": 0.22, "1000:200": 0.20}
_DECODE = {"20:4, 1 lost": 60.0, "200:40, 10 lost": 12.0, "1000:200, 50 lost": 6.0, "1000:200, 200 lost": 1.8}

FEC: Final[Mapping[tuple[str, str], Floor]] = {
    **{(f"gf16 encode {shape}", MEMCPY): Floor(share) for shape, share in _ENCODE.items()},
    **{(f"gf16 encode {shape}", LEOPARD): Floor(5.0) for shape in _ENCODE},
    **{(f"gf16 decode {case}", LEOPARD): Floor(ratio) for case, ratio in _DECODE.items()},
    **{(f"gf8 encode {shape}", MATRIX): Floor(3.0) for shape in ("200:40", "212:43")},
}
SEAL: Final[Mapping[tuple[str, str], Floor]] = {
    ("aes-128-gcm evp", CRYPTOGRAPHY): Floor(1.8),
    ("aes-128-gcm aesni", CRYPTOGRAPHY): Floor(4.0),
    ("aes-128-gcm vaes", CRYPTOGRAPHY): Floor(4.0),
}
SEND: Final[Mapping[tuple[str, str], Floor]] = {("GSO", SENDTO): Floor(6.0)}
RING: Final[Mapping[tuple[str, str], Floor]] = {
    ("kernel to kernel, an item", QUEUE): Floor(100.0, "ours"),  # ns: ten million a second
    ("wake-up by futex, one CPU p50", ""): Floor(20.0, "ours"),
    ("wake-up by futex, any CPU p50", ""): Floor(20.0, "ours"),
}
FRAME: Final[Mapping[tuple[str, str], Floor]] = {
    ("late frames", ""): Floor(0.0, "ours"),  # of 960
    ("in one call p50", ""): Floor(1200.0, "ours"),
    ("in one call p99 / p50", ""): Floor(1.5, "ours"),
    ("in one call", PER_PACKET): Floor(10.0),
}


def judged(
    row: Row,
    floors: Mapping[tuple[str, str], Floor],
    *,
    asked: bool = True,
    control: float | None = None,
) -> Row:
    """Give a row its floor, if it has one and its options are those that floors were set for.

    ``control`` is what the same figure came to without punktfunk in the same run.
    """
    floor = floors.get((row.case, row.baseline_name)) if asked else None
    row = replace(row, control=control)
    return replace(row, floor=floor.value, floor_on=floor.on) if floor else row


THROUGHPUT: Final[Mapping[tuple[str, str], Floor]] = {
    ("frames lost", ""): Floor(0.0, "ours"),
    ("corrupt bytes", ""): Floor(0.0, "ours"),
    ("sender's share of a core", ""): Floor(40.0, "ours"),
    ("5 % loss, 25 % parity: frames lost", ""): Floor(0.1, "ours"),
    ("5 % loss, 25 % parity: corrupt bytes", ""): Floor(0.0, "ours"),
    ("720p120: pushed to complete p50", ""): Floor(800.0, "ours"),
    ("720p120: pushed to complete p99", ""): Floor(2500.0, "ours"),
}
"""Where a row says nothing: 5120x1440 at 240 frames a second, 1.4 Gbit/s, 20 % parity and 1 % loss."""

SESSION: Final[Mapping[tuple[str, str], Floor]] = {
    ("capture to reassembled, 720p120: p50", ""): Floor(800.0, "ours"),
    ("capture to reassembled, 720p120: p99", ""): Floor(2500.0, "ours"),
    ("mode change, picture to picture: median", ""): Floor(150.0, "ours"),
    ("mode change, picture to picture: slowest", ""): Floor(150.0, "ours"),
    ("clock offset, two namespaces: error p99", ""): Floor(100.0, "ours"),
    ("input, arrival to injector, beside 720p60 encoded: p99", ""): Floor(2000.0, "ours"),
    ("input, arrival to injector, beside 720p120: p99", ""): Floor(2000.0, "ours"),
    ("720p120 beside flood of handshakes: frames lost", ""): Floor(0.0, "ours"),
}
"""Both ends whole, in two processes of one machine."""

DISPLAYS: Final[Mapping[tuple[str, str], Floor]] = {
    ("sway: connect to first picture: median", ""): Floor(1000.0, "ours"),
    ("gnome: connect to first picture: median", ""): Floor(1500.0, "ours"),
}
"""Desktop sessions of the host's own at 1280x720, 60 pictures a second."""

CONVERT: Final[Mapping[tuple[str, str], Floor]] = {
    (case, SWSCALE): Floor(3.0) for case in ("I420", "NV12", "4:4:4", "10 bit 4:2:0", "P010", "10 bit 4:4:4")
}
"""1920x1080, one thread."""
