"""A client for tests: our vocabulary of input into native input, in the words that this host knows.

Pads: toward a host with HostCap.PAD_SNAPSHOTS their whole state, again every 100 ms for every pad that is
there, since datagrams get lost; an arrival goes before the first one and, like a removal, twice more. Toward
others single buttons and axes. Scrolling goes as 1/120 clicks of a wheel. What no host takes is left out.
Keys belong on the control stream where the host takes them there: see :func:`is_edge`.
Spec: punktfunk-1.md section 2.10.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from punktfunk.wire import input as vocabulary
from punktfunk.wire.input import ContactEvent, InputEvent, MotionKind, PadKind
from punktfunk.wire.native import input_kinds as kinds
from punktfunk.wire.native import rich_input as rich
from punktfunk.wire.native import vk
from punktfunk.wire.native.capabilities import GamepadKind, HostCap, HostCap2
from punktfunk.wire.native.input_kinds import NativeInput
from punktfunk.wire.native.pad_reader import STANDARD_GRAVITY
from punktfunk.wire.native.rich_input import RichInput

ON_THE_WIRE: Final = {vk.to_input(code): code for code in vk.VK_TO_EVDEV}
REPEAT_NS: Final = 100_000_000
"""How often :meth:`InputWriter.repeat` is to be called."""
REPEATS: Final = 2
PLANE: Final = 0xFFFF
"""Touch positions go as parts of a plane so wide and high: the finest that fits."""

PAD_KINDS: Final = {
    PadKind.UNKNOWN: GamepadKind.AUTO,
    PadKind.XBOX: GamepadKind.XBOX_360,
    PadKind.PLAYSTATION: GamepadKind.DUALSENSE,
    PadKind.NINTENDO: GamepadKind.SWITCH_PRO,
    PadKind.STEAM: GamepadKind.STEAM_DECK,
}
_TOUCHES: Final = {
    ContactEvent.DOWN: kinds.TouchPhase.DOWN,
    ContactEvent.MOVE: kinds.TouchPhase.MOVE,
    ContactEvent.UP: kinds.TouchPhase.UP,
    ContactEvent.CANCEL: kinds.TouchPhase.UP,
}
_TOOLS: Final = {
    vocabulary.PenTool.UNKNOWN: rich.PenEnd.KEEP,
    vocabulary.PenTool.PEN: rich.PenEnd.PEN,
    vocabulary.PenTool.ERASER: rich.PenEnd.ERASER,
}
_IN_CONTACT: Final = (ContactEvent.DOWN, ContactEvent.MOVE)
_GONE: Final = (ContactEvent.HOVER_LEAVE, ContactEvent.CANCEL, ContactEvent.CANCEL_ALL)
_Message = NativeInput | RichInput
_Writer = Callable[[Any], list[_Message]]


def is_edge(message: _Message) -> bool:
    """Whether to send it as InputEdge toward HostCap2.INPUT_EDGES: its loss would leave a key down."""
    return isinstance(message, kinds.KeyEdge)


@dataclass(slots=True)
class _Pad:
    """What is known of a pad. ``sequence`` runs on when the pad comes again."""

    sequence: int = 0
    state: vocabulary.PadState | None = None
    kind: GamepadKind | None = None
    arrivals_left: int = 0
    removals_left: int = 0
    gyro: tuple[int, int, int] = (0, 0, 0)
    acceleration: tuple[int, int, int] = (0, rich.ACCEL_STEPS_PER_G, 0)


class InputWriter:
    """One session's input toward a host with these capabilities."""

    def __init__(self, host_caps: HostCap, host_caps2: HostCap2) -> None:
        self._caps, self._caps2 = host_caps, host_caps2
        self._pads: dict[int, _Pad] = {}
        self._pen_sequence = 0
        self._fingers: set[int] = set()
        self._writers: dict[type[Any], _Writer] = {
            vocabulary.Key: _key,
            vocabulary.Text: self._text,
            vocabulary.MouseMove: lambda event: [kinds.PointerMove(event.dx, event.dy)],
            vocabulary.MouseMoveAbsolute: _position,
            vocabulary.MouseClick: lambda event: [kinds.ButtonEdge(event.button, event.pressed)],
            vocabulary.Wheel: self._wheel,
            vocabulary.Touch: self._touch,
            vocabulary.Pen: self._pen,
            vocabulary.PadArrival: self._arrival,
            vocabulary.PadState: self._state,
            vocabulary.PadTouch: self._pad_touch,
            vocabulary.PadMotion: self._motion,
        }

    def from_event(self, event: InputEvent) -> list[_Message]:
        """Messages of one event, in order; none for what this host or the protocol cannot say."""
        writer = self._writers.get(type(event))
        return writer(event) if writer else []

    def repeat(self) -> list[_Message]:
        """Say again what may have been lost: call it every 100 ms."""
        messages: list[_Message] = []
        if not self._caps & HostCap.PAD_SNAPSHOTS:
            return messages
        for number, pad in self._pads.items():
            if pad.arrivals_left and pad.kind is not None:
                pad.arrivals_left -= 1
                messages.append(kinds.PadPlugged(number, pad.kind))
            if pad.state is not None:
                messages.append(self._snapshot(number, pad))
            elif pad.removals_left:
                pad.removals_left -= 1
                messages.append(self._removal(number, pad))
        return messages

    def _text(self, event: vocabulary.Text) -> list[_Message]:
        if not self._caps & HostCap.TEXT:
            return []
        scalars = (ord(char) for char in event.text)
        return [kinds.TextScalar(scalar) for scalar in scalars if scalar and not 0xD800 <= scalar <= 0xDFFF]

    def _wheel(self, event: vocabulary.Wheel) -> list[_Message]:
        turns = ((kinds.Axis.VERTICAL, event.vertical), (kinds.Axis.HORIZONTAL, event.horizontal))
        if not self._caps2 & HostCap2.SCROLL:
            return [kinds.WheelTurn(axis, amount) for axis, amount in turns if amount]
        source, phase, scale = kinds.ScrollSource.WHEEL, kinds.ScrollPhase.NONE, kinds.SCROLL_SCALE
        return [kinds.ScrollStep(axis, amount * scale, source, phase) for axis, amount in turns if amount]

    def _touch(self, event: vocabulary.Touch) -> list[_Message]:
        if event.event is ContactEvent.CANCEL_ALL:
            lifted = [kinds.TouchPoint(kinds.TouchPhase.UP, one, 0, 0, 0, 0) for one in sorted(self._fingers)]
            self._fingers.clear()
            return [*lifted]
        phase = _TOUCHES.get(event.event)
        if phase is None or not self._caps2 & HostCap2.TOUCH:
            return []
        if phase is kinds.TouchPhase.UP:
            self._fingers.discard(event.pointer_id)
        else:
            self._fingers.add(event.pointer_id)
        place = round(event.x * PLANE), round(event.y * PLANE)
        return [kinds.TouchPoint(phase, event.pointer_id & 0xFFFFFFFF, *place, PLANE, PLANE)]

    def _pen(self, event: vocabulary.Pen) -> list[_Message]:
        if not self._caps & HostCap.PEN:
            return []
        state = rich.PenState(0 if event.event in _GONE else rich.PenState.IN_RANGE)
        if event.event in _IN_CONTACT:
            state |= rich.PenState.TOUCHING
        state |= rich.PenState((event.buttons & 3) * rich.PenState.BARREL_1)
        level = round(event.pressure_or_distance * (rich.UNKNOWN_U16 - 1))
        touching = event.event in _IN_CONTACT
        sample = rich.PenSample(
            state,
            _TOOLS[event.tool],
            event.x,
            event.y,
            level if touching else 0,
            rich.UNKNOWN_U16 if touching else level,
            rich.UNKNOWN_U8 if event.tilt_degrees is None else event.tilt_degrees,
            rich.UNKNOWN_U16 if event.rotation_degrees is None else event.rotation_degrees,
        )
        self._pen_sequence += 1
        return [rich.PenBatch.of(self._pen_sequence, sample)]

    def _arrival(self, event: vocabulary.PadArrival) -> list[_Message]:
        pad = self._pads.setdefault(event.pad, _Pad())
        pad.kind = PAD_KINDS[event.kind]
        if not self._caps & HostCap.PAD_SNAPSHOTS:
            return []
        pad.arrivals_left = REPEATS
        return [kinds.PadPlugged(event.pad, pad.kind)]

    def _state(self, event: vocabulary.PadState) -> list[_Message]:
        messages: list[_Message] = []
        for number, pad in self._pads.items():
            if pad.state is not None and not event.active_mask >> number & 1:
                messages += self._remove(number, pad)
        if not event.active_mask >> event.pad & 1:
            return messages
        pad = self._pads.setdefault(event.pad, _Pad())
        old, pad.state, pad.removals_left = pad.state, event, 0
        if self._caps & HostCap.PAD_SNAPSHOTS:
            return [*messages, self._snapshot(event.pad, pad)]
        return [*messages, *_differences(event.pad, old, event)]

    def _remove(self, number: int, pad: _Pad) -> list[_Message]:
        old, pad.state, pad.arrivals_left = pad.state, None, 0
        if not self._caps & HostCap.PAD_SNAPSHOTS:
            # Hosts without removals keep the pad; let at least nothing stay pressed on it.
            return [*_differences(number, old, vocabulary.PadState(number, 0, 0, 0, 0, 0, 0, 0, 0))]
        pad.removals_left = REPEATS
        return [self._removal(number, pad)]

    @staticmethod
    def _removal(number: int, pad: _Pad) -> kinds.PadRemoval:
        pad.sequence = pad.sequence + 1 & 0xFF
        return kinds.PadRemoval(number, pad.sequence)

    @staticmethod
    def _snapshot(number: int, pad: _Pad) -> kinds.PadSnapshot:
        state = pad.state
        assert state is not None
        pad.sequence = pad.sequence + 1 & 0xFF
        triggers = state.left_trigger, state.right_trigger
        sticks = state.left_x, state.left_y, state.right_x, state.right_y
        return kinds.PadSnapshot(number, pad.sequence, state.buttons, *triggers, *sticks)

    def _pad_touch(self, event: vocabulary.PadTouch) -> list[_Message]:
        active = event.event in _IN_CONTACT
        if event.event in (ContactEvent.HOVER, ContactEvent.BUTTON_ONLY):
            return []
        finger = event.pointer_id & 0xFF
        if event.touchpad == 0:
            place = round(event.x * 0xFFFF), round(event.y * 0xFFFF)
            return [rich.TouchpadContact(event.pad, finger, active, *place)]
        state = rich.SurfaceState.TOUCH if active else rich.SurfaceState(0)
        place = round(event.x * 0xFFFF) - 32768, round(event.y * 0xFFFF) - 32768
        pressure = round(event.pressure * 0xFFFF)
        return [rich.SurfaceContact(event.pad, event.touchpad, finger, state, *place, pressure)]

    def _motion(self, event: vocabulary.PadMotion) -> list[_Message]:
        pad = self._pads.setdefault(event.pad, _Pad())
        axes = event.x, event.y, event.z
        if event.kind is MotionKind.ACCELERATION:
            pad.acceleration = _steps(axes, rich.ACCEL_STEPS_PER_G / STANDARD_GRAVITY)
            return []  # goes with the next rotation: sensors report both at the same rate
        pad.gyro = _steps(axes, rich.GYRO_STEPS_PER_DEGREE)
        return [rich.MotionSample(event.pad, pad.gyro, pad.acceleration)]


