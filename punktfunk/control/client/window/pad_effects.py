"""What a DualSense at the client can do beside rumble and colour, as the 47 bytes that SDL hands to it.

They are the pad's output report without its id: 0 and 1 flags, 8 microphone light, 10 right and 21 left
trigger's effect of 11 bytes, 43 player lights. Source: SDL_hidapi_ps5.c, DS5EffectsState_t.
"""

from typing import Final

from punktfunk.wire.native.pad_output import MicrophoneLight, PlayerLights, TriggerEffect

PadEffect = TriggerEffect | PlayerLights | MicrophoneLight
EFFECT_BYTES: Final = 47
_TRIGGERS: Final = {0: (0x08, 21), 1: (0x04, 10)}
"""Flag and place by the protocol's number of a trigger: 0 left, 1 right."""


def build_effect(order: PadEffect) -> bytes | None:
    """Build what SDL_GameControllerSendEffect takes; None for a trigger that no pad has."""
    data = bytearray(EFFECT_BYTES)
    match order:
        case TriggerEffect():
            if order.trigger not in _TRIGGERS:
                return None
            data[0], place = _TRIGGERS[order.trigger]
            data[place : place + len(order.effect)] = order.effect
        case PlayerLights():
            data[1], data[43] = 0x10, order.mask & 0x1F
        case MicrophoneLight():
            data[1], data[8] = 0x01, min(order.state, 2)
    return bytes(data)
