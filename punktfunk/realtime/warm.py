"""Compiling the kernels before they are needed, in a child process, and checking them against their twins.

``python -m punktfunk.realtime.warm`` is that child: one JSON object per line and kernel module. Compilation
holds the interpreter's lock, so it must never happen in a process that streams. What a stream of today needs
comes first; the rest follows with whatever time the machine has left.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.realtime.kernels import cache
from punktfunk.realtime.kernels.cache import cache_folder, cache_problems, runnable_modes, simd_mode, stamp
from punktfunk.realtime.kernels.seal_choice import SEAL_VARIABLE

__all__ = [
    "WarmStep", "cache_problems", "can_stream", "compile_in_child", "is_warm", "runnable_modes", "self_check",
    "simd_mode",
]  # fmt: skip

# CPU seconds of each module on the machine of docs/measurements.md: what the estimate weighs them by.
# Small ones first, and every module after those that it is made of: each compiles only its own.
STREAM_MODULES: Final = {
    "pace": 0.6,  # with Numba's own first compilation
    "mailbox": 0.3,
    "ring": 0.8,
    "evp": 0.6,
    "gcm_key": 0.1,
    "gcm_aesni": 0.6,
    "gcm_vaes": 0.6,
    "product8": 0.5,
    "fft8": 1.5,
    "rs8": 0.6,
    "shards": 0.5,
    "futex": 0.3,
    "slots": 1.1,
    "pack": 1.7,
    "udp": 1.6,
    "group": 0.7,
    "convert": 1.1,
    "frame": 2.2,
    "send_loop": 0.6,
}
"""What a GameStream session needs."""
REST_MODULES: Final = {
    "gf16": 0.9,
    "leopard": 2.2,
    "encode16": 1.1,
    "native_pack": 0.9,
    "native_frame": 2.0,
    "receive": 1.3,
    "locator": 0.8,
    "rows16": 0.3,
    "cauchy": 1.4,
    "erasures16": 1.2,
    "syndromes16": 1.1,
    "choose16": 0.4,
    "full16": 0.3,
    "decode16": 0.9,
    "convert444": 0.7,
    "convert10": 2.2,
    "rs8_decode": 1.5,
    "histogram": 0.3,
    "repeat": 0.4,
    "trials": 1.9,
    "slabs": 0.4,
    "windows": 0.9,
    "believe": 0.5,
    "finish": 1.3,
    "reassemble": 1.5,
    "native_receive": 1.9,
    "carrying": 0.8,
    "scale": 0.5,
}
"""What it does not: punktfunk/1, decoding and receiving, scaling, the lab's and the benchmarks' own."""
SYSTEM_FREE_MODULES: Final = frozenset(
    {
        "product8", "fft8", "rs8", "shards", "gf16", "leopard", "encode16", "locator", "rows16", "cauchy",
        "erasures16", "syndromes16", "choose16", "full16", "decode16", "rs8_decode",
    }
)  # fmt: skip
"""What makes no system calls and needs no library: all the kernels of a client elsewhere than on Linux."""
KERNEL_MODULES: Final = {
    name: weight
    for name, weight in (STREAM_MODULES | REST_MODULES).items()
    if sys.platform == "linux" or name in SYSTEM_FREE_MODULES
}

STREAM_CHECKS: Final = ("rs8", "pack", "gcm", "convert")
REST_CHECKS: Final = (
    "convert444",
    "convert10",
    "gf16",
    "rs8_decode",
    "leopard_decode",
    "native_pack",
    "reassembly",
)

_YIELD: Final = "--beside-streams"
_NICENESS: Final = 5
_CHECK_S: Final = 0.2


def _never_stops() -> None:
    """Stand in for a caller that waits to the end."""


@dataclass(frozen=True, slots=True)
class WarmStep:
    """One kernel module is compiled: ``done`` of ``total``; ``share`` of the work, 0 to 1.

    ``left_s`` estimates the seconds until the last. ``can_stream`` from the step on after which streams can
    begin.
    """

    name: str
    done: int
    total: int
    share: float
    left_s: float
    can_stream: bool


def is_warm() -> bool:
    """Tell whether every kernel is in the cache for this machine, mode and version. Loads no Numba."""
    return stamp(KERNEL_MODULES).exists()


def can_stream() -> bool:
    """Tell whether those kernels are in the cache that a GameStream session needs. Loads no Numba."""
    return stamp(STREAM_MODULES).exists() or is_warm()


def compile_in_child(
    progress: Callable[[WarmStep], None],
    check: Callable[[], None] = _never_stops,
    *,
    beside_streams: bool = False,
) -> None:
    """Compile every kernel in a child process, and report each step; blocks for 10 to 60 s when cold.

    ``beside_streams``: once streams can begin, take only the processor time that nobody else wants.

    ``check`` is called several times a second; what it (or ``progress``) raises kills the child and comes out
    here. EnvironmentProblem with the child's last words if it fails; ConfigError for a forced SIMD mode that
    this CPU does not have.
    """
    _require_mode()
    environment = os.environ | {cache.FOLDER_VARIABLE: str(cache_folder())}
    command = [sys.executable, "-m", "punktfunk.realtime.warm", *([_YIELD] if beside_streams else [])]
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


def _require_mode() -> None:
    if simd_mode() not in runnable_modes():
        raise ConfigError(
            f"{cache.MODE_VARIABLE}={simd_mode()} asks for instructions that this CPU lacks",
            hint=f"It can run {', '.join(runnable_modes())}; unset the variable for the best of them.",
        )


def _lines(child: "subprocess.Popen[bytes]", check: Callable[[], None]) -> Iterator[bytes]:
    """Give the child's lines as they come, calling ``check`` while there are none."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:  # a thread, as not every system can wait for a pipe with a bound
        assert child.stdout
        for line in child.stdout:
            lines.put(line)
        lines.put(b"")

    threading.Thread(target=read, name="pf-warm", daemon=True).start()
    while True:
        check()
        try:
            line = lines.get(timeout=_CHECK_S)
        except queue.Empty:
            continue
        if not line:
            return
        yield line


