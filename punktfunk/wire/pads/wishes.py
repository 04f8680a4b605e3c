"""What a game asks of a pad: motors, lights, triggers, sensors. Which pad it is stands beside it.

Motors are 0 to 65535 and run until told otherwise.
"""

from dataclasses import dataclass

from punktfunk.wire.input import MotionKind


@dataclass(frozen=True, slots=True)
class RumbleWish:
    """The two motors of a pad: the heavy slow one and the light fast one."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class TriggerRumbleWish:
    """The motors in the triggers of an Xbox One pad."""

    left: int
    right: int


@dataclass(frozen=True, slots=True)
class LightWish:
    """Colour of the pad's light, 0 to 255 each."""

    red: int
    green: int
    blue: int


@dataclass(frozen=True, slots=True)
class PlayerLightsWish:
    """Lights that number the players; bit 0 is the leftmost, five at most."""

    mask: int


@dataclass(frozen=True, slots=True)
class MicLightWish:
    """The light of a DualSense's microphone: 0 off, 1 on, 2 pulsing."""

    state: int


@dataclass(frozen=True, slots=True)
class TriggersWish:
    """Effects of adaptive triggers: 11 bytes each, the mode first; None leaves a trigger as it is."""

    left: bytes | None
    right: bytes | None


@dataclass(frozen=True, slots=True)
class MotionWish:
    """Report a sensor at ``rate_hz``; 0 stops it."""

    kind: MotionKind
    rate_hz: int


PadWish = (
    RumbleWish | TriggerRumbleWish | LightWish | PlayerLightsWish | MicLightWish | TriggersWish | MotionWish
)
