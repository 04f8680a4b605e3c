"""What a benchmark leaves behind: where it ran, the table that people read, the file that programs read."""

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.paired import Row

_GIGABYTES = {"ns": 1.0, "us": 1e-3}  # a byte in that time, as GB/s
_HEADINGS = ("case", "ours", "min", "GB/s", "baseline", "min", "ratio", "95 % interval", "floor", "against")


def machine() -> str:
    """Say where this ran: CPU, cores, governor, load, system."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text("ascii", "replace").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    governed = governor.read_text("ascii").strip() if governor.exists() else "unknown"
    load = Path("/proc/loadavg").read_text("ascii").split()[0]
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{model}, {cores}, governor {governed}, load {load}, {system}"


def table(rows: Sequence[Row]) -> str:
    """Lay rows out in columns, those of one SIMD mode together."""
    lines = [_cells(row) for row in rows]
    shown = [index for index in range(len(_HEADINGS)) if any(cells[index] for cells in lines)]
    widths = {index: max(len(_HEADINGS[index]), *(len(cells[index]) for cells in lines)) for index in shown}
    text: list[str] = []
    mode = None
    for row, cells in zip(rows, lines, strict=True):
        if row.mode != mode:
            mode = row.mode
            text += ["", f"{row.name}, SIMD mode {mode}" if mode else row.name]
            text.append(_line(_HEADINGS, shown, widths))
        text.append(_line(cells, shown, widths))
    return "\n".join(text)


def _line(cells: Sequence[str], shown: Iterable[int], widths: dict[int, int]) -> str:
    first_last = (0, len(_HEADINGS) - 1, len(_HEADINGS) - 2)
    return "  ".join(
        cells[index].ljust(widths[index]) if index in first_last else cells[index].rjust(widths[index])
        for index in shown
    ).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    rate = f"{row.work_bytes / row.ours * _GIGABYTES[row.unit]:.2f}" if row.work_bytes else ""
    return (
        row.case,
        f"{_number(row.ours)} {row.unit}".rstrip(),
        _number(row.ours_least),
        rate,
        f"{_number(row.baseline)} {row.unit}" if row.baseline is not None else "",
        _number(row.baseline_least),
        _number(row.ratio),
        f"{_number(row.low)} .. {_number(row.high)}" if row.low is not None else "",
        floor_words(row),
        row.baseline_name,
    )


def floor_words(row: Row) -> str:
    """Say what was asked of a row and whether it does it: ``>= 0.6 met``; empty where nothing was asked.

    A question mark says that the floor lies inside the interval, "control too" that what ran in ours' place,
    without punktfunk, missed it as well.
    """
    if row.floor is None:
        return ""
    sign = ">=" if row.floor_on == "ratio" else "<="
    return f"{sign} {row.floor:g} {row.judgement}{'?' if row.doubtful else ''}"


def _number(value: float | None) -> str:
    """Three or four digits that matter, however large the number."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def summary(rows: Sequence[Row]) -> str:
    """Count floors met and name those missed; empty where no row has one."""
    asked = [row for row in rows if row.floor is not None]
    if not asked:
        return ""
    missed = [f"  {row.mode} {row.case}: {floor_words(row)}".rstrip() for row in asked if not row.met]
    return "\n".join([f"floors: {len(asked) - len(missed)} of {len(asked)} met", *missed])


def write_json(path: Path, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
    """Write ``{machine, date, command, notes, rows}``, one row a line. EnvironmentProblem if it cannot."""
    head = {
        "machine": machine(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "notes": list(notes),
    }
    lines = ",\n ".join(json.dumps(row.as_json()) for row in rows)
    text = json.dumps(head)[:-1] + f', "rows": [\n {lines}\n]}}\n'
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"the rows cannot be written to {path}: {error.strerror}", hint="Name a file that you may write."
        ) from error
