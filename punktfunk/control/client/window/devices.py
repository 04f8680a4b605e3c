"""SDL's game controllers: opening them as they come, and what the wire calls their buttons and axes."""

from typing import Any, Final

from punktfunk.control.client.window.pad_effects import PadEffect, build_effect
from punktfunk.control.client.window.pad_senses import ACCELEROMETER, GYROSCOPE, PadSenses
from punktfunk.control.client.window.pads import PadBank
from punktfunk.control.client.window.rumble import Buzz, RumbleBank
from punktfunk.control.client.window.sdl import sdl
from punktfunk.wire.native.capabilities import GamepadKind
from punktfunk.wire.native.input import NativeInput, PadAxisCode
from punktfunk.wire.native.pad_output import PadLight, Rumble

BUTTON_BITS: Final = (
    0x1000,  # A
    0x2000,  # B
    0x4000,  # X
    0x8000,  # Y
    0x20,  # back
    0x400,  # guide
    0x10,  # start
    0x40,  # left stick
    0x80,  # right stick
    0x100,  # left shoulder
    0x200,  # right shoulder
    0x1,  # up
    0x2,  # down
    0x4,  # left
    0x8,  # right
    0x200000,  # misc
    0x10000,  # paddles 1 to 4
    0x20000,
    0x40000,
    0x80000,
    0x100000,  # touchpad
)
"""By SDL_GameControllerButton (SDL_gamecontroller.h), in its order."""

_KINDS: Final = {
    1: GamepadKind.XBOX_360,
    2: GamepadKind.XBOX_ONE,
    3: GamepadKind.DUALSHOCK_4,
    4: GamepadKind.DUALSHOCK_4,
    5: GamepadKind.SWITCH_PRO,
    7: GamepadKind.DUALSENSE,
    11: GamepadKind.JOY_CON_PAIR,
    12: GamepadKind.JOY_CON_PAIR,
    13: GamepadKind.JOY_CON_PAIR,
}
"""By SDL_GameControllerType; others are whatever the host makes of AUTO."""


def stick(value: int, *, vertical: bool) -> int:
    """SDL's stick, down positive, as the protocol has it, up positive."""
    return ~value if vertical else value


def axis_value(axis: int, value: int) -> tuple[PadAxisCode, int] | None:
    """Translate an SDL_GameControllerAxis and its value; None for one that pads of the protocol lack."""
    if axis not in range(len(PadAxisCode)):
        return None
    code = PadAxisCode(axis)
    if code in {PadAxisCode.LEFT_TRIGGER, PadAxisCode.RIGHT_TRIGGER}:
        return code, max(value, 0) >> 7
    return code, stick(value, vertical=code in {PadAxisCode.LEFT_Y, PadAxisCode.RIGHT_Y})


class Controllers:
    """The opened controllers, by SDL's instance id. For the main thread."""

    def __init__(self, bank: PadBank) -> None:
        self._bank = bank
        self._rumble = RumbleBank()
        self._opened: dict[int, Any] = {}
        self.senses = PadSenses()

    def added(self, device_index: int) -> list[NativeInput]:
        """Open a controller that was plugged in."""
        lib = sdl()
        controller = lib.SDL_GameControllerOpen(device_index)
        if not controller:
            return []  # a device that may not be read is no pad
        instance = lib.SDL_JoystickInstanceID(lib.SDL_GameControllerGetJoystick(controller))
        if instance in self._opened:
            lib.SDL_GameControllerClose(controller)
            return []
        self._opened[instance] = controller
        for sensor in (ACCELEROMETER, GYROSCOPE):
            if lib.SDL_GameControllerHasSensor(controller, sensor):
                lib.SDL_GameControllerSetSensorEnabled(controller, sensor, 1)
        kind = _KINDS.get(lib.SDL_GameControllerGetType(controller), GamepadKind.AUTO)
        return self._bank.plugged(instance, kind)

    def removed(self, instance: int) -> list[NativeInput]:
        """Close a controller that was pulled out."""
        controller = self._opened.pop(instance, None)
        if controller is not None:
            sdl().SDL_GameControllerClose(controller)
        if (slot := self._bank.slot_of(instance)) is not None:
            self.senses.forget(slot)
        return self._bank.removed(instance)

    def feel(self, event: Any, kind: int) -> None:
        """Take what a controller's sensors and its touchpad tell."""
        lib = sdl()
        felt = event.csensor if kind == lib.SDL_CONTROLLERSENSORUPDATE else event.ctouchpad
        slot = self._bank.slot_of(felt.which)
        if slot is None:
            return
        if kind == lib.SDL_CONTROLLERSENSORUPDATE:
            self.senses.sensor(slot, felt.sensor, tuple(felt.data))
        else:
            active = kind != lib.SDL_CONTROLLERTOUCHPADUP
            self.senses.finger(slot, felt.finger, felt.x, felt.y, active=active)

    def obey(self, order: Rumble | PadLight | PadEffect) -> None:
        """Do what the host wants of a pad."""
        if isinstance(order, PadLight):
            self._light(order)
            return
        if not isinstance(order, Rumble):
            self._effect(order)
            return
        levels, triggers = (order.low, order.high), (order.left_trigger, order.right_trigger)
        buzz = self._rumble.order(order.pad, levels, triggers, order.sequence, order.lease_ms)
        if buzz is not None:
            self._buzz(order.pad, buzz)

    def silence(self) -> None:
        """End every rumble: the session is over."""
        for pad in self._rumble.silence():
            self._buzz(pad, Buzz(0, 0, 0, 0, 0))

    def _buzz(self, pad: int, buzz: Buzz) -> None:
        """Let a pad rumble; devices without motors ignore it."""
        lib = sdl()
        for instance, controller in self._opened.items():
            if self._bank.slot_of(instance) == pad:
                lib.SDL_GameControllerRumble(controller, buzz.low, buzz.high, buzz.duration_ms)
                lib.SDL_GameControllerRumbleTriggers(
                    controller, buzz.left_trigger, buzz.right_trigger, buzz.duration_ms
                )

    def _light(self, order: PadLight) -> None:
        for instance, controller in self._opened.items():
            if self._bank.slot_of(instance) == order.pad:
                sdl().SDL_GameControllerSetLED(controller, order.red, order.green, order.blue)

    def _effect(self, order: PadEffect) -> None:
        """Hand an effect to a DualSense; SDL refuses it for every other pad."""
        lib, data = sdl(), build_effect(order)
        if data is None:
            return
        for instance, controller in self._opened.items():
            is_dualsense = lib.SDL_GameControllerGetType(controller) == lib.SDL_CONTROLLER_TYPE_PS5
            if is_dualsense and self._bank.slot_of(instance) == order.pad:
                lib.SDL_GameControllerSendEffect(controller, data, len(data))

    def close(self) -> None:
        """Close all of them."""
        for controller in self._opened.values():
            sdl().SDL_GameControllerClose(controller)
        self._opened.clear()
