"""Force feedback of uinput pads: which effects play when, and how strong; Xbox events."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.wire.evdev.codes import Abs, Effect, Type
from punktfunk.wire.evdev.codes import Button as Code
from punktfunk.wire.evdev.uinput import (
    EFFECT_BYTES,
    Envelope,
    ForceEffect,
    build_event,
    build_request,
    parse_effect,
    parse_events,
    read_upload,
    set_result,
)
from punktfunk.wire.pads.motors import Motors
from punktfunk.wire.pads.pad import Button, PadView
from punktfunk.wire.pads.xbox import XBOX_360, XBOX_ONE, XboxEvents

MS = 1_000_000


def test_an_effect_ends_by_itself():
    motors = Motors()
    motors.upload(0, ForceEffect(0, 0x4000, 0xFFFF, length_ms=300, delay_ms=50))
    motors.play(0, 1, 0)
    assert motors.levels(0) == (0, 0)
    assert motors.deadline_ns(0) == 50 * MS
    assert motors.levels(50 * MS) == (0x4000, 0xFFFF)
    assert motors.deadline_ns(50 * MS) == 350 * MS
    assert motors.levels(350 * MS) == (0, 0)
    assert motors.deadline_ns(350 * MS) is None


def test_rounds_gain_and_sums():
    motors = Motors()
    motors.upload(1, ForceEffect(1, 0x8000, 0, length_ms=100, delay_ms=100))
    motors.play(1, 2, 0)
    assert [motors.levels(at * MS)[0] for at in (150, 250, 350, 450)] == [0x8000, 0, 0x8000, 0]
    motors.upload(2, ForceEffect(2, 0xC000, 0x100, length_ms=0, delay_ms=0))
    motors.upload(3, ForceEffect(3, 0xC000, 0x100, length_ms=0, delay_ms=0))
    motors.play(2, 1, 500 * MS)
    motors.play(3, 1, 500 * MS)
    assert motors.levels(500 * MS) == (0xFFFF, 0x200)
    assert motors.deadline_ns(500 * MS) is None, "they last"
    motors.set_gain(0x7FFF)
    assert motors.levels(500 * MS)[1] == 0x100
    motors.play(2, 0, 500 * MS)
    motors.erase(3)
    assert motors.levels(500 * MS) == (0, 0)


def test_envelope():
    motors = Motors()
    motors.upload(0, ForceEffect(0, 60000, 60000, 1000, 0, Envelope(100, 0, 200, 0)))
    motors.play(0, 1, 0)
    assert [motors.levels(at * MS)[0] for at in (0, 50, 500, 900)] == [0, 30000, 60000, 30000]
    assert motors.deadline_ns(0) == 50 * MS


def test_what_motors_cannot_play_is_refused():
    motors = Motors()
    assert not motors.upload(0, None)
    assert not motors.upload(16, ForceEffect(16, 1, 1, 0, 0))
    motors.play(0, 1, 0)
    assert motors.levels(0) == (0, 0)


@settings(max_examples=40)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("upload"), st.integers(-1, 17), st.integers(0, 65535), st.integers(0, 65535)),
            st.tuples(st.just("play"), st.integers(-1, 17), st.integers(-1, 10**9), st.integers(0, 10**12)),
            st.tuples(st.just("erase"), st.integers(-1, 17), st.just(0), st.just(0)),
        ),
        max_size=40,
    )
)
def test_any_orders_stay_in_range(orders):
    motors, now_ns = Motors(), 0
    for what, number, first, second in orders:
        if what == "upload":
            motors.upload(number, ForceEffect(number, first, second, first % 50, second % 50))
        elif what == "play":
            now_ns += second
            motors.play(number, first, now_ns)
        else:
            motors.erase(number)
        assert all(0 <= level <= 65535 for level in motors.levels(now_ns))
        deadline_ns = motors.deadline_ns(now_ns)
        assert deadline_ns is None or deadline_ns > now_ns


def effect_bytes(kind, number, union):
    head = kind.to_bytes(2, "little") + number.to_bytes(2, "little") + bytes(6)
    return (head + (300).to_bytes(2, "little") + bytes(4) + union).ljust(EFFECT_BYTES, b"\0")


def test_structures_of_the_kernel():
    """Sizes and numbers as a C compiler has them on x86-64 and arm64."""
    from punktfunk.wire.evdev import uinput

    assert (uinput.EVENT.size, uinput.SETUP.size, uinput.ABS_SETUP.size) == (24, 92, 28)
    assert (EFFECT_BYTES, uinput.UPLOAD_BYTES, uinput.ERASE.size) == (48, 104, 12)
    assert (uinput.BEGIN_UPLOAD, uinput.DEV_SETUP, uinput.SET_ABS) == (0xC06855C8, 0x405C5503, 0x401C5504)
    assert uinput.set_bit(Type.KEY) == 0x40045565


def test_effects_as_games_upload_them():
    rumble = effect_bytes(Effect.RUMBLE, 3, (0x4000).to_bytes(2, "little") + b"\xff\xff")
    assert parse_effect(rumble) == ForceEffect(3, 0x4000, 0xFFFF, 300, 0)
    sine = effect_bytes(Effect.PERIODIC, 0, bytes.fromhex("5a00 0a00 0040 0000 0000 0100 0200 0300 0400"))
    assert parse_effect(sine) == ForceEffect(0, 0x8000, 0x8000, 300, 0, Envelope(1, 2, 3, 4))
    constant = effect_bytes(Effect.CONSTANT, 0, bytes.fromhex("00c0") + bytes(8))
    assert parse_effect(constant).strong == 0x8000
    assert parse_effect(effect_bytes(0x57, 0, b"")) is None


def test_requests():
    request = build_request(7, 104)
    request[8:56] = effect_bytes(Effect.RUMBLE, 2, b"\1\0\2\0")
    assert read_upload(bytes(request)) == (2, ForceEffect(2, 1, 2, 300, 0))
    set_result(request, -22)
    assert request[:8] == (7).to_bytes(4, "little") + (-22).to_bytes(4, "little", signed=True)
    assert parse_events(build_event(1, 0x130, 1) + b"cut") == [(1, 0x130, 1)]


@settings(max_examples=40)
@given(st.binary(min_size=EFFECT_BYTES, max_size=EFFECT_BYTES))
def test_any_effect(data):
    effect = parse_effect(data)
    assert effect is None or 0 <= effect.strong <= 65535


def test_xbox_events_are_changes():
    events = XboxEvents()
    assert events.changes(PadView()) == []
    changed = events.changes(PadView(buttons=Button.X | Button.LEFT, left_y=32767, right_trigger=255))
    assert set(changed[:-1]) == {
        (Type.KEY, Code.NORTH, 1),
        (Type.ABS, Abs.HAT0X, -1),
        (Type.ABS, Abs.Y, -32767),
        (Type.ABS, Abs.RZ, 255),
    }
    assert changed[-1] == (Type.SYN, 0, 0)
    assert events.changes(PadView(left_y=-32768))[-2:] == [(Type.ABS, Abs.HAT0X, 0), (Type.SYN, 0, 0)]


@pytest.mark.parametrize("spec", [XBOX_360, XBOX_ONE])
def test_xbox_pads_have_what_xpad_has(spec):
    codes = dict(spec.codes)
    assert len(codes[Type.KEY]) == 11
    assert len(spec.axes) == 8
    assert spec.effect_count == 16
