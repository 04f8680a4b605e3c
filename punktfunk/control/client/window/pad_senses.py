"""Motion and touchpads of controllers, from SDL's units to the protocol's.

SDL tells sensors one at a time, in m/s^2 and radians/s; a message carries both, so the newest of each is kept
and goes out once for each turn of the window's loop. Source: punktfunk-1 section 2.10; SDL_sensor.h.
"""

import math
from collections.abc import Iterable
from typing import Final

from punktfunk.wire.native.rich_input import (
    ACCEL_STEPS_PER_G,
    GYRO_STEPS_PER_DEGREE,
    MotionSample,
    RichInput,
    TouchpadContact,
)

ACCELEROMETER, GYROSCOPE = 1, 2
STANDARD_GRAVITY: Final = 9.80665
FINGERS: Final = 2

Vector = tuple[int, int, int]
AT_REST: Final[Vector] = (0, ACCEL_STEPS_PER_G, 0)


class PadSenses:
    """What all pads feel, by their slots. For the main thread."""

    def __init__(self) -> None:
        self._rotations: dict[int, Vector] = {}
        self._accelerations: dict[int, Vector] = {}
        self._moved: set[int] = set()
        self._touches: list[TouchpadContact] = []

    def sensor(self, slot: int, kind: int, values: tuple[float, float, float]) -> None:
        """Take a reading of one sensor."""
        if kind == GYROSCOPE:
            degrees = (math.degrees(value) * GYRO_STEPS_PER_DEGREE for value in values)
            self._rotations[slot] = _signed16(degrees)
        elif kind == ACCELEROMETER:
            gravities = (value / STANDARD_GRAVITY * ACCEL_STEPS_PER_G for value in values)
            self._accelerations[slot] = _signed16(gravities)
        else:
            return
        self._moved.add(slot)

    def finger(self, slot: int, finger: int, x: float, y: float, *, active: bool) -> None:
        """Take what a finger on the touchpad does; x and y are 0 to 1."""
        if 0 <= finger < FINGERS:
            self._touches.append(TouchpadContact(slot, finger, active, _unit16(x), _unit16(y)))

    def forget(self, slot: int) -> None:
        """Let go of a pad that went."""
        self._moved.discard(slot)
        self._touches = [touch for touch in self._touches if touch.pad != slot]
        self._rotations.pop(slot, None)
        self._accelerations.pop(slot, None)

    def take(self) -> list[RichInput]:
        """Give what is new."""
        samples = [
            MotionSample(slot, self._rotations.get(slot, (0, 0, 0)), self._accelerations.get(slot, AT_REST))
            for slot in sorted(self._moved)
        ]
        touches, self._touches = self._touches, []
        self._moved.clear()
        return [*touches, *samples]


def _signed16(values: Iterable[float]) -> Vector:
    x, y, z = (min(max(round(value), -32768), 32767) for value in values)
    return x, y, z


def _unit16(value: float) -> int:
    return min(max(round(value * 0xFFFF), 0), 0xFFFF)
