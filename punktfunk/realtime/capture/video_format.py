"""Picture formats of PipeWire: what capture offers a video node, and what the two settled on. Pure.

Offers stand in order of preference; the first that the node shares is taken. A size is offered exactly
first, because a compositor that makes a monitor for the cast makes one of that size, then in any size, for
nodes that show something which is there already. Keys and values: PipeWire, spa/include/spa/param/format.h,
param/buffers.h, param/video/raw.h and param/video/color.h.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from punktfunk.errors import RemoteProtocolError
from punktfunk.plan import Mode
from punktfunk.realtime.pipewire.pod import (
    DONT_FIXATE,
    MANDATORY,
    Choice,
    ChoiceKind,
    Fraction,
    Id,
    Long,
    ObjectType,
    Param,
    Property,
    Rectangle,
    Value,
    choice,
    make_object,
    parse_object,
)

RGBX, BGRX, RGBA, BGRA = 7, 8, 11, 12
XRGB_210, XBGR_210, ARGB_210, ABGR_210 = 80, 81, 84, 85
"""``enum spa_video_format``: bytes in memory order, or 2:10:10:10 as little-endian words."""

EIGHT_BIT: Final = (BGRX, BGRA, RGBX, RGBA)
TEN_BIT: Final = (XRGB_210, ARGB_210, XBGR_210, ABGR_210)
RED_FIRST: Final = frozenset({RGBX, RGBA, XBGR_210, ABGR_210})
"""Formats whose lowest bits are red: red and blue change places to become BGRx."""

NAMES: Final = {
    RGBX: "RGBx",
    BGRX: "BGRx",
    RGBA: "RGBA",
    BGRA: "BGRA",
    XRGB_210: "xRGB 2:10:10:10",
    XBGR_210: "xBGR 2:10:10:10",
    ARGB_210: "ARGB 2:10:10:10",
    ABGR_210: "ABGR 2:10:10:10",
}

MODIFIER_LINEAR: Final = 0
MODIFIER_INVALID: Final = 0x00FF_FFFF_FFFF_FFFF
"""DRM_FORMAT_MOD_INVALID: the driver's own choice, known to it alone (drm_fourcc.h)."""

LINEAR_MODIFIERS: Final = (MODIFIER_LINEAR,)

MEM_PTR, MEM_FD, DMA_BUF = 1, 2, 3
"""``enum spa_data_type``."""

TRANSFER_PQ: Final = 15
PRIMARIES_BT2020: Final = 7
LARGEST_SIDE_PX: Final = 16_384

