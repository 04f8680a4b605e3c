"""What an examination says, one finding per line of ``punktfunk doctor``; how checks reach the machine."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

COMMAND_S = 5.0


class Status(Enum):
    """How much of what streaming wants is there."""

    OK = "ok"
    DEGRADED = "degraded"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, what follows from it, and what to do.

    ``vital`` findings that are missing mean that ``serve`` could not stream.
    """

    check: str
    status: Status
    found: str
    consequence: str = ""
    remedy: str = ""
    vital: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said."""

    exit_code: int
    output: str
    complaint: str = ""


Run = Callable[[Sequence[str]], Answer | None]
"""Runs a command; None where there is no such program or it does not answer."""


def run_command(words: Sequence[str]) -> Answer | None:
    """Run a program that only looks, within five seconds. Its folder may be missing from a user's PATH."""
    program = shutil.which(words[0]) or shutil.which(words[0], path="/usr/sbin:/sbin:/usr/local/sbin")
    if program is None:
        return None
    try:
        ended = subprocess.run(
            [program, *words[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_S,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError):
        return None
    return Answer(ended.returncode, ended.stdout, ended.stderr)


def read_text(path: Path) -> str | None:
    """Content of a small file, None if it is not there or not for us."""
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return None
