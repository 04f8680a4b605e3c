"""What every test of a picture asks: all frames decoded, each with its barcode, in order."""

from itertools import pairwise
from typing import Any

from harness import Client

IDR = 1  # moonlight-common-c, Limelight.h, FRAME_TYPE_IDR


def desktop(client: Client) -> int:
    """The number of the app Desktop."""
    return app_number(client, "Desktop")


def app_number(client: Client, title: str) -> int:
    apps = client("apps")["apps"]
    return int(next(number for number, listed in apps if listed == title))


def check_pictures(
    report: dict[str, Any], *, at_least: int, width: int = 1280, height: int = 720, late: int = 0
) -> list[int]:
    """Every frame was decoded, shows its barcode, and comes in order; return the numbers shown.

    ``late`` pictures may have come so late, on a busy machine, that the one before was sent again.
    """
    frames = report["frames"]
    assert report["decode_errors"] == 0
    assert len(frames) >= at_least
    decoded = [f for f in frames if f.get("decoded")]
    assert len(decoded) >= len(frames) - 1, [f for f in frames if not f.get("decoded")]
    unreadable = [f for f in decoded if "number" not in f]
    assert not unreadable, unreadable[:3]
    assert {(f["width"], f["height"]) for f in decoded} == {(width, height)}
    numbers = [int(f["number"]) for f in decoded]
    assert numbers == sorted(numbers), "frames were reordered"
    # A picture comes twice only where a key frame was asked for: it is answered at once, from the last picture.
    repeats = sum(a == b for a, b in pairwise(numbers))
    assert repeats <= late + sum(f["type"] == IDR for f in frames), "frames were repeated"
    return numbers


def missing(frames: list[dict[str, Any]]) -> list[int]:
    """Frame indices that never arrived between the first and the last."""
    seen = {f["frame"] for f in frames}
    return sorted(set(range(min(seen), max(seen) + 1)) - seen)


def no_gaps(report: dict[str, Any]) -> None:
    assert missing(report["frames"]) == []
