"""What the child of ``punktfunk lab`` does with one variant: check it, or lay it beside the default."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from punktfunk.realtime.workshop.checking import check
from punktfunk.realtime.workshop.files import find_variant
from punktfunk.realtime.workshop.loading import load, note_checked
from punktfunk.realtime.workshop.shipped import is_shipped, load_shipped

if TYPE_CHECKING:
    from punktfunk.realtime.workshop.works import Trial

_WORKS: Final = {
    "fec8": "works_fec",
    "fec16": "works_fec",
    "seal": "works_seal",
    "pace": "works_pace",
    "decode": "works_decode",
}


def check_variant(folder: Path, kind: str, name: str, seed: int) -> Iterator[str]:
    """Load a variant, compare it with the textbook, and remember that it passed.

    Yields what comes next, beginning with ``loaded``. ConfigError names the first difference; whatever else
    the file raises comes out as it is.
    """
    found = find_variant(folder, kind, name)
    variant = load(found)
    yield "loaded"
    yield from check(variant, seed)
    note_checked(found)


def trials(folder: Path, kind: str, name: str, shapes: Sequence[str]) -> "Iterator[Trial]":
    """Load a variant and give it and the default each of these shapes; none means the usual ones.

    Misuse for a shape that is none of this kind's.
    """
    ours = is_shipped(kind, name)
    variant = load_shipped(kind, name) if ours else load(find_variant(folder, kind, name))
    module = import_module(f"punktfunk.realtime.workshop.{_WORKS[kind]}")
    for shape in shapes or module.USUAL[kind]:
        yield module.trial(variant, shape)
