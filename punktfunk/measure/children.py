"""Runs one benchmark in a child process for each SIMD mode, and collects what they measure."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from punktfunk import realtime
from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.measure.options import Options
from punktfunk.measure.paired import Row

_MODE_VARIABLE = "PUNKTFUNK_SIMD"
_CACHE_VARIABLE = "PUNKTFUNK_KERNEL_CACHE"  # a folder for one mode; each child finds its own


@dataclass(frozen=True, slots=True)
class Progress:
    """A step begins: the ``step``-th of ``total`` over all modes."""

    step: int
    total: int
    title: str


@dataclass(slots=True)
class Result:
    """What all children measured, in their order, and what the reader must know, each note once."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_modes(modes: Sequence[str]) -> None:
    """Misuse for a mode that does not exist, or that this CPU cannot run."""
    runnable = realtime.runnable_modes()
    for mode in modes:
        if mode not in runnable:
            raise Misuse(
                f"--mode {mode} is no SIMD mode that this CPU can run",
                hint=f"Use one of {', '.join(runnable)}.",
            )


def run_modes(name: str, options: Options, modes: Sequence[str], note: Callable[[Progress], None]) -> Result:
    """Run a benchmark in each mode, or once in this machine's own where ``modes`` is empty.

    ``note`` is called before each step. EnvironmentProblem when a child fails, with its last words.
    """
    result = Result()
    for number, mode in enumerate(modes or ("",)):
        for line in _lines(name, options, mode):
            if "title" in line:
                total = line["total"] * max(1, len(modes))
                title = f"{line['title']}, {mode}" if mode else line["title"]
                note(Progress(number * line["total"] + line["step"], total, title))
            elif "row" in line:
                result.rows.append(Row.from_json(line["row"]))
            elif "note" in line:
                if line["note"] not in result.notes:
                    result.notes.append(line["note"])
            else:
                raise EnvironmentProblem(line["error"], hint=line["hint"])
    return result


def _lines(name: str, options: Options, mode: str) -> Iterator[dict[str, Any]]:
    environ = {key: value for key, value in os.environ.items() if key != _CACHE_VARIABLE}
    if mode:
        environ[_MODE_VARIABLE] = mode
    command = [sys.executable, "-m", "punktfunk.measure.child", name, json.dumps(asdict(options))]
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words, env=environ
        ) as child,
    ):
        assert child.stdout
        ended = False
        try:
            for line in child.stdout:
                said = json.loads(line)
                ended = "error" in said
                yield said
        except BaseException:
            child.kill()
            raise
        if child.wait() != 0 and not ended:
            words.seek(0)
            last = words.read()[-600:].decode("utf-8", "replace").strip()
            raise EnvironmentProblem(
                f"the benchmark ended by itself (exit {child.returncode}): {last}",
                hint=f"Run it with {_MODE_VARIABLE}=generic, to see whether a SIMD mode is at fault.",
            )
