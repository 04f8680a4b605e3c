"""What comes beside pictures, and formats: read back as written, and bad bytes raise one error."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import RemoteProtocolError
from punktfunk.plan import Mode, PipeWireSource
from punktfunk.realtime.capture import video_format as formats
from punktfunk.realtime.capture import video_meta as meta
from punktfunk.realtime.capture.cursor import Pointer, PointerState
from punktfunk.realtime.capture.drawing import blend, draw_pointer, pointer_picture
from punktfunk.realtime.capture.settling import Settling
from punktfunk.realtime.pipewire.pod import (
    DONT_FIXATE,
    ChoiceKind,
    Id,
    Long,
    ObjectType,
    Param,
    Property,
    Rectangle,
    choice,
    make_object,
    parse_object,
)

MODE = Mode(640, 360, 60_000)


@given(st.binary(max_size=200))
@settings(max_examples=60)
def test_bad_bytes_are_a_value_or_one_error(data):
    readers = (
        meta.parse_header,
        meta.parse_damage,
        lambda read: meta.parse_crop(read, 64, 64),
        meta.parse_transform,
        meta.parse_cursor,
        formats.parse_format,
    )
    for read in readers:
        try:
            read(data)
        except RemoteProtocolError:
            continue


def cursor(width, height, *, stride=None, offset=20, format_=formats.RGBA, at=28, hot=(1, 2), spare=b""):
    stride = width * 4 if stride is None else stride
    head = struct.pack("=IIiiiiI", 1, 0, 30, -4, *hot, at)
    return head + struct.pack("=IIIiI", format_, width, height, stride, offset) + spare


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 8), st.sampled_from([7, 8, 11, 12]))
@settings(max_examples=30)
def test_a_cursor_of_any_order_and_padding_is_bgra(width, height, padding, format_):
    stride = width * 4 + padding
    rows = np.random.default_rng(1).integers(0, 256, (height, stride), np.uint8)
    told = meta.parse_cursor(cursor(width, height, stride=stride, format_=format_, spare=rows.tobytes()))
    pixels = rows[:, : width * 4].reshape(height, width, 4).copy()
    if format_ in (7, 11):
        pixels = pixels[..., [2, 1, 0, 3]]
    if format_ in (7, 8):
        pixels[..., 3] = 255
    assert (told.x_px, told.y_px, told.bitmap.pixels) == (30, -4, pixels.tobytes())


def test_cursors_say_nothing_hide_move_or_are_impossible():
    assert meta.parse_cursor(struct.pack("=IIiiiiI", 0, 0, 1, 2, 0, 0, 28)) is None
    assert meta.parse_cursor(struct.pack("=IIiiiiI", 1, 0, 1, 2, 0, 0, 0)).bitmap is None
    assert meta.parse_cursor(cursor(4, 4, format_=0)).bitmap is None
    assert meta.parse_cursor(cursor(0, 0, offset=0)).bitmap.width_px == 0
    assert meta.parse_cursor(cursor(1, 1, hot=(9, -9), spare=bytes(4))).bitmap.hot_x_px == 0
    for data in (
        cursor(5000, 1, spare=bytes(40000)),
        cursor(4, 4, spare=bytes(63)),
        cursor(4, 4, stride=4, spare=bytes(64)),
        cursor(1, 1, format_=23, spare=bytes(4)),
        cursor(1, 1, at=100),
    ):
        with pytest.raises(RemoteProtocolError):
            meta.parse_cursor(data)


def test_crops_lie_inside():
    whole, part, outside = (
        struct.pack("=iiII", *region) for region in ((0, 0, 9, 9), (1, 2, 3, 4), (8, 8, 2, 2))
    )
    assert meta.parse_crop(whole, 9, 9) is None
    assert meta.parse_crop(part, 9, 9) == (1, 2, 3, 4)
    with pytest.raises(RemoteProtocolError, match="crop"):
        meta.parse_crop(outside, 9, 9)


def test_damage_ends_at_an_empty_region():
    regions = [(1, 2, 3, 4), (5, 6, 7, 8), (0, 0, 0, 0), (9, 9, 9, 9)]
    data = b"".join(struct.pack("=iiII", *region) for region in regions)
    assert meta.parse_damage(data) == regions[:2]


def settled(**more):
    properties = {0x20001: Id(formats.BGRX), 0x20003: Rectangle(640, 360)} | {
        {"modifier": 0x20002, "transfer": 0x2000E, "primaries": 0x2000F, "format": 0x20001}[key]: value
        for key, value in more.items()
    }
    return make_object(ObjectType.FORMAT, Param.FORMAT, properties)


def test_the_exact_size_and_shared_memory_are_offered_first():
    first, *rest = [parse_object(offer) for offer in formats.offer_formats(MODE)]
    assert first.value(0x20003) == Rectangle(640, 360)
    assert first.value(0x20002) is None
    assert {offer.value(0x20002) for offer in rest} == {None, Long(0)}
    assert all(0x2000E not in offer.properties for offer in (first, *rest))
    deep = [parse_object(offer) for offer in formats.offer_formats(MODE, ten_bit=True)]
    assert all(offer.value(0x2000E) == Id(formats.TRANSFER_PQ) for offer in deep)
    assert {offer.value(0x20001).value for offer in deep} <= set(formats.TEN_BIT)


def test_a_settled_format_says_what_it_is():
    flat, left_open = formats.parse_format(settled())
    assert (flat.modifier, flat.is_ten_bit, left_open) == (None, False, ())
    hdr, _ = formats.parse_format(
        settled(format=Id(formats.XRGB_210), transfer=Id(formats.TRANSFER_PQ), primaries=Id(7))
    )
    assert hdr.is_hdr
    several = Property(choice(ChoiceKind.ENUM, Long(-3), Long(-3), Long(0)), DONT_FIXATE)
    tiled, left_open = formats.parse_format(settled(modifier=several))
    assert (tiled.modifier, left_open) == (2**64 - 3, (2**64 - 3, 0))


def test_what_cannot_be_used_is_a_problem_and_modifiers_are_chosen_or_given_up():
    notes = []
    settling = Settling(PipeWireSource(MODE, 1), notes.append)
    settling.answer(Param.FORMAT, settled(format=Id(23)))
    assert "not offered" in settling.problem
    settling = Settling(PipeWireSource(MODE, 1), notes.append)
    settling.answer(Param.FORMAT, b"nonsense")
    assert "cannot be read" in settling.problem
    settling = Settling(PipeWireSource(MODE, 1), notes.append)
    several = Property(choice(ChoiceKind.ENUM, Long(5), Long(5), Long(0)), DONT_FIXATE)
    fixed = parse_object(settling.answer(Param.FORMAT, settled(modifier=several))[0])
    assert (fixed.value(0x20002), settling.format) == (Long(0), None)
    tiled = Property(choice(ChoiceKind.ENUM, Long(5), Long(5), Long(6)), DONT_FIXATE)
    offers = [parse_object(offer) for offer in settling.answer(Param.FORMAT, settled(modifier=tiled))]
    assert all(offer.value(0x20002) is None for offer in offers)
    assert notes == [
        "DMA-BUFs of the compositor cannot be read (none is linear): shared memory is used instead"
    ]
    assert settling.step_down("again") == []


def arrow(colour=0xFF0000FF, side=4, hot=(0, 0)):
    return meta.CursorBitmap(side, side, *hot, struct.pack("=I", colour) * side * side)


@given(st.integers(-9, 40), st.integers(-9, 30), st.integers(0, 3), st.sampled_from([(33, 21), (32, 20)]))
@settings(max_examples=40)
def test_a_pointer_is_drawn_where_it_is_and_nowhere_else(x, y, hot, size):
    width, height = size
    under = np.random.default_rng(2).integers(0, 1 << 24, (height, width), dtype=np.uint32)
    patch = draw_pointer(PointerState(x, y, 1, arrow(hot=(hot, hot))), under)
    expected = under.copy()
    left, top = x - hot, y - hot
    expected[max(top, 0) : max(top + 4, 0), max(left, 0) : max(left + 4, 0)] = 0x0000FF
    got = under.copy()
    if patch is not None:
        assert patch.x_px % 2 == patch.y_px % 2 == 0
        rows, columns = patch.pixels.shape
        assert patch.x_px + columns in (width, (patch.x_px + columns) & ~1)
        got[patch.y_px : patch.y_px + rows, patch.x_px : patch.x_px + columns] = patch.pixels
    assert np.array_equal(got, expected)


def test_half_a_pointer_lets_half_through():
    under = np.full((1, 3), 0x204080, np.uint32)
    over = np.array([[0, 0x80800000, 0xFF010203]], np.uint32)
    assert [hex(word) for word in blend(over, under)[0]] == ["0x204080", "0x902040", "0x10203"]
    width, height, *_hot, rgba = pointer_picture(
        meta.CursorBitmap(1, 1, 0, 0, struct.pack("=I", 0x80400020)), 120
    )
    assert (width, height, list(rgba)) == (1, 1, [128, 0, 64, 128])


def test_a_pointers_serial_changes_with_its_picture_alone():
    pointer = Pointer()
    assert not pointer.state.visible
    pointer.move(None)
    assert not pointer.take_moved()
    pointer.move(meta.CursorMeta(1, 2, arrow()))
    assert (pointer.take_moved(), pointer.take_moved()) == (True, False)
    pointer.move(meta.CursorMeta(5, 6, None))
    pointer.move(meta.CursorMeta(5, 6, arrow()))
    assert (pointer.state.serial, pointer.state.x_px, pointer.state.visible) == (1, 5, True)
    pointer.move(meta.CursorMeta(5, 6, meta.CursorBitmap(0, 0, 0, 0, b"")))
    assert (pointer.state.serial, pointer.state.visible) == (2, False)
