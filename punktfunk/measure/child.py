"""``python -m punktfunk.measure.child NAME OPTIONS``: one benchmark in a process of its own.

The instruction set of kernels is settled when they are imported, so every SIMD mode needs a process. It
prints one JSON object per line, see ``Line``; ``punktfunk.measure.children`` reads them.
"""

import importlib
import json
import sys
from typing import TypedDict

from punktfunk.errors import PunktfunkError
from punktfunk.measure.options import KINDS

FAILED, INTERRUPTED = 1, 130


class Line(TypedDict, total=False):
    """What a line may say: the step that begins, of how many; a row; a note; or why it all ended."""

    step: int
    total: int
    title: str
    row: dict[str, object]
    note: str
    error: str
    hint: str


def _say(line: Line) -> None:
    print(json.dumps(line), flush=True)


def _measure(name: str, values: dict[str, object]) -> None:
    options = KINDS[name].from_json(values)
    benchmark = importlib.import_module(f"punktfunk.measure.{name}").benchmark(options)
    for note in benchmark.notes:
        _say({"note": note})
    for number, step in enumerate(benchmark.steps):
        _say({"step": number, "total": len(benchmark.steps), "title": step.title})
        for row in step.run():
            _say({"row": row.as_json()})


def main() -> int:
    """Measure; exit status."""
    try:
        _measure(sys.argv[1], json.loads(sys.argv[2]))
    except PunktfunkError as error:
        _say({"error": str(error), "hint": error.hint})
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
