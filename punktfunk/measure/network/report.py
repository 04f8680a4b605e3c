"""What ``punktfunk loss`` leaves behind: a table for people, rows for programs, a picture."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.network.options import LossOptions
from punktfunk.measure.network.sweep import LossRow
from punktfunk.measure.report import machine

_HEADINGS: Final = (
    "network", "parity", "frames", "lost", "lost %", "recovered", "freezes", "frozen ms", "parity %",
    "p50 ms", "p99 ms", "added p50", "added p99",
)  # fmt: skip


def table(rows: Sequence[LossRow], *, automatic: bool = False) -> str:
    """Lay the rows out in columns; the last rate only where it could change."""
    headings = [*_HEADINGS, *(["ends at kbit/s"] if automatic else [])]
    lines = [[*_cells(row), *([str(row.last_kbps)] if automatic else [])] for row in rows]
    widths = [max(len(line[column]) for line in [headings, *lines]) for column in range(len(headings))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [headings, *lines]
    )


def _cells(row: LossRow) -> list[str]:
    return [
        row.case, row.parity, str(row.frames), str(row.lost_frames), f"{row.lost_percent:.3f}",
        str(row.recovered_frames), str(row.freezes), f"{row.frozen_ms:.0f}", f"{row.parity_percent:.1f}",
        f"{row.p50_ms:.2f}", f"{row.p99_ms:.2f}", f"{row.added_p50_ms:+.2f}", f"{row.added_p99_ms:+.2f}",
    ]  # fmt: skip


def as_json(options: LossOptions, rows: Sequence[LossRow], notes: Sequence[str]) -> dict[str, Any]:
    """Everything that there is to know. The model's rows are the same everywhere: no date."""
    head: dict[str, Any] = {"options": options.as_json(), "notes": list(notes)}
    if options.way != "model":
        head |= {"machine": machine(), "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    return head | {"rows": [row.as_json() for row in rows]}


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write it; EnvironmentProblem if that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"{path} cannot be written: {error.strerror}", hint="Name a file that you may write."
        ) from error


def plot(path: Path, rows: Sequence[LossRow], title: str) -> None:
    """Draw lost frames, added latency and parity against the loss, a line for each network and parity."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 9.5), layout="constrained")
    figure.suptitle(title, fontsize=9)
    panels = figure.subplots(3, 1, sharex=True)
    for label, line in _lines(rows).items():
        at = [row.loss_percent for row in line]
        panels[0].plot(at, [row.lost_percent for row in line], "o-", label=label, linewidth=1.2, markersize=4)
        panels[1].plot(at, [row.added_p99_ms for row in line], "o-", linewidth=1.2, markersize=4)
        panels[2].plot(at, [row.parity_percent for row in line], "o-", linewidth=1.2, markersize=4)
    words = ("frames lost, %", "added latency p99, ms", "parity packets, % of data packets")
    for panel, name in zip(panels, words, strict=True):
        panel.set_ylabel(name, fontsize=8)
        panel.tick_params(labelsize=7)
        panel.grid(visible=True, linewidth=0.3)
    panels[0].set_yscale("symlog", linthresh=0.01)
    panels[2].set_xlabel("packets lost by the network, %", fontsize=8)
    panels[0].legend(fontsize=7)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)
    except OSError as error:
        raise EnvironmentProblem(
            f"{path} cannot be written: {error.strerror}", hint="Name a file that you may write."
        ) from error


def _lines(rows: Sequence[LossRow]) -> dict[str, list[LossRow]]:
    """Group rows that differ in loss alone; a clean row begins the line of every burst length."""
    lines: dict[str, list[LossRow]] = {}
    for row in rows:
        lines.setdefault(_label(row), []).append(row)
    clean = {_label(row): row for row in rows if not row.loss_percent}
    for label, line in lines.items():
        start = clean.get(label.replace(f"bursts of {line[0].burst}, ", ""))
        if line[0].loss_percent and start is not None:
            line.insert(0, start)
    return {label: sorted(line, key=lambda row: row.loss_percent) for label, line in lines.items()}


def _label(row: LossRow) -> str:
    said = [f"bursts of {row.burst}"] if row.burst > 1 else []
    said += [f"reordered {row.reorder_percent:g} %"] if row.reorder_percent else []
    said += [f"jitter {row.jitter_ms:g} ms"] if row.jitter_ms else []
    said += [f"{row.rate_kbps / 1000:g} Mbit/s"] if row.rate_kbps else []
    return ", ".join([*said, f"parity {row.parity}"])
