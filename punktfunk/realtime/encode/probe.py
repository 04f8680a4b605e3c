"""Which encoders really work here: each one encodes pictures, in a child process, within a time limit.

Drivers hang and crash; a child takes that with it. The child writes a line of JSON per candidate and, when it
dies or goes silent, the candidate it was at is refused and another child goes on with the rest.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punktfunk.errors import ConfigError, PunktfunkError
from punktfunk.plan import Codec, ColourSpace, EncodePlan, Mode
from punktfunk.realtime.encode.settings import CANDIDATES, Candidate

if TYPE_CHECKING:
    from punktfunk.realtime.encode.base import AccessUnit

PROBE_MODE: Final = Mode(640, 360, 60_000)
PROBE_BITRATE_BPS: Final = 4_000_000
CANDIDATE_TIMEOUT_S: Final = 8.0
"""For one candidate, the child's start included. A first CUDA context takes two seconds."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An encoder that was tried and cannot be used."""

    encoder_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class EncoderReport:
    """What the probe found for one codec.

    encoder_name  the FFmpeg encoder to use, None where none works
    hardware      whether it is a hardware encoder, so that it may be offered to clients unasked
    reason        why this one, or why none, for people
    refused       better candidates that were tried before, and why they were refused
    full_chroma   whether it encodes 4:4:4; ten_bit: HDR10; deep_chroma: both at once
    """

    codec: Codec
    encoder_name: str | None
    hardware: bool
    reason: str
    refused: tuple[Refusal, ...]
    full_chroma: bool = False
    ten_bit: bool = False
    deep_chroma: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """How one candidate did. ``reason`` is empty where it works; then the rest is what else it can."""

    encoder_name: str
    reason: str
    frame_ms: float
    full_chroma: bool = False
    ten_bit: bool = False
    deep_chroma: bool = False


def probe_encoders(
    wanted: str = "auto", codecs: Iterable[Codec] = tuple(Codec), timeout_s: float = CANDIDATE_TIMEOUT_S
) -> list[EncoderReport]:
    """Try the encoders of each codec in order and report the first that works.

    ``wanted`` is ``auto``, a family (nvenc, vaapi, qsv, amf, vulkan, software) or an FFmpeg name such as
    libx264. A family or a name is never silently replaced: nothing else is tried, and codecs that it does not
    cover have no encoder. ConfigError if ``wanted`` is nothing known. Blocks for up to ``timeout_s`` per
    candidate; a machine without hardware encoders takes about a second.
    """
    tried = [known for known in CANDIDATES if _matches(known, wanted)]
    if not tried:
        families = dict.fromkeys(known.family for known in CANDIDATES)
        raise ConfigError(
            f"no encoder is called {wanted!r}",
            hint=f"Use auto, {', '.join(families)} or an FFmpeg name such as libx264.",
        )
    codecs = list(codecs)
    trials = _trials([known.name for known in tried if known.codec in codecs], timeout_s)
    return [
        _report(codec, [known for known in tried if known.codec is codec], trials, wanted) for codec in codecs
    ]


def _matches(known: Candidate, wanted: str) -> bool:
    return wanted in {"auto", known.family, known.name}


def _report(codec: Codec, tried: Sequence[Candidate], trials: dict[str, Trial], wanted: str) -> EncoderReport:
    if not tried:
        return EncoderReport(codec, None, False, f"{wanted} has no {codec.value} encoder", ())  # noqa: FBT003
    refused: list[Refusal] = []
    for known in tried:
        trial = trials[known.name]
        if not trial.reason:
            hardware = known.family != "software"
            why = f"asked for {wanted}" if wanted != "auto" else "first that works"
            reason = f"{why}, {trial.frame_ms:.1f} ms for {PROBE_MODE.width_px}x{PROBE_MODE.height_px}"
            more = trial.full_chroma, trial.ten_bit, trial.deep_chroma
            return EncoderReport(codec, known.name, hardware, reason, tuple(refused), *more)
        refused.append(Refusal(known.name, trial.reason))
    return EncoderReport(codec, None, False, "no encoder works", tuple(refused))  # noqa: FBT003


def _trials(names: Sequence[str], timeout_s: float) -> dict[str, Trial]:
    results: dict[str, Trial] = {}
    left = list(names)
    while left:
        why = _run_child(left, results, timeout_s)
        left = [name for name in left if name not in results]
        if left:
            results[left[0]] = Trial(left[0], why, 0.0)
            left = left[1:]
    return results


def _run_child(names: Sequence[str], results: dict[str, Trial], timeout_s: float) -> str:
    """Add the child's trials to ``results``; why it ended before the last one, else an empty string."""
    command = [sys.executable, "-m", "punktfunk.realtime.encode.trial", *names]
    # The child must find this very package, though it may run from a source tree that is not installed.
    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    ) as child:
        assert child.stdout is not None
        fd = child.stdout.fileno()
        buffer = b""
        why = ""
        deadline = time.monotonic() + timeout_s
        while True:
            ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                child.kill()
                why = f"no answer within {timeout_s:.0f} s"
                break
            chunk = os.read(fd, 65536)
            if not chunk:
                break
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                trial = Trial(**json.loads(line))
                results[trial.encoder_name] = trial
                deadline = time.monotonic() + timeout_s
    return why or f"crashed its process ({child.returncode})"


def try_encoder(known: Candidate) -> Trial:
    """Encode three pictures, the last as an IDR on demand. For the child process; refusals are results."""
    try:
        units, frame_ms = _encode(known, (True, False, True))
    except PunktfunkError as error:
        return Trial(known.name, str(error), 0.0)
    if [len(unit) for unit in units] != [1, 1, 1]:
        return Trial(known.name, "it delays pictures", 0.0)
    if [unit[0].is_key for unit in units] != [True, False, True]:
        return Trial(known.name, "it makes no key frame on demand", 0.0)
    shapes = ((8, True), (10, False), (10, True))
    return Trial(known.name, "", frame_ms, *[_has(known, bits, chroma_444=full) for bits, full in shapes])


def _has(known: Candidate, bit_depth: int, *, chroma_444: bool) -> bool:
    """Whether it encodes such pixels: a library says what it was built for, a device must show it."""
    import av

    try:
        pixels = known.format_for(bit_depth=bit_depth, chroma_444=chroma_444)
        if known.family == "software":
            return any(found.name == pixels for found in av.Codec(known.name, "w").video_formats or ())
        units, _frame_ms = _encode(known, (True,), bit_depth=bit_depth, chroma_444=chroma_444)
    except PunktfunkError:
        return False
    return [len(unit) for unit in units] == [1]


def _encode(
    known: Candidate, keys: Sequence[bool], *, bit_depth: int = 8, chroma_444: bool = False
) -> "tuple[list[list[AccessUnit]], float]":
    """Encode black pictures, some as key frames: the access units, and milliseconds for each."""
    from punktfunk.realtime.encode.lavc import LavcEncoder

    space = ColourSpace.BT2020 if bit_depth == 10 else ColourSpace.BT709
    plan = EncodePlan(
        *(known.codec, known.name, PROBE_BITRATE_BPS, space),
        full_range=False,
        bit_depth=bit_depth,
        chroma_444=chroma_444,
    )
    encoder = LavcEncoder.open(plan, PROBE_MODE)
    try:
        picture = encoder.new_picture()
        started = time.perf_counter()
        units = [encoder.encode(picture, key=key) for key in keys]
        return units, (time.perf_counter() - started) * 1000 / len(units)
    finally:
        encoder.close()
