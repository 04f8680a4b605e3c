"""A client's pads into the one vocabulary of input: their state, their touchpads, their motion.

Snapshots are whole states and come again and again: what is not newer or says nothing new makes no event. One
small record per pad, 16 at most. Spec: punktfunk-1.md section 2.10; peer: punktfunk-core input.rs.
"""

from dataclasses import replace
from typing import Final

from punktfunk.wire import input as vocabulary
from punktfunk.wire.input import ContactEvent, InputEvent, MotionKind, PadCapability, PadKind, PadModel
from punktfunk.wire.native import input_kinds as kinds
from punktfunk.wire.native import rich_input as rich
from punktfunk.wire.native.capabilities import GamepadKind

STANDARD_GRAVITY: Final = 9.80665
SUPPORTED_BUTTONS: Final = 0x003F_F7FF
"""Every button bit of the protocol."""

PAD_KINDS: Final = {
    GamepadKind.XBOX_360: PadKind.XBOX,
    GamepadKind.XBOX_ONE: PadKind.XBOX,
    GamepadKind.XBOX_ELITE: PadKind.XBOX,
    GamepadKind.DUALSENSE: PadKind.PLAYSTATION,
    GamepadKind.DUALSHOCK_4: PadKind.PLAYSTATION,
    GamepadKind.DUALSENSE_EDGE: PadKind.PLAYSTATION,
    GamepadKind.SWITCH_PRO: PadKind.NINTENDO,
    GamepadKind.JOY_CON_PAIR: PadKind.NINTENDO,
    GamepadKind.SWITCH_2_PRO: PadKind.NINTENDO,
    GamepadKind.SWITCH_2_GAMECUBE: PadKind.NINTENDO,
    GamepadKind.STEAM_CONTROLLER: PadKind.STEAM,
    GamepadKind.STEAM_DECK: PadKind.STEAM,
    GamepadKind.STEAM_CONTROLLER_2: PadKind.STEAM,
    GamepadKind.STEAM_CONTROLLER_2_PUCK: PadKind.STEAM,
}

PAD_MODELS: Final = {
    GamepadKind.XBOX_360: PadModel.XBOX_360,
    GamepadKind.XBOX_ONE: PadModel.XBOX_ONE,
    GamepadKind.XBOX_ELITE: PadModel.XBOX_ONE,
    GamepadKind.DUALSENSE: PadModel.DUALSENSE,
    GamepadKind.DUALSENSE_EDGE: PadModel.DUALSENSE,
    GamepadKind.DUALSHOCK_4: PadModel.DUALSHOCK_4,
    GamepadKind.SWITCH_PRO: PadModel.SWITCH_PRO,
    GamepadKind.JOY_CON_PAIR: PadModel.SWITCH_PRO,
    GamepadKind.SWITCH_2_PRO: PadModel.SWITCH_PRO,
}
"""What the host makes of a kind; the others have no model of their own."""

CAPABILITIES: Final = {
    PadKind.XBOX: PadCapability.ANALOG_TRIGGERS | PadCapability.RUMBLE,
    PadKind.PLAYSTATION: PadCapability.ANALOG_TRIGGERS
    | PadCapability.RUMBLE
    | PadCapability.TOUCHPAD
    | PadCapability.ACCELERATION
    | PadCapability.GYROSCOPE
    | PadCapability.LIGHT,
    PadKind.NINTENDO: PadCapability.RUMBLE | PadCapability.ACCELERATION | PadCapability.GYROSCOPE,
}
"""What pads of a kind have: the protocol names the kind alone."""

_AXES: Final = {
    kinds.PadAxisCode.LEFT_X: "left_x",
    kinds.PadAxisCode.LEFT_Y: "left_y",
    kinds.PadAxisCode.RIGHT_X: "right_x",
    kinds.PadAxisCode.RIGHT_Y: "right_y",
    kinds.PadAxisCode.LEFT_TRIGGER: "left_trigger",
    kinds.PadAxisCode.RIGHT_TRIGGER: "right_trigger",
}


