"""What goes to stderr while something lasts; stdout has the result and nothing else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def showing() -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar where stderr is a terminal; gives a function that notes (step, of how many, what it is)."""
    if not sys.stderr.isatty():
        yield lambda _step, _total, _title: None
        return
    columns = TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def note(step: int, total: int, title: str) -> None:
            bar.update(task, description=title, completed=step, total=total)

        yield note


def warm_kernels() -> None:
    """Compile the kernels, with a bar, if this machine has not yet; nothing otherwise."""
    from punktfunk import realtime

    if not realtime.is_warm():
        from punktfunk.commands.warm import warm

        warm(Console(stderr=True, highlight=False))
