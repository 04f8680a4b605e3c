"""Compare two callables honestly: both in every round, order flipped each time.

A ratio is baseline's time over ours, so above 1 ours is faster; its interval is the 95 % bootstrap interval
of the median. Shared by all benchmarks, with the table and the JSON rows that they end in.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from numpy.typing import NDArray

RESAMPLE_COUNT = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a benchmark's result. ``ratio`` is baseline / ours where ``unit`` is a time."""

    name: str
    case: str
    unit: str
    ours: float
    baseline: float | None
    baseline_name: str
    ratio: float | None
    low: float | None
    high: float | None


def measure(
    baseline: Callable[[], object], ours: Callable[[], object], *, rounds: int = 60, repeats: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Time both in every round, flipping which goes first: seconds per call of both, per round."""
    spent = np.empty((2, rounds))
    works = (baseline, ours)
    for work in works:
        work()
    for turn in range(rounds):
        for which in (0, 1) if turn % 2 else (1, 0):
            work = works[which]
            started_ns = perf_counter_ns()
            for _ in range(repeats):
                work()
            spent[which, turn] = (perf_counter_ns() - started_ns) / repeats / 1e9
    return spent[0], spent[1]


def interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Median of some values, and its 95 % bootstrap interval."""
    resampled = np.random.default_rng(0).choice(values, (RESAMPLE_COUNT, len(values)))
    low, high = np.quantile(np.median(resampled, axis=1), (0.025, 0.975))
    return float(np.median(values)), float(low), float(high)


def compare(
    name: str,
    case: str,
    baseline_name: str,
    baseline: Callable[[], object],
    ours: Callable[[], object],
    *,
    rounds: int = 60,
    repeats: int = 1,
) -> Row:
    """Time both and make a row in microseconds."""
    theirs_s, ours_s = measure(baseline, ours, rounds=rounds, repeats=repeats)
    return paired(name, case, "us", baseline_name, theirs_s * 1e6, ours_s * 1e6)


def paired(
    name: str,
    case: str,
    unit: str,
    baseline_name: str,
    theirs: NDArray[np.float64],
    ours: NDArray[np.float64],
) -> Row:
    """Make a row of two measurements per round, both in ``unit``."""
    ratio, low, high = interval(theirs / ours)
    return Row(
        name, case, unit, float(np.median(ours)), float(np.median(theirs)), baseline_name, ratio, low, high
    )


def single(name: str, case: str, unit: str, value: float) -> Row:
    """Make a row of something that has no baseline."""
    return Row(name, case, unit, value, None, "", None, None, None)


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


def report(rows: Sequence[Row], json_file: Path | None) -> None:
    """Print a table, and write the rows where asked."""
    print(machine())
    width = max(len(row.case) for row in rows)
    print(f"{'name':8} {'case':{width}} {'ours':>13} {'baseline':>13} {'ratio':>7}  95 % interval")
    for row in rows:
        line = f"{row.name:8} {row.case:{width}} {row.ours:>9.2f} {row.unit:<3}"
        if row.baseline is not None:
            line += f" {row.baseline:>9.2f} {row.unit:<3} {row.ratio:>7.2f}  {row.low:.2f} .. {row.high:.2f}"
            line += f"  vs {row.baseline_name}"
        print(line)
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", "utf-8")


def run(benchmark: Callable[[], Sequence[Row]], description: str | None) -> None:
    """Be the ``main`` of a benchmark: parse ``--json FILE``, run, report."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    arguments = parser.parse_args()
    report(benchmark(), arguments.json)