class PadReader:
    """All pads of a session. ``pad_kind`` is what Welcome said pads look like."""

    def __init__(self, pad_kind: GamepadKind = GamepadKind.AUTO) -> None:
        self._pad_kind = pad_kind
        self._pads: dict[int, vocabulary.PadState] = {}
        self._announced: dict[int, GamepadKind] = {}
        self._sequences: dict[int, int] = {}
        self._fingers: set[tuple[int, int, int]] = set()

    def plugged(self, event: kinds.PadPlugged) -> list[InputEvent]:
        """Announce a pad, once per kind."""
        return self._announce(event.pad, event.kind)

    def removal(self, event: kinds.PadRemoval) -> list[InputEvent]:
        """Remove a pad."""
        return self._remove(event.pad) if self._is_news(event.pad, event.sequence) else []

    def snapshot(self, event: kinds.PadSnapshot) -> list[InputEvent]:
        """Take a whole state, if it is newer than the last."""
        if not self._is_news(event.pad, event.sequence):
            return []
        triggers = event.left_trigger, event.right_trigger
        sticks = event.left_x, event.left_y, event.right_x, event.right_y
        return self._set(vocabulary.PadState(event.pad, 0, event.buttons, *triggers, *sticks))

    def button(self, event: kinds.PadButton) -> list[InputEvent]:
        """Fold one button into the state."""
        old = self._state_of(event.pad)
        buttons = old.buttons | event.button if event.pressed else old.buttons & ~event.button
        return self._set(replace(old, buttons=buttons))

    def axis(self, event: kinds.PadAxis) -> list[InputEvent]:
        """Fold one axis into the state."""
        name = _AXES[event.axis]
        low, high = (0, 255) if name.endswith("trigger") else (-32768, 32767)
        changed = {name: min(max(event.value, low), high)}
        return self._set(replace(self._state_of(event.pad), **changed))

    def motion(self, event: rich.MotionSample) -> list[InputEvent]:
        """Both sensors, in degrees/s and m/s^2."""
        if event.pad >= kinds.PAD_COUNT:
            return []
        gyro = (value / rich.GYRO_STEPS_PER_DEGREE for value in event.gyro)
        acceleration = (value / rich.ACCEL_STEPS_PER_G * STANDARD_GRAVITY for value in event.acceleration)
        return [
            vocabulary.PadMotion(event.pad, MotionKind.GYROSCOPE, *gyro),
            vocabulary.PadMotion(event.pad, MotionKind.ACCELERATION, *acceleration),
        ]

    def touchpad(self, event: rich.TouchpadContact) -> list[InputEvent]:
        """Finger on the only touchpad."""
        place = event.x / 0xFFFF, event.y / 0xFFFF
        return self._finger((event.pad, 0, event.finger), place, 0.0, is_down=event.active)

    def surface(self, event: rich.SurfaceContact) -> list[InputEvent]:
        """Finger on one of several; a click is a button of the pad's state and not told here."""
        place = (event.x + 32768) / 0xFFFF, (event.y + 32768) / 0xFFFF
        is_down = bool(event.state & rich.SurfaceState.TOUCH)
        finger = event.pad, event.surface, event.finger
        return self._finger(finger, place, event.pressure / 0xFFFF, is_down=is_down)

    def release(self) -> list[InputEvent]:
        """Lift all fingers and remove all pads, at the end of a session."""
        events: list[InputEvent] = [
            vocabulary.PadTouch(pad, surface, ContactEvent.UP, finger, 0.0, 0.0, 0.0)
            for pad, surface, finger in sorted(self._fingers)
        ]
        self._fingers.clear()
        for pad in sorted(self._announced):
            events += self._remove(pad)
        return events

    def _is_news(self, pad: int, sequence: int) -> bool:
        if not kinds.is_newer(sequence, self._sequences.get(pad)):
            return False
        self._sequences[pad] = sequence
        return True

    def _state_of(self, pad: int) -> vocabulary.PadState:
        return self._pads.get(pad) or vocabulary.PadState(pad, 0, 0, 0, 0, 0, 0, 0, 0)

    def _mask(self) -> int:
        return sum(1 << pad for pad in self._announced)

    def _announce(self, pad: int, kind: GamepadKind) -> list[InputEvent]:
        if self._announced.get(pad) == kind:
            return []
        self._announced[pad] = kind
        known = kind if kind in PAD_KINDS else self._pad_kind
        shown, model = PAD_KINDS.get(known, PadKind.UNKNOWN), PAD_MODELS.get(known)
        capabilities = int(CAPABILITIES.get(shown, 0))
        return [vocabulary.PadArrival(pad, shown, capabilities, SUPPORTED_BUTTONS, model)]

    def _set(self, state: vocabulary.PadState) -> list[InputEvent]:
        pad = state.pad
        events = [] if pad in self._announced else self._announce(pad, self._pad_kind)
        state = replace(state, active_mask=self._mask())
        if self._pads.get(pad) != state:
            self._pads[pad] = state
            events.append(state)
        return events

    def _remove(self, pad: int) -> list[InputEvent]:
        if self._announced.pop(pad, None) is None:
            return []
        self._pads.pop(pad, None)
        self._fingers = {finger for finger in self._fingers if finger[0] != pad}
        return [replace(self._state_of(pad), active_mask=self._mask())]

    def _finger(
        self, finger: tuple[int, int, int], place: tuple[float, float], pressure: float, *, is_down: bool
    ) -> list[InputEvent]:
        was_down = finger in self._fingers
        if finger[0] >= kinds.PAD_COUNT or not (is_down or was_down):
            return []
        if is_down and not was_down:
            if len(self._fingers) >= kinds.PAD_COUNT * 16:  # ids are a stranger's: bounded
                return []
            self._fingers.add(finger)
        if not is_down:
            self._fingers.discard(finger)
        what = ContactEvent.UP if not is_down else ContactEvent.MOVE if was_down else ContactEvent.DOWN
        pad, surface, number = finger
        return [vocabulary.PadTouch(pad, surface, what, number, *place, pressure)]
