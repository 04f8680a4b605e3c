"""What drivers read from the flash memory of a Switch Pro Controller: calibration and colours.

    address  size  content
    -------  ----  --------------------------------------------------------------
    0x6020     24  sensors: offset and scale of acceleration, then of rotation
    0x603D      9  left stick: span above, centre, span below
    0x6046      9  right stick: centre, span below, span above
    0x6050     12  colours of body, buttons, grips
    0x6086     18  left stick's dead zone and range
    0x6098     18  right stick's
    0x8010         calibration by its user: none

Everything else reads as erased. Sources: linux hid-nintendo.c; dekuNukem's spi_flash_notes.md.
"""

from struct import Struct
from typing import Final

STICK_CENTRE: Final = 2048
STICK_SPAN: Final = 2047
IDENTITY_SCALE_DEGREE: Final = 14.247
"""Steps per degree/s that the scale 13371 stands for (hid-nintendo.c, JC_IMU_GYRO_RES_PER_DPS)."""
LONGEST_READ_BYTES: Final = 29
ERASED: Final = 0xFF


def _pair(value: int) -> bytes:
    return (value | value << 12).to_bytes(3, "little")


_SENSORS: Final = Struct("<12h").pack(0, 0, 0, *[16384] * 3, 0, 0, 0, *[13371] * 3)
_SPAN, _CENTRE = _pair(STICK_SPAN), _pair(STICK_CENTRE)
_STICK_RANGE: Final = bytes.fromhex("0f3061 ae90d9 d41454 4115 54c779 9c3336 63")
_REGIONS: Final = {
    0x6020: _SENSORS,
    0x603D: _SPAN + _CENTRE + _SPAN + _CENTRE + _SPAN + _SPAN,
    0x6050: bytes.fromhex("323232 ffffff 323232 323232"),
    0x6086: _STICK_RANGE,
    0x6098: _STICK_RANGE,
}


def read_memory(address: int, size: int) -> bytes:
    """Read up to 29 bytes, as many as one answer holds."""
    wanted = range(address, address + min(size, LONGEST_READ_BYTES))
    found = bytearray([ERASED] * len(wanted))
    for start, content in _REGIONS.items():
        for place in range(max(start, wanted.start), min(start + len(content), wanted.stop)):
            found[place - wanted.start] = content[place - start]
    return bytes(found)
