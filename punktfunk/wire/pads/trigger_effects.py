"""What a DualSense says about its triggers' effects: a game fires when the state goes from 1 to 2.

    mode  effect     state (high half)                                          low half
    ----  ---------  ---------------------------------------------------------  ----------
    0x21  feedback   1 while the trigger is in a zone of the effect             first zone
    0x25  weapon     0 before, 1 within, 2 past it until back before the start  last zone
    0x26  vibration  as feedback                                                first zone
    else             0                                                          0

Without an effect the low half is 9, the end of travel. Ten zones make up the travel of a trigger; bytes 1
and 2 of an effect are the mask of its zones. Sources: Nielk1's TriggerEffectGenerator; punktfunk pf-inject
dualsense_proto.rs, DsTriggers.
"""

from typing import Final

EFFECT_BYTES: Final = 11
FEEDBACK, WEAPON, VIBRATION = 0x21, 0x25, 0x26
ZONES: Final = 10
IDLE: Final = 0x09


class _Trigger:
    def __init__(self) -> None:
        self._mode = 0
        self._zones = 0
        self._fired = False

    def arm(self, effect: bytes) -> None:
        mode, zones = effect[0], int.from_bytes(effect[1:3], "little") & 0x03FF
        if (mode, zones) != (self._mode, self._zones):  # games send the same effect again and again
            self._mode, self._zones, self._fired = mode, zones, False

    def state(self, travel: int) -> int:
        if not self._zones:
            return IDLE
        zone = travel * ZONES // 256
        start = (self._zones & -self._zones).bit_length() - 1
        stop = self._zones.bit_length() - 1
        if self._mode == WEAPON:
            self._fired = zone >= stop or (self._fired and zone >= start)
            return (2 if self._fired else int(zone >= start)) << 4 | stop
        if self._mode in (FEEDBACK, VIBRATION):
            return (self._zones >> zone & 1) << 4 | start
        return 0


class TriggerEffects:
    """Effects of both triggers, and what their state is at a place of the finger."""

    def __init__(self) -> None:
        self._left, self._right = _Trigger(), _Trigger()

    def arm(self, left: bytes | None, right: bytes | None) -> None:
        """Take the effects that a game sets; None leaves one as it is."""
        for trigger, effect in ((self._left, left), (self._right, right)):
            if effect is not None:
                trigger.arm(effect)

    def states(self, left: int, right: int) -> tuple[int, int]:
        """State bytes of the left and the right trigger, pressed so far (0 to 255)."""
        return self._left.state(left), self._right.state(right)