def _compile_all(*, beside_streams: bool) -> None:
    with suppress(OSError, AttributeError):  # Windows has no niceness
        os.nice(_NICENESS)
    began_s, spent, total = time.monotonic(), 0.0, sum(KERNEL_MODULES.values())
    for done, (name, weight) in enumerate(KERNEL_MODULES.items(), 1):
        import_module(f"punktfunk.realtime.kernels.{name}")
        spent += weight
        streamable = done >= len(STREAM_MODULES)
        if done == len(STREAM_MODULES):
            _note(stamp(STREAM_MODULES))
            if beside_streams:
                _yield_to_streams()
        left_s = (time.monotonic() - began_s) * (total - spent) / spent
        step = WarmStep(
            name, done, len(KERNEL_MODULES), round(spent / total, 3), round(left_s, 1), streamable
        )
        print(json.dumps(asdict(step)), flush=True)
    cache.forget_old()
    _note(stamp(KERNEL_MODULES))


def _note(done: Path) -> None:
    with suppress(OSError):  # else the next start compiles again, and says that it cannot keep the result
        done.touch()


def _yield_to_streams() -> None:
    """From now on a session may run beside this process: take only what it leaves."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def self_check(*, stream_only: bool = False) -> None:
    """Compare every computing kernel with its twin; EnvironmentProblem names those that differ.

    ``stream_only`` leaves out what a GameStream session does not use. Compiles first what the cache lacks; a
    fraction of a second when warm.
    """
    _require_mode()
    from punktfunk.realtime.selfcheck import differing

    names = differing(STREAM_CHECKS if stream_only else (*STREAM_CHECKS, *REST_CHECKS))
    if names:
        remedy = f"{SEAL_VARIABLE}=evp" if names == ["gcm"] else f"{cache.MODE_VARIABLE}=generic"
        raise EnvironmentProblem(
            f"kernels differ from their twins in SIMD mode {simd_mode()}: {', '.join(names)}",
            hint=f"Set {remedy}, and report it with the CPU's name.",
        )


if __name__ == "__main__":
    _compile_all(beside_streams=_YIELD in sys.argv)
