"""Compiling the kernels before they are needed, in a child process, and checking them against their twins.

``python -m punktfunk.realtime.warm`` is that child: one JSON object per line and kernel module. Compilation
holds the interpreter's lock, so it must never happen in a process that streams.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Final

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.kernels import cache
from punktfunk.realtime.kernels.cache import cache_folder, cache_problems, simd_mode, stamp

__all__ = ["WarmStep", "cache_problems", "compile_in_child", "is_warm", "self_check", "simd_mode"]

# Small ones first, and every module after those that it is made of: each compiles only its own.
KERNEL_MODULES: Final = (
    "pace", "mailbox", "ring", "seal", "gf8", "pack", "convert", "udp", "frame", "send_loop",
)  # fmt: skip
CHECKS: Final = ("gf8", "pack", "seal", "convert")
_NICENESS: Final = 5
_CHECK_S: Final = 0.2


def _never_stops() -> None:
    """Stand in for a caller that waits to the end."""


@dataclass(frozen=True, slots=True)
class WarmStep:
    """One kernel module is compiled: ``done`` of ``total``."""

    name: str
    done: int
    total: int


def is_warm() -> bool:
    """Tell whether every kernel is in the cache for this machine, mode and version. Loads no Numba."""
    return stamp(KERNEL_MODULES).exists()


def compile_in_child(progress: Callable[[WarmStep], None], check: Callable[[], None] = _never_stops) -> None:
    """Compile every kernel in a child process, and report each step; blocks for 10 to 60 s when cold.

    ``check`` is called several times a second; what it (or ``progress``) raises kills the child and comes out
    here. EnvironmentProblem with the child's last words if it fails.
    """
    environment = os.environ | {cache.FOLDER_VARIABLE: str(cache_folder())}
    command = [sys.executable, "-m", "punktfunk.realtime.warm"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as child:
        assert child.stderr
        try:
            for line in _lines(child, check):
                progress(WarmStep(**json.loads(line)))
        except BaseException:
            child.kill()
            raise
        words = child.stderr.read().decode("utf-8", "replace").strip()
    if child.returncode != 0:
        raise EnvironmentProblem(
            f"the kernels could not be compiled (exit {child.returncode}): {words[-400:]}",
            hint="Run `python -m punktfunk.realtime.warm` to see all of it.",
        )


def _lines(child: "subprocess.Popen[bytes]", check: Callable[[], None]) -> Iterator[bytes]:
    """Give the child's lines as they come, calling ``check`` while there are none."""
    assert child.stdout
    descriptor, buffer = child.stdout.fileno(), b""
    while True:
        check()
        if not select.select([descriptor], [], [], _CHECK_S)[0]:
            continue
        data = os.read(descriptor, 4096)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        yield from lines


def _compile_all() -> None:
    with suppress(OSError):
        os.nice(_NICENESS)
    for done, name in enumerate(KERNEL_MODULES, 1):
        import_module(f"punktfunk.realtime.kernels.{name}")
        print(json.dumps(asdict(WarmStep(name, done, len(KERNEL_MODULES)))), flush=True)
    with suppress(OSError):  # then the next start compiles again, and says that it cannot keep the result
        stamp(KERNEL_MODULES).touch()


def self_check() -> None:
    """Compare every computing kernel with its twin; EnvironmentProblem names those that differ.

    Compiles first what the cache lacks; a fraction of a second when warm.
    """
    from punktfunk.realtime.selfcheck import differing

    names = differing(CHECKS)
    if names:
        raise EnvironmentProblem(
            f"kernels differ from their twins in SIMD mode {simd_mode()}: {', '.join(names)}",
            hint=f"Set {cache.MODE_VARIABLE}=generic, and report it with the CPU's name.",
        )


if __name__ == "__main__":
    _compile_all()
