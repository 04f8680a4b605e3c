"""What a session of our own is made of: one process each, and how one knows that it is there."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from punktfunk.control.system.packages import Packages

START_S: Final = 15.0

Ready = Callable[[], Awaitable[bool]]
"""Asked again and again until it says yes."""


@dataclass(frozen=True, slots=True)
class Start:
    """One way to start a part.

    command      program and arguments
    environment  what the program gets beside the session's variables; an empty value takes a variable away
    is_ready     asked until it says yes, for at most ``patience_s``
    gives        variables that this part brings for the parts after it, for applications and for backends
    leftovers    files that one before it may have left and that would mislead this one; removed first
    note         what a user should know of this way, such as "drawn by the CPU"
    """

    command: Sequence[str]
    is_ready: Ready
    environment: Mapping[str, str] = field(default_factory=dict)
    gives: Mapping[str, str] = field(default_factory=dict)
    leftovers: Sequence[Path] = ()
    note: str = ""
    patience_s: float = START_S


@dataclass(frozen=True, slots=True)
class Part:
    """One process of a session.

    name      what it is to the user, such as "compositor" or "sound"
    program   what is started, for people and to look for
    packages  what brings the program, by family of distributions
    starts    ways to start it, tried in order
    needs     names of parts that it does not outlive: where one of them ends, this one is started anew too
    without   what follows where the program is missing; empty: the session cannot be had without it
    """

    name: str
    program: str
    packages: Packages
    starts: Sequence[Start]
    needs: frozenset[str] = frozenset()
    without: str = ""


def listens(path: Path) -> Ready:
    """Make a check that somebody accepts connections on a unix socket."""

    async def check() -> bool:
        try:
            stream = await trio.open_unix_socket(os.fspath(path))
        except OSError:
            return False
        await stream.aclose()
        return True

    return check


async def at_once() -> bool:
    """Be the check of a part that shows nothing when it is ready."""
    await trio.lowlevel.checkpoint()
    return True


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are not empty: an empty one stands for one that is not set."""
    return {name: value for name, value in environment.items() if value}
