"""How hard a Switch Pro Controller shall rumble: two sides, each with a high and a low band.

    byte  of a side
    ----  ----------------------------------------------------------------
       0  frequency of the high band
       1  bit 0 the same; bits 1 to 7 the step of the high band, 0 to 100
       2  frequency of the low band; bit 7 half a step of it
       3  0x40 and the whole steps of the low band, 0 to 50

Steps are logarithmic. linux' driver plays the heavy motor on the left side and the light one on the right,
each in both bands; SDL plays the heavy one in the low band and the light one in the high band of both sides.
Sources: dekuNukem's rumble_data_table.md; linux hid-nintendo.c, joycon_rumble_amplitudes and
joycon_set_rumble; SDL_hidapi_switch.c, EncodeRumble.
"""

from typing import Final

STEPS: Final = 100
FULL: Final = 65535


def amplitude(step: int) -> float:
    """Tell how strong a step is, 0 to 1. The three pieces are those of the table's own formula."""
    step = min(max(step, 0), STEPS)
    if step == 0:
        return 0.0
    if step < 16:
        strength = 0.112 * 2 ** ((step - 15) / 4)
    elif step < 32:
        strength = 2 ** (step / 16) / 17
    else:
        strength = 2 ** (step / 32) / 8.7
    return min(strength / amplitude_of_full(), 1.0)


def amplitude_of_full() -> float:
    """Return what the formula says of the last step: a little above 1."""
    return float(2 ** (STEPS / 32) / 8.7)


def _bands(side: bytes) -> tuple[int, int]:
    high = side[1] >> 1
    low = (side[3] - 0x40) * 2 + (side[2] >> 7)
    return round(amplitude(low) * FULL), round(amplitude(high) * FULL)


def rumble_levels(data: bytes) -> tuple[int, int]:
    """Return levels of the heavy and the light motor, 0 to 65535, of eight bytes."""
    left, right = _bands(data[:4]), _bands(data[4:8])
    return left if left == right else (max(left), max(right))
