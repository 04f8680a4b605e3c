"""Xbox pads as the kernel's own driver shows them, made by uinput: which device, and which events a state is.

Both have the same axes: sticks of 16 bits with up negative, triggers 0 to 255, the d-pad as a hat. xpad calls
the left button of the four (X) NORTH and the upper one (Y) WEST; games expect just that.
Source: linux drivers/input/joystick/xpad.c, xpad_presskey, xpad_set_up_abs.
"""

from typing import Final

from punktfunk.wire.evdev.codes import BUS_USB, SYN_REPORT, Abs, Effect, Type
from punktfunk.wire.evdev.codes import Button as Code
from punktfunk.wire.evdev.uinput import Axis, DeviceSpec
from punktfunk.wire.pads.motors import EFFECTS_MAX
from punktfunk.wire.pads.pad import Button, PadView, hat

_STICK: Final = Axis(-32768, 32767, fuzz=16, flat=128)
_TRIGGER: Final = Axis(0, 255)
_HAT: Final = Axis(-1, 1)
_AXES: Final = (
    *((Abs.X, _STICK), (Abs.Y, _STICK), (Abs.RX, _STICK), (Abs.RY, _STICK)),
    *((Abs.Z, _TRIGGER), (Abs.RZ, _TRIGGER), (Abs.HAT0X, _HAT), (Abs.HAT0Y, _HAT)),
)
KEYS: Final = (
    *((Button.A, Code.SOUTH), (Button.B, Code.EAST), (Button.X, Code.NORTH), (Button.Y, Code.WEST)),
    *((Button.LEFT_SHOULDER, Code.TL), (Button.RIGHT_SHOULDER, Code.TR), (Button.BACK, Code.SELECT)),
    *((Button.START, Code.START), (Button.GUIDE, Code.MODE), (Button.LEFT_STICK, Code.THUMBL)),
    (Button.RIGHT_STICK, Code.THUMBR),
)
_EFFECTS: Final = (
    *(Effect.RUMBLE, Effect.PERIODIC, Effect.CONSTANT, Effect.SQUARE, Effect.TRIANGLE, Effect.SINE),
    Effect.GAIN,
)


def _spec(name: str, product: int, version: int) -> DeviceSpec:
    codes = (Type.KEY, tuple(code for _, code in KEYS)), (Type.FF, _EFFECTS)
    return DeviceSpec(name, 0x045E, product, version, BUS_USB, codes, _AXES, effect_count=EFFECTS_MAX)


XBOX_360: Final = _spec("Microsoft X-Box 360 pad", 0x028E, 0x0110)
XBOX_ONE: Final = _spec("Microsoft X-Box One S pad", 0x02EA, 0x0408)

Event = tuple[int, int, int]


def values(view: PadView) -> dict[tuple[int, int], int]:
    """Value of every key and axis, by type and code."""
    x, y = hat(view.buttons)
    return {
        **{(Type.KEY, code): int(bool(view.buttons & button)) for button, code in KEYS},
        (Type.ABS, Abs.X): view.left_x,
        (Type.ABS, Abs.Y): min(-view.left_y, 32767),
        (Type.ABS, Abs.RX): view.right_x,
        (Type.ABS, Abs.RY): min(-view.right_y, 32767),
        (Type.ABS, Abs.Z): view.left_trigger,
        (Type.ABS, Abs.RZ): view.right_trigger,
        (Type.ABS, Abs.HAT0X): x,
        (Type.ABS, Abs.HAT0Y): y,
    }


class XboxEvents:
    """Finds what has changed since the last time; a device begins with everything at 0."""

    def __init__(self) -> None:
        self._shown = values(PadView())

    def changes(self, view: PadView) -> list[Event]:
        """Events from what was shown to this state, with their end; none where nothing changed."""
        now = values(view)
        events = [(*key, value) for key, value in now.items() if self._shown[key] != value]
        self._shown = now
        return [*events, (Type.SYN, SYN_REPORT, 0)] if events else []
