"""``punktfunk warm``: compile the kernels with a progress bar and an estimate."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from punktfunk import realtime


def warm(console: Console | None = None) -> None:
    """Compile what is missing from the cache and check every kernel against its twin."""
    console = console or Console(highlight=False)
    began_s = time.monotonic()
    if realtime.is_warm():
        console.print("kernels: already compiled for this machine")
    else:
        _compile(console)
        console.print(f"kernels: compiled in {time.monotonic() - began_s:.0f} s")
    for problem in realtime.cache_problems():
        console.print(problem)
    realtime.self_check()
    console.print(f"kernels: checked against their twins ({realtime.simd_mode()})")


def _compile(console: Console) -> None:
    columns = (
        TextColumn("compiling {task.fields[kernel]:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("kernels", total=None, kernel="...")
        realtime.compile_in_child(
            lambda step: bar.update(task, total=step.total, completed=step.done, kernel=step.name)
        )
