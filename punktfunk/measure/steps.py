"""A benchmark as a list of steps: what a progress bar counts, each giving some rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from punktfunk.measure.paired import Row


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to measure. ``run`` takes a second or so, more where kernels must be compiled first."""

    title: str
    run: Callable[[], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All steps, and what the reader must know: which rows are left out, and what to do about it."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    def rows(self) -> list[Row]:
        """Run every step."""
        return [row for step in self.steps for row in step.run()]