def _key(event: vocabulary.Key) -> list[_Message]:
    return [kinds.KeyEdge(ON_THE_WIRE[event.virtual_key], event.pressed)]


def _position(event: vocabulary.MouseMoveAbsolute) -> list[_Message]:
    plane = event.width, event.height
    if max(plane) <= 0xFFFF:
        return [kinds.PointerPosition(event.x, event.y, *plane)]
    place = event.x * 0xFFFF // event.width, event.y * 0xFFFF // event.height
    return [kinds.PointerPosition(*place, 0xFFFF, 0xFFFF)]


def _steps(axes: tuple[float, float, float], scale: float) -> tuple[int, int, int]:
    x, y, z = (min(max(round(value * scale), -32768), 32767) for value in axes)
    return x, y, z


def _differences(
    number: int, old: vocabulary.PadState | None, new: vocabulary.PadState
) -> list[kinds.PadButton | kinds.PadAxis]:
    """Single buttons and axes that changed, for hosts without snapshots."""
    before = old or vocabulary.PadState(number, 0, 0, 0, 0, 0, 0, 0, 0)
    changed = before.buttons ^ new.buttons
    bits = (1 << place for place in range(32) if changed >> place & 1)
    messages: list[kinds.PadButton | kinds.PadAxis] = [
        kinds.PadButton(number, bit, bool(new.buttons & bit)) for bit in bits
    ]
    names = ("left_x", "left_y", "right_x", "right_y", "left_trigger", "right_trigger")
    for axis, name in zip(kinds.PadAxisCode, names, strict=True):
        if getattr(before, name) != getattr(new, name):
            messages.append(kinds.PadAxis(number, axis, getattr(new, name)))
    return messages
