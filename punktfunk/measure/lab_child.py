"""The child process in which a researcher's variant first runs: ``python -m punktfunk.measure.lab_child``.

One JSON object a line goes to standard output, each written before the variant is called next, so that the
parent knows what it was doing when it crashed or did not return. What the variant's file prints goes to
standard error.

    {"now": ".."}        what comes next
    {"row": {..}}        a finished comparison, see ``paired.Row``
    {"problem": ".."}    it ended here; ``hint`` beside it
    {"done": true}
"""

import json
import os
import resource
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from punktfunk.errors import PunktfunkError
from punktfunk.measure.paired import compare_works
from punktfunk.realtime import check_variant
from punktfunk.realtime import trials as trials_of

_NICENESS = 5
_TRACE_LINES = 12


def check(folder: Path, kind: str, name: str, *, seed: int) -> Iterator[dict[str, Any]]:
    """Check one variant."""
    for now in check_variant(folder, kind, name, seed):
        yield {"now": now}


def compare(
    folder: Path, kind: str, name: str, *, shapes: list[str], rounds: int
) -> Iterator[dict[str, Any]]:
    """Time one variant beside the default."""
    yield {"now": "loading"}
    for trial in trials_of(folder, kind, name, shapes):
        yield {"now": trial.case}
        row = compare_works(
            f"lab {kind}", trial.case, "default", trial.default, trial.ours,
            rounds=rounds, work_bytes=trial.work_bytes,
        )  # fmt: skip
        yield {"row": row.as_json()}


def main(verb: str, folder: str, kind: str, name: str, options: str) -> None:
    """Do one verb and say each step."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        os.nice(_NICENESS)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for step in _steps(verb, Path(folder), kind, name, json.loads(options)):
            print(json.dumps(step), file=answers, flush=True)


_VERBS: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {"check": check, "compare": compare}


def _steps(verb: str, folder: Path, kind: str, name: str, options: Any) -> Iterator[dict[str, Any]]:
    try:
        yield from _VERBS[verb](folder, kind, name, **options)
    except PunktfunkError as error:
        yield {"problem": str(error), "hint": error.hint}
    except Exception:  # noqa: BLE001  a researcher's file may raise anything, and its author reads it
        lines = traceback.format_exc().strip().splitlines()
        yield {"problem": "its file failed:\n" + "\n".join(lines[-_TRACE_LINES:]), "hint": ""}
    else:
        yield {"done": True}


if __name__ == "__main__":
    main(*sys.argv[1:])