_MEDIA_TYPE, _MEDIA_SUBTYPE = 1, 2
_VIDEO, _RAW = 2, 1
_FORMAT, _MODIFIER, _SIZE, _FRAME_RATE, _MAX_FRAME_RATE = (0x20000 + number for number in (1, 2, 3, 4, 5))
_TRANSFER, _PRIMARIES = 0x2000E, 0x2000F
_BUFFERS, _BLOCKS, _DATA_TYPE = 1, 2, 6
_META_TYPE, _META_SIZE = 1, 2
META_HEADER, META_CROP, META_DAMAGE, META_CURSOR, META_TRANSFORM = 1, 2, 3, 5, 8
_CURSOR_SIDE_PX: Final = 384
_CURSOR_BYTES: Final = 28 + 20
_RECTANGLES: Final = 16


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What was settled.

    modifier          of DMA-BUFs; None where memory is shared instead
    rate_millihertz   the most that the node says it will give; 0 where it does not say
    transfer          ``enum spa_video_transfer_function``; 0 unknown, which is sRGB here
    """

    format: int
    width_px: int
    height_px: int
    modifier: int | None = None
    rate_millihertz: int = 0
    transfer: int = 0
    primaries: int = 0

    @property
    def is_ten_bit(self) -> bool:
        """Whether pixels have ten bits for each colour."""
        return self.format in TEN_BIT

    @property
    def is_hdr(self) -> bool:
        """Whether the pictures are BT.2020 and PQ: HDR10."""
        return self.is_ten_bit and self.transfer == TRANSFER_PQ and self.primaries == PRIMARIES_BT2020

    def __str__(self) -> str:
        name = NAMES.get(self.format, f"format {self.format}")
        how = "" if self.modifier is None else f", DMA-BUF with modifier {self.modifier:#x}"
        return f"{self.width_px}x{self.height_px} {name}{how}"


def offer_formats(mode: Mode, *, ten_bit: bool = False, ways: Sequence[bool] = (False, True)) -> list[bytes]:
    """Make the offers for a node, best first.

    ``ways`` are shared memory (False) and DMA-BUFs (True), in order of preference. DMA-BUFs are read through
    the processor here and therefore linear: where there is a choice, a compositor reads its own memory
    faster. ``ten_bit`` offers HDR10 and nothing else: a node that has only eight bits refuses, which is the
    truth.
    """
    formats = TEN_BIT if ten_bit else EIGHT_BIT
    exact: Value = Rectangle(mode.width_px, mode.height_px)
    largest = Rectangle(LARGEST_SIDE_PX, LARGEST_SIDE_PX)
    any_size = choice(ChoiceKind.RANGE, exact, Rectangle(1, 1), largest)
    offers = []
    for size in (exact, any_size):
        for dma_buf in ways:
            if dma_buf:
                linear = LINEAR_MODIFIERS
                offers += [_offer([known], size, mode, linear, ten_bit=ten_bit) for known in formats]
            else:
                offers.append(_offer(formats, size, mode, None, ten_bit=ten_bit))
    return offers


def fix_modifier(settled: VideoFormat, mode: Mode, modifier: int) -> bytes:
    """Make the offer that chooses one of the modifiers which a node left open (DONT_FIXATE)."""
    size = Rectangle(settled.width_px, settled.height_px)
    return _offer([settled.format], size, mode, [modifier], ten_bit=settled.is_ten_bit)


def _offer(
    formats: Sequence[int], size: Value, mode: Mode, modifiers: Sequence[int] | None, *, ten_bit: bool
) -> bytes:
    rate = Fraction(mode.refresh_millihertz, 1000)
    properties: dict[int, Value | Property] = {
        _MEDIA_TYPE: Id(_VIDEO),
        _MEDIA_SUBTYPE: Id(_RAW),
        _FORMAT: choice(ChoiceKind.ENUM, Id(formats[0]), *[Id(known) for known in formats]),
    }
    if modifiers is not None:
        if len(modifiers) == 1:
            properties[_MODIFIER] = Property(Long(_signed(modifiers[0])), MANDATORY)
        else:
            known = [Long(_signed(modifier)) for modifier in modifiers]
            open_choice = choice(ChoiceKind.ENUM, known[0], *known)
            properties[_MODIFIER] = Property(open_choice, MANDATORY | DONT_FIXATE)
    properties[_SIZE] = size
    # 0/1 says that frames come when something changed, at most as often as the other rate.
    properties[_FRAME_RATE] = choice(ChoiceKind.RANGE, Fraction(0, 1), Fraction(0, 1), Fraction(1000, 1))
    # Of a range a node takes its own idea, so that mutter would make a monitor of 60 Hz whatever we want.
    exactly = isinstance(size, Rectangle)
    properties[_MAX_FRAME_RATE] = rate if exactly else choice(ChoiceKind.RANGE, rate, Fraction(1, 1), rate)
    if ten_bit:
        properties[_TRANSFER] = Property(Id(TRANSFER_PQ), MANDATORY)
        properties[_PRIMARIES] = Property(Id(PRIMARIES_BT2020), MANDATORY)
    return make_object(ObjectType.FORMAT, Param.ENUM_FORMAT, properties)


def parse_format(data: bytes) -> tuple[VideoFormat, tuple[int, ...]]:
    """Read a settled format, and the modifiers that are still open in it; RemoteProtocolError if it is none.

    Modifiers are open where the node left the choice to us: one of them must be offered again alone.
    """
    given = parse_object(data)
    name, size = given.value(_FORMAT), given.value(_SIZE)
    if not isinstance(name, Id) or not isinstance(size, Rectangle):
        raise RemoteProtocolError("a video format without format or size")
    if not (1 <= size.width <= LARGEST_SIDE_PX and 1 <= size.height <= LARGEST_SIDE_PX):
        raise RemoteProtocolError(f"pictures of {size.width}x{size.height}")
    modifier = given.value(_MODIFIER)
    settled = VideoFormat(
        name.value,
        size.width,
        size.height,
        _unsigned(modifier.value) if isinstance(modifier, Long) else None,
        _millihertz(given.value(_MAX_FRAME_RATE)) or _millihertz(given.value(_FRAME_RATE)),
        _number(given.value(_TRANSFER)),
        _number(given.value(_PRIMARIES)),
    )
    offered = given.properties.get(_MODIFIER)
    is_open = offered is not None and offered.flags & DONT_FIXATE and isinstance(offered.value, Choice)
    if not is_open or offered is None or not isinstance(offered.value, Choice):
        return settled, ()
    values = offered.value.values[1:] or offered.value.values
    return settled, tuple(_unsigned(value.value) for value in values if isinstance(value, Long))


def buffer_params(*, dma_buf: bool, cursor: bool) -> list[bytes]:
    """Say which buffers and what beside the pixels we want, once a format is settled.

    Four buffers: one shown to the encoder, one kept, and two for the node to go on with.
    """
    kinds = 1 << DMA_BUF if dma_buf else (1 << MEM_PTR) | (1 << MEM_FD)
    buffers: dict[int, Value | Property] = {
        _BUFFERS: choice(ChoiceKind.RANGE, 4, 3, 8),
        _BLOCKS: choice(ChoiceKind.RANGE, 1, 1, 4) if dma_buf else 1,
        _DATA_TYPE: Choice(ChoiceKind.FLAGS, (kinds,)),
    }
    params = [
        make_object(ObjectType.BUFFERS, Param.BUFFERS, buffers),
        _meta(META_HEADER, 32),
        _meta(META_CROP, 16),
        _meta(META_TRANSFORM, 4),
        _meta(META_DAMAGE, choice(ChoiceKind.RANGE, 16 * _RECTANGLES, 16, 16 * _RECTANGLES)),
    ]
    if cursor:
        usual, most = (_CURSOR_BYTES + side * side * 4 for side in (64, _CURSOR_SIDE_PX))
        params.append(_meta(META_CURSOR, choice(ChoiceKind.RANGE, usual, _CURSOR_BYTES, most)))
    return params


def _meta(kind: int, size: Value) -> bytes:
    return make_object(ObjectType.META, Param.META, {_META_TYPE: Id(kind), _META_SIZE: size})


def _millihertz(value: Value) -> int:
    if not isinstance(value, Fraction) or value.denominator == 0:
        return 0
    return value.numerator * 1000 // value.denominator


def _number(value: Value) -> int:
    return value.value if isinstance(value, Id) else 0


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _unsigned(number: int) -> int:
    return number & ((1 << 64) - 1)
