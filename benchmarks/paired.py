"""What the programs of this folder end in: ``run`` times, prints a table and keeps the rows.

The statistics are ``punktfunk.measure.paired``'s, so that the installed package has them too.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from punktfunk.measure.paired import Row, compare, interval, measure, paired, single
from punktfunk.measure.report import machine, summary, table, write_json

__all__ = ["Row", "compare", "interval", "measure", "paired", "report", "run", "single"]


def report(rows: Sequence[Row], json_file: Path | None) -> None:
    """Print a table, and write the rows where asked."""
    print(machine())
    print(table(rows))
    if floors := summary(rows):
        print(floors)
    if json_file:
        write_json(json_file, rows)


def run(benchmark: Callable[[], Sequence[Row]], description: str | None) -> None:
    """Be the ``main`` of a benchmark: parse ``--json FILE``, run, report."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    arguments = parser.parse_args()
    report(benchmark(), arguments.json)
