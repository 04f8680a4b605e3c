"""``punktfunk lab``: a researcher's own variants, from an empty file to a running stream."""

import json
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from punktfunk import paths
from punktfunk.commands.admin import ask
from punktfunk.config_loading import load_settings
from punktfunk.errors import EnvironmentProblem, Misuse, PunktfunkError
from punktfunk.log import printable
from punktfunk.measure import lab
from punktfunk.measure.paired import Row
from punktfunk.measure.report import machine, table
from punktfunk.realtime import (
    VariantFile,
    check_name,
    find_variant,
    find_variants,
    is_checked,
    is_shipped,
    shipped_variants,
)

DEFAULT = "default"
LIVE_SLACK_S = 20.0
"""What a live comparison's answer may take beyond its own seconds: loading, and a busy machine."""


def new(name: str, kind: str, folder: Path | None) -> None:
    """Write ``NAME.py`` with a variant that works."""
    check_name(name)
    kinds = sorted(place.name.removesuffix(".txt") for place in _templates().iterdir())
    if kind not in kinds:
        raise Misuse(f"{kind!r} is no kind of variant", hint=f"The kinds are {', '.join(kinds)}.")
    text = (_templates() / f"{kind}.txt").read_text("utf-8").replace("NAME", name)
    path = paths.make_private_folder(_folder(folder)) / f"{name.replace('-', '_')}.py"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot write {path}: {error.strerror}", hint="Choose another name or --folder."
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"written: {path}")
    print(f"next:    punktfunk lab check {kind}={name}")


