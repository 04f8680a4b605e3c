"""Runs a researcher's file and hands out its variants; says which files have been checked.

The stamp of a check lies beside the machine code and names everything that the result depends on: the bytes
of the file, every kernel of punktfunk, and through the folder the CPU, the SIMD mode and the compiler. A host
loads nothing without it, and so compiles nothing: the check has filled the cache.
"""

import hashlib
import sys
import threading
from importlib.abc import InspectLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType
from typing import Final

from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.realtime.kernels import cache
from punktfunk.realtime.variants import Variant, own_number
from punktfunk.realtime.warm import KERNEL_MODULES
from punktfunk.realtime.workshop.files import Source, VariantFile, find_variant
from punktfunk.realtime.workshop.shipped import is_shipped, load_shipped

_HERE: Final = Path(__file__).parent
_loaded: dict[str, dict[tuple[str, str], Variant]] = {}
_loading = threading.Lock()


def load_checked(folder: Path, kind: str, name: str) -> Variant:
    """Load a variant that has passed its check. EnvironmentProblem if it has not, or was changed since.

    ConfigError for a file that passed there and fails here. What punktfunk ships needs no check.

    Blocks for some tens of milliseconds; call it in a thread. What was loaded once stays in memory.
    """
    if is_shipped(kind, name):
        return load_shipped(kind, name)
    found = find_variant(folder, kind, name)
    try:
        passed = is_checked(found)
    except OSError as error:  # a source of ours is gone: punktfunk was updated while it ran
        raise EnvironmentProblem(
            f"punktfunk's own sources cannot be read: {error}", hint="Restart the host."
        ) from error
    if not passed:
        raise EnvironmentProblem(
            f"{kind} {name} has not passed its check as it is now ({found.source.path})",
            hint=f"Run: punktfunk lab check {kind}={name}",
        )
    try:
        return load(found)
    except (Exception, SystemExit) as error:  # of a researcher's file; it must not end the host
        raise ConfigError(
            f"{found.source.path} cannot be loaded: {type(error).__name__}: {error}",
            hint=f"It could be when it was checked. Run again: punktfunk lab check {kind}={name}",
        ) from error


def load(found: VariantFile) -> Variant:
    """Run the file, compile what the cache lacks, and return the variant; what the file raises comes out."""
    with _loading:
        name = _module_name(found.source)
        if name not in _loaded:
            cache.forget_sources()
            _loaded[name] = _run(name, found.source)
        return _loaded[name][found.kind, found.name]


def is_checked(found: VariantFile) -> bool:
    """Tell whether this very file has passed the check of this variant with these kernels on this CPU."""
    stamp = _stamp(found)
    try:
        return stamp.read_text("ascii") == _state_of(found.source)
    except (OSError, ValueError):
        return False


def note_checked(found: VariantFile) -> None:
    """Remember that it has. EnvironmentProblem where the cache folder cannot be written."""
    stamp = _stamp(found)
    try:
        stamp.parent.mkdir(mode=0o700, exist_ok=True)
        stamp.write_text(_state_of(found.source), "ascii")
    except OSError as error:
        raise EnvironmentProblem(
            f"passed, but that cannot be kept in {stamp.parent}: {error.strerror}",
            hint="Without it no host loads the variant. Make the folder writable.",
        ) from error


def _stamp(found: VariantFile) -> Path:
    cache.forget_sources()
    digest = hashlib.sha256(cache.stamp(KERNEL_MODULES).name.encode())
    for judge in (*sorted(_HERE.glob("*.py")), _HERE.parent / "lab.py"):  # a stricter check is another check
        digest.update(judge.read_bytes())
    digest.update(found.source.text)
    folder = cache.module_folder(found.source.path)
    return folder / f"checked-{found.kind}-{found.name}-{digest.hexdigest()[:16]}"


def _state_of(source: Source) -> str:
    """Path and time of change: where either differs, Numba may look elsewhere for the machine code."""
    return f"{source.path.absolute().as_posix().encode().hex()} {source.changed_ns}"


def _module_name(source: Source) -> str:
    """Name every version of a file, and so its entries' symbols, apart: older ones may be running."""
    digest = hashlib.sha256(str(source.path).encode() + b"\0" + source.text)
    return f"punktfunk_lab_{digest.hexdigest()[:16]}"


class _ReadSource(InspectLoader):
    """Imports from bytes that were read before; writes no bytecode file."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def get_source(self, _fullname: str) -> str:
        return self._source.text.decode("utf-8")

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_source(fullname), str(self._source.path))


def _run(name: str, source: Source) -> dict[tuple[str, str], Variant]:
    from punktfunk.realtime.lab import declared

    spec = spec_from_loader(name, _ReadSource(source))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[name] = module  # Numba looks there for the globals of what it loads from its cache
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return {
        (each.kind, each.name): Variant(
            each.kind,
            each.name,
            own_number(each.kind, each.name, source.text),
            each.address,
            wants_own_context=True,
            prepare=each.prepare,
        )
        for each in declared(name)
    }
