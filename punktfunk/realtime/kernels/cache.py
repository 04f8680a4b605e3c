"""Where compiled kernels are kept, and which vector instructions they use. Imports no Numba.

Numba keys its cache by signature and CPU, but not by the SIMD mode or by the other source files that a kernel
was made from: a changed intrinsic would be a cache *hit* on old machine code. So the folder's name carries
mode, CPU and compiler, and in it every kernel module has a folder whose name carries a hash of its source and
of all sources that it imports: an edit recompiles what depends on it and nothing else.
"""

import atexit
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from punktfunk.errors import ConfigError

MODES = ("gfni512", "avx512", "avx2", "ssse3", "neon", "generic")
FOLDER_VARIABLE = "PUNKTFUNK_KERNEL_CACHE"  # set for child processes, so that they compile into our folder
MODE_VARIABLE = "PUNKTFUNK_SIMD"
NUMBA_VARIABLE = "NUMBA_CACHE_DIR"

_KEEP_S = 30 * 24 * 3600
_KERNELS = Path(__file__).parent
_ROOT = _KERNELS.parent.parent.parent  # the folder that holds the package
_IMPORT = re.compile(
    r"^\s*(?:from (punktfunk[\w.]*) import (\([^)]*\)|[^\n]*)|import (punktfunk[\w.]*))", re.MULTILINE
)
_SALTED = re.compile(r"[\w-]+-[0-9a-f]{16}")
_NAME = re.compile(r"\w+")
_problems: list[str] = []


@cache
def cpu_lines() -> tuple[str, frozenset[str]]:
    """Model name and feature flags of the first CPU; empty where the system does not say."""
    model, flags = platform.machine(), frozenset[str]()
    try:
        text = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return model, flags
    for line in text.split("\n\n", 1)[0].splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
        if key.strip() in ("flags", "Features"):
            flags = frozenset(value.split())
    return model, flags


@cache
def simd_mode() -> str:
    """Name the vector instructions that kernels use: one of ``MODES``.

    ``PUNKTFUNK_SIMD`` forces one; a name that is no mode raises ConfigError.
    """
    forced = os.environ.get(MODE_VARIABLE, "")
    if forced:
        if forced not in MODES:
            raise ConfigError(
                f"{MODE_VARIABLE}={forced} is no SIMD mode", hint=f"Use one of {', '.join(MODES)}."
            )
        return forced
    return runnable_modes()[0]


@cache
def runnable_modes() -> tuple[str, ...]:
    """Name the modes that this CPU can run, the best first; ``generic`` is always the last."""
    if platform.machine() == "aarch64":
        return "neon", "generic"
    _, flags = cpu_lines()
    wide = {"avx512bw", "avx512f"}
    needs = {"gfni512": {"gfni", *wide}, "avx512": wide, "avx2": {"avx2"}, "ssse3": {"ssse3"}}
    return *(mode for mode, needed in needs.items() if needed <= flags), "generic"


@cache
def _salt() -> str:
    digest = hashlib.sha256()
    model, flags = cpu_lines()
    # NUMBA_BOUNDSCHECK, NUMBA_OPT, NUMBA_CPU_NAME change the code; Numba's own key lacks some of them.
    numba = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("NUMBA_"))
    asked = (word for word in numba if not word.startswith(NUMBA_VARIABLE))
    for part in (sys.version, version("numba"), version("llvmlite"), model, *sorted(flags), *asked):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


@cache
def _imported(path: Path) -> frozenset[Path]:
    """Files of this package that a source file imports, itself included; not what those import in turn."""
    found = {path}
    for package, names, module in _IMPORT.findall(path.read_text("utf-8")):
        dotted = package or module
        for candidate in (dotted, *(f"{dotted}.{name}" for name in _NAME.findall(names))):
            source = _ROOT.joinpath(*candidate.split(".")).with_suffix(".py")
            if source.exists():
                found.add(source)
    return frozenset(found)


@cache
def source_salt(path: Path) -> str:
    """Hash a source file and, however far away, every file of this package that it imports."""
    found, waiting = {path}, [path]
    while waiting:
        for source in _imported(waiting.pop()) - found:
            found.add(source)
            waiting.append(source)
    digest = hashlib.sha256()
    for source in sorted(found):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def forget_sources() -> None:
    """Read sources anew when next asked for their salt: in a host that lives for weeks some are edited."""
    source_salt.cache_clear()
    _imported.cache_clear()


def module_folder(path: Path) -> Path:
    """Folder for the machine code of one source file, inside ``cache_folder()``; Numba makes it."""
    folder = cache_folder() / f"{path.stem}-{source_salt(path)}"
    with suppress(OSError):
        os.utime(folder)  # it is in use: forget_old lets it be
    return folder


def stamp(modules: Iterable[str]) -> Path:
    """File that stands for the kernel modules of these names being compiled, all as they are now."""
    digest = hashlib.sha256("".join(source_salt(_KERNELS / f"{name}.py") for name in modules).encode())
    return cache_folder() / f"complete-{digest.hexdigest()[:16]}"


def _writable(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "geteuid") and folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(1 << 16))


@cache
def cache_folder() -> Path:
    """Return the folder for machine code, made if needed.

    Where the user's cache folder cannot be written (read-only, full, another owner) this is a private
    temporary folder that is removed at exit, and ``cache_problems`` says why.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(given) if given else base / "punktfunk" / f"kernels-{simd_mode()}-{_salt()}"
    try:
        _writable(folder)
        os.utime(folder)
    except (OSError, RuntimeError) as error:
        note_problem(f"compiled kernels cannot be kept in {folder}: {error}")
        folder = Path(tempfile.mkdtemp(prefix="punktfunk-kernels-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def forget_old() -> None:
    """Remove machine code that nobody has used for a month, of this mode and of others; what fails stays."""
    folder = cache_folder()
    siblings = folder.parent.glob("kernels-*") if folder.parent.name == "punktfunk" else ()
    oldest_s = time.time() - _KEEP_S
    for entry in (*folder.glob("*-*"), *siblings):
        with suppress(OSError):
            ours = entry != folder and _SALTED.fullmatch(entry.name)
            if ours and entry.stat().st_mtime < oldest_s:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def note_problem(sentence: str) -> None:
    """Remember a sentence about the cache.

    Realtime has no log, so the caller of ``cache_problems`` says it.
    """
    _problems.append(sentence)


def cache_problems() -> tuple[str, ...]:
    """Return what went wrong with the cache so far, as sentences; empty when all is well."""
    return tuple(_problems)
