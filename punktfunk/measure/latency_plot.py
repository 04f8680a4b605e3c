"""A probe's result as a picture: how many frames were how old at each stage, and ages over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from punktfunk.control.client.headless import Take
from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.latency import MOST_NS, ages

_COLOURS = ("#3b6ea5", "#d1843c", "#5b9a5f", "#8a6bb0", "#b3261e")


def plot_latency(
    path: Path, take: Take, presented: Mapping[int, int] | None = None, machine: str = ""
) -> None:
    """Draw a take into a PNG file; EnvironmentProblem if it cannot be written."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure

    found = {name: values for name, values in ages(take, dict(presented or {})).items() if values}
    if not found:
        raise EnvironmentProblem("no frame came, so nothing can be drawn", hint="Leave out --plot.")
    figure = Figure(figsize=(9.0, 6.5), layout="constrained")
    figure.suptitle(f"punktfunk probe {take.host} {take.mode} {take.codec}\n{machine}".strip(), fontsize=9)
    distribution, course = figure.subplots(2, 1)
    for colour, (name, values) in zip(_COLOURS, found.items(), strict=False):
        ordered = np.sort(_plausible(values)) / 1e6
        if not ordered.size:
            continue
        shares = np.arange(1, ordered.size + 1) / ordered.size * 100
        distribution.plot(ordered, shares, color=colour, label=name)
        course.plot(_plausible(values) / 1e6, ".", color=colour, markersize=2, label=name)
    distribution.set_xlabel("ms since capture")
    distribution.set_ylabel("% of frames")
    distribution.legend(fontsize=8, loc="lower right")
    course.set_xlabel("frame")
    course.set_ylabel("ms since capture")
    for panel in (distribution, course):
        panel.grid(alpha=0.3)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)
    except OSError as error:
        raise EnvironmentProblem(
            f"the picture cannot be written to {path}: {error.strerror}",
            hint="Name a file that you may write.",
        ) from error


def _plausible(values: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    array = np.asarray(values, np.int64)
    return array[(array >= 0) & (array <= MOST_NS)]
