"""Rows as a picture: ratios with their intervals and floors, and distributions of what was timed singly.

Needs matplotlib, which is not among punktfunk's dependencies: ``pip install 'punktfunk[bench]'``.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.measure.paired import Row

_BAR_INCHES, _PANEL_INCHES, _MARGIN_INCHES, _WIDTH_INCHES = 0.24, 0.9, 0.7, 9.0
_CURVE_INCHES = 3.2
_COLOURS = ("#3b6ea5", "#d1843c", "#5b9a5f", "#8a6bb0")
_FLOOR_COLOUR, _MISSED_COLOUR = "#222222", "#b3261e"


def check_plot(path: Path) -> None:
    """Misuse for a file that is no PNG; EnvironmentProblem where matplotlib is missing."""
    if path.suffix.lower() != ".png":
        raise Misuse(f"--plot {path} is no PNG file", hint="Give it a name that ends in .png.")
    if importlib.util.find_spec("matplotlib") is None:
        raise EnvironmentProblem(
            "matplotlib is not installed, so nothing can be plotted", hint="pip install 'punktfunk[bench]'"
        )


def plot(path: Path, rows: Sequence[Row], machine: str) -> None:
    """Draw rows into a PNG file: a panel for each baseline, and one for each unit of single measurements."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure

    groups = _by_baseline(rows)
    curves = _by_unit(rows)
    if not groups and not curves:
        raise EnvironmentProblem("none of these rows can be drawn", hint="Leave out --plot.")
    bars = [_BAR_INCHES * len(group) + _PANEL_INCHES for group in groups.values()]
    heights = bars + [_CURVE_INCHES] * len(curves)
    figure = Figure(figsize=(_WIDTH_INCHES, sum(heights) + _MARGIN_INCHES), layout="constrained")
    figure.suptitle(f"punktfunk bench {rows[0].name}\n{machine}", fontsize=9)
    panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    for panel, (baseline, group) in zip(panels, groups.items(), strict=False):
        _draw_ratios(panel, baseline, group)
    for panel, (unit, group) in zip(panels[len(groups) :], curves.items(), strict=True):
        _draw_distributions(panel, unit, group)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)
    except OSError as error:
        raise EnvironmentProblem(
            f"the picture cannot be written to {path}: {error.strerror}",
            hint="Name a file that you may write.",
        ) from error


def _by_baseline(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.ratio is not None:
            groups.setdefault(row.baseline_name, []).append(row)
    return groups


def _by_unit(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.samples:
            groups.setdefault(row.unit, []).append(row)
    return groups


def _colours(rows: Sequence[Row]) -> dict[str, str]:
    modes = list(dict.fromkeys(row.mode for row in rows))
    return {mode: _COLOURS[index % len(_COLOURS)] for index, mode in enumerate(modes)}


def _draw_ratios(panel: Any, baseline: str, rows: Sequence[Row]) -> None:
    """Bars from the left; a whisker is the interval, a black mark the floor, red where it is missed."""
    colours = _colours(rows)
    several = len(colours) > 1
    places = np.arange(len(rows))
    for place, row in zip(places, rows, strict=True):
        assert row.ratio is not None
        assert row.low is not None
        assert row.high is not None
        label = row.mode if row is next(other for other in rows if other.mode == row.mode) else None
        panel.barh(place, row.ratio, height=0.7, color=colours[row.mode], label=label)
        whisker = [[max(0.0, row.ratio - row.low)], [max(0.0, row.high - row.ratio)]]
        panel.errorbar(row.ratio, place, xerr=whisker, color="#333333", capsize=2, linewidth=1)
        if row.floor is not None and row.floor_on == "ratio":
            colour = _FLOOR_COLOUR if row.met else _MISSED_COLOUR
            panel.plot([row.floor, row.floor], [place - 0.45, place + 0.45], color=colour, linewidth=2.5)
    panel.set_yticks(places, [row.case for row in rows], fontsize=7)
    panel.invert_yaxis()
    values = [value for row in rows for value in (row.ratio, row.floor) if value]
    if max(values) > 20 * min(values):
        panel.set_xscale("log")
    panel.axvline(1, color="#999999", linewidth=0.8, linestyle=":")
    floors = "; black: floor, red: missed floor" if any(row.floor is not None for row in rows) else ""
    panel.set_xlabel(f"times as fast as {baseline} (median, 95 % interval{floors})", fontsize=8)
    panel.tick_params(axis="x", labelsize=7)
    if several:
        panel.legend(fontsize=7)


def _draw_distributions(panel: Any, unit: str, rows: Sequence[Row]) -> None:
    """For each row the share of measurements (up) that took at most so long (right)."""
    for row in rows:
        values = np.sort(np.array(row.samples))
        share = np.arange(1, len(values) + 1) / len(values)
        panel.step(values, share * 100, where="post", label=f"{row.case} {row.mode}".strip(), linewidth=1.2)
        if row.floor is not None and row.floor_on == "ours":
            colour = _FLOOR_COLOUR if row.met else _MISSED_COLOUR
            panel.axvline(row.floor, color=colour, linewidth=1.2, linestyle="--")
    panel.set_xscale("log")
    panel.set_ylim(0, 101)
    panel.set_xlabel(f"{unit} at most (dashed: what the median may be)", fontsize=8)
    panel.set_ylabel("% of measurements", fontsize=8)
    panel.tick_params(labelsize=7)
    panel.grid(visible=True, which="both", linewidth=0.3)
    panel.legend(fontsize=7)
