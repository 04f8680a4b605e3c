"""``punktfunk bench``: measure in child processes, show a table, keep rows and a picture."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from punktfunk.errors import Misuse
from punktfunk.measure import children, plot, report
from punktfunk.measure.options import Options


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files that are asked for beside the table."""

    json_file: Path | None
    plot_file: Path | None


def bench(name: str, options: Options, modes: Sequence[str], outputs: Outputs) -> None:
    """Check what was asked, measure, show. Misuse or EnvironmentProblem before anything is measured."""
    options.check()
    children.check_modes(modes)
    for flag, path in (("--json", outputs.json_file), ("--plot", outputs.plot_file)):
        if path is not None and path.is_dir():
            raise Misuse(f"{flag} {path} is a folder", hint="Name a file.")
    if outputs.plot_file:
        plot.check_plot(outputs.plot_file)
    machine = report.machine()
    with _progress() as note:
        result = children.run_modes(name, options, modes, note)
    print(machine)
    print(report.table(result.rows))
    for line in (report.summary(result.rows), *result.notes):
        if line:
            print(line)
    if outputs.json_file:
        report.write_json(outputs.json_file, result.rows, result.notes)
    if outputs.plot_file:
        plot.plot(outputs.plot_file, result.rows, machine)


@contextmanager
def _progress() -> Iterator[Callable[[children.Progress], None]]:
    """Show a bar on stderr where that is a terminal; stdout has the table and nothing else."""
    if not sys.stderr.isatty():
        yield lambda _step: None
        return
    columns = (
        TextColumn("{task.description:<40}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def note(step: children.Progress) -> None:
            bar.update(task, description=step.title, completed=step.step, total=step.total)

        yield note
