"""A client's native input into the one vocabulary of input: what the host hands to its injector.

The protocol sends states where a lost datagram would stick (pads, pens), so the readers remember the last one
and find what changed. What a client may do is not looked at here. Spec: punktfunk-1.md section 2.10; peers:
punktfunk-core input.rs, quic/pen.rs.
"""

from collections.abc import Callable
from typing import Any, Final

from punktfunk.wire import input as vocabulary
from punktfunk.wire.input import ContactEvent, InputEvent
from punktfunk.wire.native import input_kinds as kinds
from punktfunk.wire.native import rich_input as rich
from punktfunk.wire.native import vk
from punktfunk.wire.native.capabilities import GamepadKind
from punktfunk.wire.native.input_kinds import NativeInput
from punktfunk.wire.native.pad_reader import PadReader
from punktfunk.wire.native.pen_reader import PenReader
from punktfunk.wire.native.rich_input import RichInput

_Reader = Callable[[Any], list[InputEvent]]
_TOUCHES: Final = {
    kinds.TouchPhase.DOWN: ContactEvent.DOWN,
    kinds.TouchPhase.MOVE: ContactEvent.MOVE,
    kinds.TouchPhase.UP: ContactEvent.UP,
}


class InputReader:
    """One session's input, in the order in which it came. ``pad_kind``: what Welcome said pads look like."""

    def __init__(self, pad_kind: GamepadKind = GamepadKind.AUTO) -> None:
        self._pads = pads = PadReader(pad_kind)
        self._pen = PenReader()
        self._scroll_rest = dict.fromkeys(kinds.Axis, 0)
        self._readers: dict[type[Any], _Reader] = {
            kinds.KeyEdge: _key,
            kinds.TextScalar: lambda event: [vocabulary.Text(chr(event.scalar))],
            kinds.PointerMove: lambda event: [vocabulary.MouseMove(event.dx, event.dy)],
            kinds.PointerPosition: _position,
            kinds.ButtonEdge: lambda event: [vocabulary.MouseClick(event.button, event.pressed)],
            kinds.WheelTurn: lambda event: _wheel(event.axis, event.amount),
            kinds.ScrollStep: lambda event: _wheel(event.axis, self._whole(event)),
            kinds.TouchPoint: _touch,
            kinds.PadPlugged: pads.plugged,
            kinds.PadRemoval: pads.removal,
            kinds.PadSnapshot: pads.snapshot,
            kinds.PadButton: pads.button,
            kinds.PadAxis: pads.axis,
            rich.TouchpadContact: pads.touchpad,
            rich.SurfaceContact: pads.surface,
            rich.MotionSample: pads.motion,
        }

    def to_events(self, event: NativeInput | RichInput, now_ns: int = 0) -> list[InputEvent]:
        """Events of one message; none for a repetition, an old state or what our vocabulary cannot say.

        ``now_ns`` (CLOCK_MONOTONIC) only matters to pens: see :attr:`deadline_ns`.
        """
        if isinstance(event, rich.PenBatch):
            return list(self._pen.read(event, now_ns))
        reader = self._readers.get(type(event))
        return reader(event) if reader else []

    @property
    def deadline_ns(self) -> int | None:
        """When :meth:`expire` must be called: a pen that fell silent must not draw for ever."""
        return self._pen.deadline_ns

    def expire(self, now_ns: int) -> list[InputEvent]:
        """Let go of a pen that has been silent for 200 ms."""
        return list(self._pen.expire(now_ns))

    def release(self) -> list[InputEvent]:
        """Let go of pen, touchpads and pads, at the end of a session."""
        return [*self._pen.release(), *self._pads.release()]

    def _whole(self, step: kinds.ScrollStep) -> int:
        """120ths of a click; what is less than one waits for the next step of the axis."""
        per_click = 120 if step.source in kinds.WHEELS else kinds.SCROLL_PX_PER_CLICK
        if step.phase in (kinds.ScrollPhase.BEGIN, *kinds.STOPS):
            self._scroll_rest[step.axis] = 0
        total = self._scroll_rest[step.axis] + step.distance_q8 * (120 // per_click)
        whole = int(total / kinds.SCROLL_SCALE)
        self._scroll_rest[step.axis] = total - whole * kinds.SCROLL_SCALE
        return whole


def _key(event: kinds.KeyEdge) -> list[InputEvent]:
    code = vk.to_input(event.virtual_key)
    return [] if code is None else [vocabulary.Key(code, event.pressed)]


def _position(event: kinds.PointerPosition) -> list[InputEvent]:
    x = min(max(event.x, 0), event.width)
    y = min(max(event.y, 0), event.height)
    return [vocabulary.MouseMoveAbsolute(x, y, event.width, event.height)]


def _wheel(axis: kinds.Axis, amount: int) -> list[InputEvent]:
    if not amount:
        return []
    vertical = axis == kinds.Axis.VERTICAL
    return [vocabulary.Wheel(vertical=amount) if vertical else vocabulary.Wheel(horizontal=amount)]


def _touch(event: kinds.TouchPoint) -> list[InputEvent]:
    x = min(max(event.x / event.width, 0.0), 1.0) if event.width else 0.0
    y = min(max(event.y / event.height, 0.0), 1.0) if event.height else 0.0
    pressure = 0.0 if event.phase is kinds.TouchPhase.UP else 1.0
    return [vocabulary.Touch(_TOUCHES[event.phase], event.touch_id, x, y, pressure, 0.0, 0.0, None)]
