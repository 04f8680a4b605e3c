"""Runs a researcher's variant in a child process and says what came of it.

The variant is machine code that nobody has seen: it may crash, and it may never return. Both end the child
only. A stamp that the child leaves after a check lets a host load the variant.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import Any, Final

import numpy as np

from punktfunk.errors import ConfigError
from punktfunk.measure.paired import Row, paired, verdict

COMPILE_S: Final = 120.0
STEP_S: Final = 20.0
"""A shape takes milliseconds, and a comparison of one a second or two."""
_SEED: Final = 20240229
_LAST_WORDS: Final = 600

LEAST_PAIRS: Final = 10

Note = Callable[[str], None]


def check(folder: Path, kind: str, name: str, note: Note, *, step_s: float = STEP_S) -> int:
    """Check a variant in a child and return how many things were tried; ``note`` gets each before it is.

    ConfigError says what is wrong with it.
    """
    count = 0
    for answer in _child("check", folder, kind, name, {"seed": _SEED}, step_s):
        count += 1
        note(answer["now"])
    return count - 1


def compare(folder: Path, kind: str, name: str, shapes: Sequence[str], rounds: int, note: Note) -> list[Row]:
    """Time a variant beside the default in a child, interleaved; ConfigError if it does not get through."""
    rows = []
    options = {"shapes": list(shapes), "rounds": rounds}
    for answer in _child("compare", folder, kind, name, options, STEP_S + rounds):
        if "row" in answer:
            rows.append(Row.from_json(answer["row"]))
        else:
            note(answer["now"])
    return rows


def live_rows(kind: str, number: int, frames: Sequence[Sequence[int]]) -> list[Row]:
    """Compare what the frames of a live comparison recorded.

    frames   number of the variant, ns from encoded to first and to last datagram, bytes; in order

    Neighbouring turns make a pair: the median of one frame's time in each. ConfigError for fewer than ten.
    """
    ours_and_default = [frame for frame in frames if frame[0] in (0, number)]
    turns = [(key, list(run)) for key, run in groupby(ours_and_default, key=itemgetter(0))]
    pairs = [
        (two, one) if first == number else (one, two)
        for (first, one), (_, two) in zip(turns[::2], turns[1::2], strict=False)
    ]
    if len(pairs) < LEAST_PAIRS:
        raise ConfigError(
            f"{len(frames)} frames in {len(turns)} turns are too few to compare",
            hint="Let it last longer with --seconds, or let the picture move.",
        )
    sizes = (f"{median(frame[3] for pair in pairs for frame in pair[side]):.0f}" for side in (1, 0))
    about = " and ".join(sizes)
    return [
        paired(
            f"lab {kind}",
            f"encoded to {what} datagram, frames of {about} bytes",
            "us",
            "default",
            *(
                np.array([median(frame[column] for frame in pair[side]) / 1e3 for pair in pairs])
                for side in (0, 1)
            ),
        )
        for what, column in (("first", 1), ("last", 2))
    ]


def judged(row: Row) -> str:
    """Say in words what a row's interval shows: ``faster by 12 % (9 to 14)``."""
    assert row.ratio is not None
    assert row.low is not None
    assert row.high is not None
    words = verdict(row.low, row.high)
    if words == "faster":
        return f"faster by {_percent(row.ratio)} % ({_percent(row.low)} to {_percent(row.high)})"
    if words == "slower":
        times = f"{1 / row.ratio:.2f} times as long ({1 / row.high:.2f} to {1 / row.low:.2f})"
        return f"slower: takes {times}"
    return f"{words} (ratio {row.low:.3f} to {row.high:.3f})"


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):.1f}"


def _child(
    verb: str, folder: Path, kind: str, name: str, options: dict[str, Any], step_s: float
) -> Iterator[dict[str, Any]]:
    """Run the child and give its answers but the last, which ends well or raises ConfigError."""
    command = [sys.executable, "-m", "punktfunk.measure.lab_child", verb, str(folder), kind, name]
    who, last = f"{kind} {name}", "compiling"
    with (
        TemporaryFile() as complaints,
        subprocess.Popen(
            [*command, json.dumps(options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,  # so that what it may have started ends with it
        ) as child,
    ):
        try:
            for answer in _answers(child, step_s):
                if "done" in answer:
                    return
                if "problem" in answer:
                    raise ConfigError(f"{who}: {_while(last)}{answer['problem']}", hint=answer["hint"])
                last = answer.get("now", last)
                yield answer
            code = child.wait(step_s)
        except subprocess.TimeoutExpired:
            raise ConfigError(f"{who}: {_while(last)}it closed its output and went on") from None
        except TimeoutError as error:
            raise ConfigError(
                f"{who}: {_while(last)}it did not return within {error} s, and was stopped",
                hint="An endless loop? The host was not touched.",
            ) from None
        finally:  # it has nothing left to do, or must not do it
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        complaints.seek(0)
        words = complaints.read().decode("utf-8", "replace").strip()[-_LAST_WORDS:]
        raise ConfigError(f"{who}: {_while(last)}{_death(code)}", hint=words)


def _answers(child: "subprocess.Popen[bytes]", step_s: float) -> Iterator[dict[str, Any]]:
    """Give the child's lines as they come; TimeoutError with the limit that one of them broke."""
    assert child.stdout
    descriptor, buffer = child.stdout.fileno(), b""
    limit_s = COMPILE_S
    deadline_s = time.monotonic() + limit_s
    while True:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or not select.select([descriptor], [], [], left_s)[0]:
            raise TimeoutError(f"{limit_s:.0f}")
        data = os.read(descriptor, 1 << 16)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            yield json.loads(line)
        limit_s = step_s
        deadline_s = time.monotonic() + limit_s


def _while(last: str) -> str:
    return "" if last == "loaded" else f"at {last}: "


def _death(returncode: int) -> str:
    if returncode < 0:
        return f"it crashed ({signal.Signals(-returncode).name})"
    return f"its process ended with exit code {returncode}"
