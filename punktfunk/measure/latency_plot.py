"""A probe's result as a picture: how many frames were how old at each stage, and ages over time."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from punktfunk.control.client.headless import Take
from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.latency import MOST_NS, aged_frames

_COLOURS = ("#3b6ea5", "#d1843c", "#5b9a5f", "#8a6bb0", "#b3261e")


def plot_latency(
    path: Path, take: Take, presented: Mapping[int, int] | None = None, machine: str = ""
) -> None:
    """Draw a take into a PNG file; EnvironmentProblem if it cannot be written."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure

    found = {name: aged for name, aged in aged_frames(take, presented).items() if aged}
    if not found:
        raise EnvironmentProblem("no frame came, so nothing can be drawn", hint="Leave out --plot.")
    figure = Figure(figsize=(9.0, 6.5), layout="constrained")
    figure.suptitle(f"punktfunk probe {take.host} {take.mode} {take.codec}\n{machine}".strip(), fontsize=9)
    distribution, course = figure.subplots(2, 1)
    for colour, (name, aged) in zip(_COLOURS, found.items(), strict=False):
        plausible = np.array([pair for pair in aged if 0 <= pair[1] <= MOST_NS], np.int64).reshape(-1, 2)
        ordered = np.sort(plausible[:, 1]) / 1e6
        shares = np.arange(1, ordered.size + 1) / max(1, ordered.size) * 100
        distribution.plot(ordered, shares, color=colour, label=name)
        course.plot(plausible[:, 0], plausible[:, 1] / 1e6, ".", color=colour, markersize=2, label=name)
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
