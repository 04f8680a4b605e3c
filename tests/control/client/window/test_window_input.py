"""What the user does, as events: keys, pointer, wheel, touch, text, pads, rumble."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.client.window.capture import Abilities, Capture, merged
from punktfunk.control.client.window.commands import LETTERS, Command, command_of, help_line
from punktfunk.control.client.window.devices import BUTTON_BITS, axis_value
from punktfunk.control.client.window.geometry import Box, fit, into_picture
from punktfunk.control.client.window.keys import VIRTUAL_KEYS, virtual_key
from punktfunk.control.client.window.pads import REFRESH_NS, PadBank, only_last_snapshots
from punktfunk.control.client.window.resize import QUIET_NS, SizeWatch
from punktfunk.control.client.window.rumble import RumbleBank
from punktfunk.wire.input import MouseButton
from punktfunk.wire.native.capabilities import GamepadKind, Grant, HostCap, HostCap2
from punktfunk.wire.native.input import (
    Axis,
    ButtonEdge,
    KeyEdge,
    PadAxis,
    PadAxisCode,
    PadButton,
    PadPlugged,
    PadRemoval,
    PadSnapshot,
    PointerMove,
    PointerPosition,
    ScrollStep,
    TextScalar,
    TouchPhase,
    TouchPoint,
    WheelTurn,
    build_input,
)
from punktfunk.wire.native.vk import VK_TO_EVDEV

ALL = Abilities(HostCap.TEXT | HostCap.PAD_SNAPSHOTS, HostCap2.TOUCH | HostCap2.SCROLL)
A_KEY, B_KEY, SHIFT = 4, 5, 225


def capture_of(host=ALL):
    capture = Capture()
    capture.host = host
    capture.picture, capture.box = (1920, 1080), Box(0, 60, 960, 540)
    return capture


def test_every_key_is_one_that_the_protocol_names():
    unknown = {code for code in VIRTUAL_KEYS.values() if code not in VK_TO_EVDEV}
    assert unknown <= set(range(0x7C, 0x88))  # F13 to F24: hosts may know them
    assert (virtual_key(A_KEY), virtual_key(39), virtual_key(SHIFT), virtual_key(82)) == (
        0x41,
        0x30,
        0xA0,
        0x26,
    )
    assert virtual_key(500) is None


def test_a_key_goes_down_once_and_up_once():
    capture = capture_of()
    assert capture.key(A_KEY, pressed=True) == [KeyEdge(0x41, pressed=True)]
    assert capture.key(A_KEY, pressed=True) == []
    assert capture.key(A_KEY, pressed=False) == [KeyEdge(0x41, pressed=False)]
    assert capture.key(A_KEY, pressed=False) == []


def test_what_is_held_is_released_together():
    capture = capture_of()
    capture.key(A_KEY, pressed=True)
    capture.button(MouseButton.RIGHT, pressed=True)
    capture.finger(7, TouchPhase.DOWN, 0, 60)
    assert capture.release_all() == [
        KeyEdge(0x41, pressed=False),
        TouchPoint(TouchPhase.UP, 7, 0, 0, 1920, 1080),
        ButtonEdge(MouseButton.RIGHT, pressed=False),
    ]
    assert capture.release_all() == []
    assert capture.key(A_KEY, pressed=False) == []


def test_rights_are_kept():
    capture = capture_of(Abilities(ALL.caps, ALL.caps2, Grant.GAMEPAD))
    assert not capture.key(A_KEY, pressed=True)
    assert not capture.text("x")
    assert not capture.moved(1, 1)
    assert not capture.pointed(1, 1)
    assert not capture.wheel(0, 1)
    assert not capture.button(MouseButton.LEFT, pressed=True)
    assert not capture.finger(1, TouchPhase.DOWN, 0, 0)


def test_text_is_scalars_without_half_characters():
    assert capture_of().text("a\u00e9\U0001f600\r\n\0\ud800") == [
        TextScalar(ord(character)) for character in "a\u00e9\U0001f600\n"
    ]
    assert capture_of(Abilities()).text("a") == []


@pytest.mark.parametrize(
    ("window", "picture"),
    [((0, 60), (0, 0)), ((480, 330), (960, 540)), ((959.9, 599.9), (1919, 1079)), ((-5, 5000), (0, 1079))],
)
def test_pointer_positions_are_of_the_picture(window, picture):
    assert capture_of().pointed(*window) == [PointerPosition(*picture, 1920, 1080)]


def test_wheels_speak_the_newest_way_the_host_knows():
    step = capture_of().wheel(0.0, 0.25)[0]
    assert isinstance(step, ScrollStep)
    assert step.distance_q8 == 30 * 256
    old = capture_of(Abilities())
    assert old.wheel(-1.0, 0.0) == [WheelTurn(Axis.HORIZONTAL, -120)]
    turns = [old.wheel(0.0, 1 / 500) for _ in range(500)]
    assert sum(turn.amount for events in turns for turn in events) in {119, 120}


def test_fingers_become_a_pointer_for_older_hosts():
    capture = capture_of(Abilities())
    assert capture.finger(3, TouchPhase.DOWN, 480, 330) == [
        PointerPosition(960, 540, 1920, 1080),
        ButtonEdge(MouseButton.LEFT, pressed=True),
    ]
    assert capture.finger(4, TouchPhase.DOWN, 0, 60) == []
    assert capture.finger(3, TouchPhase.MOVE, 0, 60) == [PointerPosition(0, 0, 1920, 1080)]
    assert capture.finger(3, TouchPhase.UP, 0, 60)[-1] == ButtonEdge(MouseButton.LEFT, pressed=False)
    assert capture.finger(9, TouchPhase.UP, 0, 60) == []


def test_motion_is_joined_and_order_kept():
    click = ButtonEdge(MouseButton.LEFT, pressed=True)
    events = [PointerMove(1, 2), PointerMove(3, -5), click, PointerMove(1, 0)]
    assert merged(events) == [PointerMove(4, -3), click, PointerMove(1, 0)]
    positions = [PointerPosition(x, 0, 9, 9) for x in range(5)]
    assert merged(positions) == [positions[-1]]


_steps = st.one_of(
    st.tuples(st.just("key"), st.sampled_from([A_KEY, B_KEY, SHIFT]), st.booleans()),
    st.tuples(st.just("button"), st.sampled_from(list(MouseButton)), st.booleans()),
    st.tuples(st.just("finger"), st.integers(-5, 5), st.sampled_from(list(TouchPhase))),
    st.tuples(st.just("wheel"), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
    st.tuples(st.just("pointed"), st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)),
)


@given(steps=st.lists(_steps, max_size=40), modern=st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_happens_can_be_sent_and_nothing_sticks(steps, modern):
    capture = capture_of(ALL if modern else Abilities())
    sent = []
    for name, one, two in steps:
        if name in {"key", "button"}:
            sent += getattr(capture, name)(one, pressed=two)
        elif name == "finger":
            sent += capture.finger(one, two, 100, 100)
        else:
            sent += getattr(capture, name)(one, two)
    sent += capture.release_all()
    down = set()
    for event in sent:
        assert len(build_input(event)) == 18
        if isinstance(event, KeyEdge | ButtonEdge):
            key = (type(event), getattr(event, "virtual_key", None) or event.button)
            assert (key in down) != event.pressed
            (down.add if event.pressed else down.discard)(key)
        elif isinstance(event, TouchPoint):
            (down.discard if event.phase is TouchPhase.UP else down.add)(event.touch_id)
    assert not down


def test_commands_need_all_three_modifiers():
    scancodes = {letter: ord(letter) - ord("A") + A_KEY for letter in LETTERS}
    assert command_of(scancodes["Q"], ctrl=True, alt=True, shift=True) is Command.QUIT
    assert command_of(scancodes["Q"], ctrl=True, alt=False, shift=True) is None
    assert command_of(A_KEY, ctrl=True, alt=True, shift=True) is None
    assert len(set(LETTERS.values())) == len(Command)
    assert "Q quit" in help_line()


@given(st.tuples(*[st.integers(1, 8000)] * 2), st.tuples(*[st.integers(1, 8000)] * 2))
@settings(max_examples=60)
def test_the_picture_fits_in_the_middle_and_touches_two_edges(picture, window):
    box = fit(picture, window)
    assert 1 <= box.width <= window[0]
    assert 1 <= box.height <= window[1]
    assert box.width == window[0] or box.height == window[1]
    corner = into_picture(box.x + box.width, box.y + box.height, box, picture)
    assert corner == (picture[0] - 1, picture[1] - 1)


def snapshot_bank():
    bank = PadBank()
    bank.begin(HostCap.PAD_SNAPSHOTS, Grant.ALL)
    return bank


def test_a_pad_is_announced_then_told_whole_and_repeated():
    bank = snapshot_bank()
    plugged, first = bank.plugged(70, GamepadKind.DUALSENSE)
    assert plugged == PadPlugged(0, GamepadKind.DUALSENSE)
    (pressed,) = bank.button(70, 0x1000, pressed=True)
    (moved,) = bank.axis(70, PadAxisCode.LEFT_Y, 32767)
    assert bank.axis(70, PadAxisCode.LEFT_Y, 32767) == []
    assert [event.sequence for event in (first, pressed, moved)] == [1, 2, 3]
    assert (moved.buttons, moved.left_y) == (0x1000, 32767)
    ticks = [bank.tick(step * REFRESH_NS // 2) for step in range(8)]
    kinds = [[type(event) for event in events] for events in ticks if events]
    assert kinds == [[PadPlugged, PadSnapshot], [PadPlugged, PadSnapshot], [PadSnapshot], [PadSnapshot]]


def test_a_pad_that_went_is_said_three_times_and_its_slot_is_used_again():
    bank = snapshot_bank()
    bank.plugged(70, GamepadKind.AUTO)
    bank.plugged(71, GamepadKind.AUTO)
    (removal,) = bank.removed(70)
    repeats = [
        event for step in range(5) for event in bank.tick(step * REFRESH_NS) if isinstance(event, PadRemoval)
    ]
    assert [event.sequence for event in (removal, *repeats)] == [2, 3, 4]
    plugged, snapshot = bank.plugged(72, GamepadKind.AUTO)
    assert (plugged.pad, snapshot.sequence) == (0, 5)
    assert bank.slot_of(71) == 1
    assert bank.removed(999) == []


def test_older_hosts_get_single_buttons_and_axes():
    bank = PadBank()
    bank.begin(HostCap(0), Grant.ALL)
    assert bank.plugged(70, GamepadKind.AUTO) == []
    assert bank.button(70, 0x1000, pressed=True) == [PadButton(0, 0x1000, pressed=True)]
    assert bank.axis(70, PadAxisCode.RIGHT_TRIGGER, 200) == [PadAxis(0, PadAxisCode.RIGHT_TRIGGER, 200)]
    assert bank.tick(10**12) == []
    assert bank.removed(70)[0] == PadButton(0, 0x1000, pressed=False)


def test_a_new_session_hears_of_the_pads_that_are_there():
    bank = snapshot_bank()
    bank.plugged(70, GamepadKind.XBOX_ONE)
    bank.plugged(71, GamepadKind.AUTO)
    bank.removed(71)
    announced = bank.begin(HostCap.PAD_SNAPSHOTS, Grant.ALL)
    assert announced[0] == PadPlugged(0, GamepadKind.XBOX_ONE)
    assert len(announced) == 2
    assert bank.begin(HostCap.PAD_SNAPSHOTS, Grant.POINTER) == []


def test_only_sixteen_pads():
    bank = snapshot_bank()
    assert all(bank.plugged(handle, GamepadKind.AUTO) for handle in range(16))
    assert bank.plugged(16, GamepadKind.AUTO) == []


def test_of_many_snapshots_the_last_goes_out():
    bank = snapshot_bank()
    bank.plugged(70, GamepadKind.AUTO)
    events = [event for value in range(1, 9) for event in bank.axis(70, PadAxisCode.LEFT_X, value)]
    events += bank.button(70, 1, pressed=True)
    kept = only_last_snapshots(events)
    assert [(event.left_x, event.buttons) for event in kept] == [(8, 0), (8, 1)]


def test_sticks_point_up_and_triggers_have_eight_bits():
    assert axis_value(0, -32768) == (PadAxisCode.LEFT_X, -32768)
    assert axis_value(1, -32768) == (PadAxisCode.LEFT_Y, 32767)
    assert axis_value(3, 32767) == (PadAxisCode.RIGHT_Y, -32768)
    assert axis_value(4, 32767) == (PadAxisCode.LEFT_TRIGGER, 255)
    assert axis_value(5, -1) == (PadAxisCode.RIGHT_TRIGGER, 0)
    assert axis_value(6, 5) is None
    assert len(set(BUTTON_BITS)) == 21


def test_rumble_lasts_as_long_as_its_lease_and_old_orders_are_dropped():
    bank = RumbleBank()
    assert bank.order(0, (1, 2), sequence=5, lease_ms=400) == (1, 2, 0, 0, 400)
    assert bank.order(0, (9, 9), sequence=5, lease_ms=400) is None
    assert bank.order(0, (9, 9), sequence=4, lease_ms=400) is None
    assert bank.order(0, (9, 9), sequence=6, lease_ms=60_000).duration_ms == 5000
    assert bank.order(1, (1, 1)).duration_ms == 1000
    assert bank.order(1, (0, 0), sequence=200, lease_ms=400) == (0, 0, 0, 0, 0)
    assert bank.order(2, (0, 0), (5, 0), 1, 300) == (0, 0, 5, 0, 300)
    assert bank.silence() == [0, 2]
    assert bank.silence() == []


def test_a_size_is_asked_for_once_it_rests():
    watch = SizeWatch()
    watch.live((1280, 720))
    for step in range(10):
        watch.changed((1000 + step, 601), step * 50_000_000)
    assert watch.due(QUIET_NS) is None
    assert watch.deadline_ns() == 450_000_000 + QUIET_NS
    assert watch.due(450_000_000 + QUIET_NS) == (1008, 600)
    assert watch.due(10 * QUIET_NS) is None
    watch.changed((1280, 721), 20 * QUIET_NS)
    assert watch.due(22 * QUIET_NS) is None  # it is that size already
    watch.changed((1, 1), 30 * QUIET_NS)
    assert watch.due(32 * QUIET_NS) == (320, 200)
