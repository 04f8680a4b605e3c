"""What a display or a stream can show of high dynamic range: a block of Hello, and datagram 0xCE.

28 bytes; chromaticities in 1/50,000, luminance in 0.0001 cd/m2, the two light levels in cd/m2 (SMPTE ST 2086
and CTA-861.3). Spec: punktfunk-1.md sections 2.3 and 2.10.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from punktfunk.wire.native.forms import U16, U32, Numbers

HDR_BYTES: Final = 28


@dataclass(frozen=True, slots=True)
class HdrVolume:
    """Mastering volume and light levels; sent when a PQ session starts, and with key frames."""

    green: Annotated[tuple[int, int], Numbers("2 x u16", "2H"), "green primary, x and y in 1/50,000"]
    blue: Annotated[tuple[int, int], Numbers("2 x u16", "2H"), "blue primary"]
    red: Annotated[tuple[int, int], Numbers("2 x u16", "2H"), "red primary"]
    white: Annotated[tuple[int, int], Numbers("2 x u16", "2H"), "white point"]
    luminance_max: Annotated[int, U32, "0.0001 cd/m2"]
    luminance_min: Annotated[int, U32, "0.0001 cd/m2"]
    content_light_max: Annotated[int, U16, "MaxCLL, cd/m2; 0 unknown"]
    frame_average_light_max: Annotated[int, U16, "MaxFALL, cd/m2; 0 unknown"]
