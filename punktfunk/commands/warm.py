"""``punktfunk warm``: compile the kernels with a progress bar and an estimate."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

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
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("kernels", total=1.0, kernel="...", left="")

        def note(step: "realtime.WarmStep") -> None:
            left = f"about {step.left_s:.0f} s left" if step.left_s else ""
            bar.update(task, completed=step.share, kernel=step.name, left=left)

        realtime.compile_in_child(note)