def list_variants(folder: Path | None, *, as_json: bool) -> None:
    """Print what punktfunk ships, then every variant of the folder."""
    place = _folder(folder)
    rows: list[dict[str, Any]] = [
        {"kind": kind, "name": name, "number": number, "checked": True, "file": "", "summary": ""}
        for kind, name, number in shipped_variants()
    ]
    rows += [
        {
            "kind": each.kind,
            "name": each.name,
            "number": each.number,
            "checked": is_checked(each),
            "file": f"{each.source.path}:{each.line}",
            "summary": each.summary,
        }
        for each in find_variants(place)
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    names = [f"{row['kind']}={row['name']}" for row in rows]
    width = max(map(len, names))
    for name, row in zip(names, rows, strict=True):
        state = "checked" if row["checked"] else "NOT CHECKED"
        where = f"{state:11}  {printable(row['summary'])}" if row["file"] else "ships with punktfunk"
        print(f"{name:{width}}  recorded as {row['number']:<5}  {where}".rstrip())
    if not any(row["file"] for row in rows):
        print(f"none in {place} yet; begin with: punktfunk lab new mine --kind fec8")


def check(names: Sequence[str], folder: Path | None) -> None:
    """Check the named variants, or all; PunktfunkErrors of all that fail come out together."""
    wanted = [_find(name, folder) for name in names] if names else find_variants(_folder(folder))
    if not wanted:
        raise Misuse(f"there is no variant in {_folder(folder)}", hint="punktfunk lab new NAME writes one.")
    problems: list[PunktfunkError] = []
    for each in wanted:
        try:
            _check(each)
        except PunktfunkError as problem:
            problems.append(problem)
    if problems:
        raise ExceptionGroup("checks failed", problems)


def compare(pair: str, folder: Path | None, shapes: Sequence[str], rounds: int, *, as_json: bool) -> None:
    """Time a variant beside the default, here and now."""
    kind, name, place = _named(pair, folder, check=not as_json)
    rows = lab.compare(place, kind, name, shapes, rounds, _quiet)
    _print_rows(rows, as_json=as_json)


def compare_live(
    pair: str, folder: Path | None, state: Path | None, seconds: float, turn_s: float, *, as_json: bool
) -> None:
    """Let the running stream take default and variant in turns, and compare what its frames recorded."""
    kind, name, place = _named(pair, folder)
    request = _request("lab.compare", kind, name, place)
    request |= {"seconds": str(seconds), "turn_s": str(turn_s)}
    answer = ask(state, request, seconds + LIVE_SLACK_S)
    rows = lab.live_rows(kind, int(answer["number"]), answer["frames"])
    _print_rows(rows, as_json=as_json)


def swap(pair: str, folder: Path | None, state: Path | None) -> None:
    """Let the running stream use a variant, or the default again."""
    answer = ask(state, _request("lab.swap", *_named(pair, folder)))
    print(f"{answer['kind']}: {answer['before']} -> {answer['name']}, recorded as {answer['number']}")


def frames(state: Path | None, *, as_json: bool) -> None:
    """Show which variants made the last frames."""
    rows = ask(state, {"verb": "lab.frames"})["frames"]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    made: dict[tuple[str, ...], list[tuple[float, float, int]]] = {}
    for row in rows:
        times_us = [(row[key] - row["encoded_ns"]) / 1e3 for key in ("first_ns", "last_ns")]
        key = (row["fec"], row["seal"], row["pace"])
        made.setdefault(key, []).append((times_us[0], times_us[1], row["bytes"]))
    _print_table(
        ("fec", "seal", "pace", "frames", "to first datagram", "to last", "bytes"),
        [
            (*key, str(len(each)), *(f"{median(column):.0f}{unit}" for column, unit in _units(each)))
            for key, each in made.items()
        ],
    )


def _units(frames_: list[tuple[float, float, int]]) -> list[tuple[tuple[float, ...], str]]:
    return list(zip(zip(*frames_, strict=True), (" us", " us", ""), strict=True))


def _check(each: VariantFile, *, quiet: bool = False) -> None:
    console = Console(highlight=False, stderr=quiet)
    who = f"{each.kind} {each.name}"
    with console.status(f"{who}: compiling") as status:
        count = lab.check(
            each.source.path.parent,
            each.kind,
            each.name,
            lambda now: status.update(f"{who}: {now}"),
        )
    console.print(f"{who}: agrees with the textbook in all {count} trials", markup=False)


def _print_rows(rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        said = [row.as_json() | {"verdict": lab.judged(row)} for row in rows]
        print(json.dumps({"machine": machine(), "rows": said}, indent=1))
        return
    print(machine())
    print(table(rows))
    print()
    for row in rows:
        print(f"{row.case}: {lab.judged(row)}")


def _find(text: str, folder: Path | None) -> VariantFile:
    if "=" in text:
        return find_variant(_folder(folder), *_split(text))
    there = [each for each in find_variants(_folder(folder)) if each.name == check_name(text)]
    if len(there) != 1:
        kinds = " or ".join(f"{each.kind}={each.name}" for each in there)
        raise Misuse(
            f"{len(there)} variants in {_folder(folder)} are called {text!r}",
            hint=f"Say which: {kinds}" if there else "punktfunk lab list shows what there is.",
        )
    return there[0]


def _named(pair: str, folder: Path | None, *, check: bool | None = None) -> tuple[str, str, Path]:
    """Kind, name and folder of what a pair names; a researcher's own is checked first, loudly or not."""
    kind, name = _split(pair)
    place = _folder(folder)
    if name != DEFAULT and not is_shipped(kind, name):
        each = find_variant(place, kind, name)
        if check is not None and not is_checked(each):
            _check(each, quiet=not check)
    return kind, name, place


def _split(pair: str) -> tuple[str, str]:
    kind, equals, name = pair.partition("=")
    if not equals:
        raise Misuse(f"{pair!r} names no kind", hint="Write KIND=NAME, such as fec8=mine.")
    return kind, name


def _request(verb: str, kind: str, name: str, folder: Path) -> dict[str, object]:
    return {"verb": verb, "kind": kind, "name": name, "folder": str(folder.absolute())}


def _folder(given: Path | None) -> Path:
    return load_settings({"lab_folder": given}).settings.lab_folder


def _templates() -> resources.abc.Traversable:
    return resources.files("punktfunk") / "lab_templates"


def _quiet(_now: str) -> None:
    """Say nothing."""


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    shown = Table(*header, box=box.SIMPLE, pad_edge=False)
    for row in rows:
        shown.add_row(*map(printable, row))
    Console(highlight=False, markup=False).print(shown)
