"""Moves absolute positions before an injector sees them.

A picture that is scaled into the stream has bars at two sides: a place in the stream is another place on the
screen. And a compositor may count places in units of its own.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from punktfunk.control.input.base import Injector
from punktfunk.plan import Mode
from punktfunk.wire.input import InputEvent, MouseMoveAbsolute, Pen, Touch

if TYPE_CHECKING:
    from collections import Counter

Place = Callable[[float, float], tuple[float, float]]
"""Turns a place in the stream into one on the screen, both 0..1 from left and top."""

PLANE = 1 << 30
"""Units of the plane on which a moved position is told: fine enough that nothing is lost."""


class MappedInjector:
    """See :class:`punktfunk.control.input.base.Injector`."""

    def __init__(self, inner: Injector, place: Place, plane: int = PLANE) -> None:
        self._inner = inner
        self.handles: frozenset[type] | None = getattr(inner, "handles", None)
        self.injected: Counter[str] = inner.injected
        self.unsupported: Counter[str] = inner.unsupported
        self._place = place
        self._plane = plane

    def inject(self, event: InputEvent) -> None:
        """Move the position of the event, if it has one, and make it real."""
        match event:
            case MouseMoveAbsolute():
                x, y = self._place(event.x / max(1, event.width), event.y / max(1, event.height))
                event = MouseMoveAbsolute(
                    round(x * self._plane), round(y * self._plane), self._plane, self._plane
                )
            case Touch() | Pen():
                x, y = self._place(event.x, event.y)
                event = replace(event, x=x, y=y)
            case _:
                pass
        self._inner.inject(event)

    def release_all(self) -> None:
        """Release every key and button that is held."""
        self._inner.release_all()


def letterbox(stream: Mode, screen: Mode) -> Place:
    """Undo the bars of a screen that is shown whole, in its own shape, in the middle of the stream."""
    wide = stream.width_px * screen.height_px
    high = screen.width_px * stream.height_px
    # The side that fills the stream has no bars; the other one is shown smaller by the ratio of the shapes.
    part_x, part_y = (high / wide, 1.0) if high < wide else (1.0, wide / high)

    def place(x: float, y: float) -> tuple[float, float]:
        return _clamped((x - 0.5) / part_x + 0.5), _clamped((y - 0.5) / part_y + 0.5)

    return place


def _clamped(value: float) -> float:
    return min(max(value, 0.0), 1.0)
