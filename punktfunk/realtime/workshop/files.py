"""Finds variants in a researcher's folder by reading the sources; runs nothing of them, loads no Numba.

A file is code that the host will run, so only those are read that the host's user alone could have written.
"""

import ast
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from punktfunk.errors import ConfigError, EnvironmentProblem, Misuse
from punktfunk.realtime.variants import DEFAULT, KINDS, SHIPPED, own_number

MODULE: Final = "punktfunk.realtime.lab"
NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
LARGEST_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A file's bytes, read once: what is hashed is what runs."""

    path: Path
    text: bytes
    changed_ns: int


@dataclass(frozen=True, slots=True)
class VariantFile:
    """A variant that a file declares."""

    kind: str
    name: str
    source: Source
    line: int
    summary: str

    @property
    def number(self) -> int:
        """What frames that it makes record."""
        return own_number(self.kind, self.name, self.source.text)


def check_name(name: str) -> str:
    """Return a variant's name; Misuse for one that is none."""
    if not NAME.fullmatch(name):
        raise Misuse(
            f"{name!r} is no name of a variant",
            hint="Small letters, digits, - and _, beginning with a letter; at most 32.",
        )
    if name == DEFAULT:
        raise Misuse("default is the name of what punktfunk ships", hint="Choose another name.")
    return name


def check_kind(kind: str) -> str:
    """Return a kind; Misuse for one that there is not."""
    if kind not in KINDS:
        raise Misuse(f"{kind!r} is no kind of variant", hint=f"The kinds are {', '.join(KINDS)}.")
    return kind


def find_variants(folder: Path) -> list[VariantFile]:
    """Every variant of a folder, by file and line; none if there is no such folder.

    EnvironmentProblem where others could have written it; ConfigError for no Python, or two of a name.
    """
    try:
        if not folder.is_dir():
            return []
        check_folder(folder)
        paths = sorted(folder.glob("*.py"))
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot look into {folder}: {error.strerror}", hint="Choose another folder with --folder."
        ) from error
    everything: dict[tuple[str, str], VariantFile] = {}
    for path in paths:
        for found in _declared_in(read_source(path)):
            twin = everything.setdefault((found.kind, found.name), found)
            if twin is not found:
                raise ConfigError(
                    f"{found.kind} {found.name} is declared twice: {_place(twin)} and {_place(found)}",
                    hint="Rename one of them.",
                )
    return list(everything.values())


def find_variant(folder: Path, kind: str, name: str) -> VariantFile:
    """Find one variant by kind and name; Misuse, with what there is, if the folder has none of them."""
    check_kind(kind)
    check_name(name)
    everything = find_variants(folder)
    for found in everything:
        if (found.kind, found.name) == (kind, name):
            return found
    there = ", ".join(f"{found.kind}={found.name}" for found in everything) or "none"
    raise Misuse(f"{folder} declares no {kind} variant {name!r}", hint=f"Those that it declares: {there}.")


def check_folder(folder: Path) -> None:
    """EnvironmentProblem unless this user alone can put files into the folder."""
    real = folder.resolve()
    _check_owner(real, real.stat())
    for parent in real.parents:
        found = parent.stat()
        foreign = found.st_uid not in (0, os.geteuid())
        replaceable = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
        if foreign or replaceable:
            raise EnvironmentProblem(
                f"{folder} is not used: others can replace its parent {parent}",
                hint="Choose a folder in your home with --folder.",
            )


def read_source(path: Path) -> Source:
    """Read a file whole; EnvironmentProblem unless it is a plain file that this user alone may write."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_BYTES:
                raise EnvironmentProblem(
                    f"{path} is no file of at most {LARGEST_BYTES} bytes", hint="Move it elsewhere."
                )
            _check_owner(path, found)
            return Source(path, file.read(), found.st_mtime_ns)
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot read {path}: {error.strerror}", hint="A link is not followed: copy the file itself."
        ) from error


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise EnvironmentProblem(
            f"{path} is not used: it belongs to user {found.st_uid}, not to user {os.geteuid()}",
            hint="Only the host's own user may give it code to run.",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EnvironmentProblem(
            f"{path} is not used: others can write to it (mode {stat.S_IMODE(found.st_mode):04o})",
            hint=f"chmod go-w {path}",
        )


def _declared_in(source: Source) -> Iterator[VariantFile]:
    try:
        tree = ast.parse(source.text, str(source.path))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{source.path} is no Python: {error}") from error
    names = _imported_kinds(tree)
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for decorator in function.decorator_list:
            match decorator:
                case ast.Call(func=called, args=[ast.Constant(value=str(name)), *_]):
                    kind = names.get(ast.unparse(called))
                case _:
                    continue
            if kind:
                summary = (ast.get_docstring(function) or "").partition("\n")[0]
                if name in SHIPPED.get(kind, {}):
                    raise ConfigError(
                        f"{source.path.name}:{function.lineno}: {kind}={name} is punktfunk's own",
                        hint="Choose another name.",
                    )
                yield VariantFile(kind, check_name(name), source, function.lineno, summary)


def _imported_kinds(tree: ast.Module) -> dict[str, str]:
    """Say which decorator, as the file writes it, stands for which kind."""
    names: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.ImportFrom(module=module, names=aliases) if module == MODULE:
                names |= {a.asname or a.name: a.name for a in aliases if a.name in KINDS}
            case ast.ImportFrom(module="punktfunk.realtime", names=aliases):
                for alias in aliases:
                    if alias.name == "lab":
                        names |= {f"{alias.asname or 'lab'}.{kind}": kind for kind in KINDS}
            case _:
                continue
    return names


def _place(found: VariantFile) -> str:
    return f"{found.source.path.name}:{found.line}"
