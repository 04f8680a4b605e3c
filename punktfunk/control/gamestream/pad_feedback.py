"""What games ask of pads, in GameStream's words. Players' lights and microphone lights have none there."""

from punktfunk.control.gamestream.control_stream import send_feedback
from punktfunk.control.gamestream.stream import Stream
from punktfunk.wire.gamestream.feedback import (
    TRIGGER_EFFECT_BYTES,
    AdaptiveTriggers,
    Feedback,
    Led,
    MotionReports,
    Rumble,
    TriggerRumble,
    TriggerSide,
)
from punktfunk.wire.pads.wishes import (
    LightWish,
    MotionWish,
    PadWish,
    RumbleWish,
    TriggerRumbleWish,
    TriggersWish,
)

_NO_EFFECT = bytes(1 + TRIGGER_EFFECT_BYTES)


def to_feedback(pad: int, wish: PadWish) -> Feedback | None:
    """Word a wish as a message; None where GameStream has none for it."""
    match wish:
        case RumbleWish():
            return Rumble(pad, wish.low, wish.high)
        case TriggerRumbleWish():
            return TriggerRumble(pad, wish.left, wish.right)
        case LightWish():
            return Led(pad, wish.red, wish.green, wish.blue)
        case MotionWish():
            return MotionReports(pad, wish.rate_hz, wish.kind)
        case TriggersWish():
            return _triggers(pad, wish)
        case _:
            return None


def _triggers(pad: int, wish: TriggersWish) -> AdaptiveTriggers:
    sides = TriggerSide(0)
    sides |= TriggerSide.LEFT if wish.left is not None else TriggerSide(0)
    sides |= TriggerSide.RIGHT if wish.right is not None else TriggerSide(0)
    left, right = wish.left or _NO_EFFECT, wish.right or _NO_EFFECT
    return AdaptiveTriggers(pad, sides, left[0], right[0], left[1:], right[1:])


def tell_client(stream: Stream, pad: int, wish: PadWish) -> None:
    """Send a wish to the stream's client, if it is connected and there are words for it."""
    message = to_feedback(pad, wish)
    if message is not None:
        send_feedback(stream, message)
