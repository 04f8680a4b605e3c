"""Native input into our vocabulary and back: states, repetitions, old hosts, keys, pens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_input_writer import InputWriter, is_edge

from punktfunk.control.input.virtual_keys import evdev_code
from punktfunk.wire import input as vocabulary
from punktfunk.wire.input import ContactEvent, MotionKind, PadKind
from punktfunk.wire.native import input as native
from punktfunk.wire.native import rich_input as rich
from punktfunk.wire.native import vk
from punktfunk.wire.native.capabilities import GamepadKind, HostCap, HostCap2
from punktfunk.wire.native.datagrams import build_datagram, parse_datagram
from punktfunk.wire.native.input_reader import InputReader

ALL_CAPS = HostCap(0xFF), HostCap2(0xFF)
NEUTRAL = (0, 0, 0, 0, 0, 0, 0)
YES, NO = True, False


def carried(events, caps=ALL_CAPS):
    """What a host makes of events that a client sends."""
    writer, reader, came = InputWriter(*caps), InputReader(GamepadKind.XBOX_360), []
    for event in events:
        for message in writer.from_event(event):
            came += reader.to_events(parse_datagram(build_datagram(message)))
    return came


@pytest.mark.parametrize(
    "event",
    [
        vocabulary.Key(0x41, YES),
        vocabulary.Key(vk.KEYPAD_ENTER, NO),
        vocabulary.Text("€"),
        vocabulary.MouseMove(-12, 34),
        vocabulary.MouseMoveAbsolute(640, 360, 1280, 720),
        vocabulary.MouseClick(vocabulary.MouseButton.X2, YES),
        vocabulary.Wheel(vertical=-120),
        vocabulary.Wheel(horizontal=7),
        vocabulary.Touch(ContactEvent.DOWN, 2, 0.0, 1.0, 1.0, 0.0, 0.0, None),
        vocabulary.PadTouch(3, 0, ContactEvent.DOWN, 1, 0.0, 1.0, 0.0),
        vocabulary.PadTouch(3, 2, ContactEvent.DOWN, 1, 1.0, 0.0, 1.0),
        vocabulary.PadArrival(3, PadKind.NINTENDO, 0x32, 0x3FF7FF, vocabulary.PadModel.SWITCH_PRO),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_a_client_means_arrives(event):
    assert carried([event]) == [event]


def test_scrolling_toward_an_old_host():
    assert carried([vocabulary.Wheel(3, 4)], (HostCap(0), HostCap2(0))) == [
        vocabulary.Wheel(vertical=3),
        vocabulary.Wheel(horizontal=4),
    ]


@pytest.mark.parametrize(
    "event",
    [
        vocabulary.Text("a"),
        vocabulary.Touch(ContactEvent.DOWN, 2, 0.0, 1.0, 1.0, 0.0, 0.0, None),
        vocabulary.Pen(ContactEvent.DOWN, vocabulary.PenTool.PEN, 0, 0, 0, 0, 0, 0, None, None),
        vocabulary.HapticsEnable(YES),
        vocabulary.PadBattery(0, vocabulary.BatteryState.FULL, 100),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_a_host_cannot_take_is_not_sent(event):
    assert InputWriter(HostCap(0), HostCap2(0)).from_event(event) == []


def test_only_keys_are_edges():
    writer = InputWriter(*ALL_CAPS)
    (key,) = writer.from_event(vocabulary.Key(0x41, YES))
    (move,) = writer.from_event(vocabulary.MouseMove(1, 1))
    assert (is_edge(key), is_edge(move)) == (True, False)


# Keys


def test_tables_agree_with_the_injector_s():
    """A key that a client presses is the key that the host presses."""
    assert len(set(vk.VK_TO_EVDEV.values())) == len(vk.VK_TO_EVDEV)
    for virtual_key, evdev in vk.VK_TO_EVDEV.items():
        (event,) = InputReader().to_events(native.KeyEdge(virtual_key, YES))
        assert evdev_code(event.virtual_key) == evdev, hex(virtual_key)


def test_keys_without_side_and_keys_that_no_one_has():
    sides = [
        event.virtual_key
        for code in (0x10, 0x11, 0x12)
        for event in InputReader().to_events(native.KeyEdge(code, YES))
    ]
    assert [evdev_code(code) for code in sides] == [42, 29, 56]
    assert InputReader().to_events(native.KeyEdge(0x141, YES)) == []


def test_some_rows_of_the_table():
    assert [vk.VK_TO_EVDEV[code] for code in (0x30, 0x31, 0x39, 0x41, 0x5A, 0x60, 0x69, 0x6C)] == [
        *(11, 2, 10, 30, 44, 82, 73, 96)
    ]
    assert [vk.VK_TO_EVDEV[code] for code in (0x70, 0x79, 0x7A, 0x7B, 0xC2, 0xE1, 0xF2)] == [
        *(59, 68, 87, 88, 121, 124, 93)
    ]


# Pads


def snapshot(pad, sequence, buttons=0):
    return native.PadSnapshot(pad, sequence, buttons, *NEUTRAL[1:])


def test_snapshots_are_states():
    reader = InputReader(GamepadKind.DUALSENSE)
    arrival = vocabulary.PadArrival(2, PadKind.PLAYSTATION, 0xBB, 0x3FF7FF, vocabulary.PadModel.DUALSENSE)
    pressed = vocabulary.PadState(2, 0b100, 0x1000, *NEUTRAL[1:])
    assert reader.to_events(snapshot(2, 250, 0x1000)) == [arrival, pressed]
    assert reader.to_events(snapshot(2, 251, 0x1000)) == [], "nothing new"
    assert reader.to_events(snapshot(2, 249)) == [], "an old one"
    assert reader.to_events(snapshot(2, 3)) == [vocabulary.PadState(2, 0b100, 0, *NEUTRAL[1:])]


def test_removal_cannot_be_undone_by_an_older_snapshot():
    reader = InputReader()
    reader.to_events(native.PadPlugged(0, GamepadKind.STEAM_DECK))
    reader.to_events(snapshot(0, 1, 1))
    assert reader.to_events(native.PadRemoval(0, 3)) == [vocabulary.PadState(0, 0, 0, *NEUTRAL[1:])]
    assert reader.to_events(snapshot(0, 2, 1)) == []
    assert reader.to_events(native.PadRemoval(0, 4)) == []
    assert reader.to_events(native.PadPlugged(0, GamepadKind.XBOX_ONE)) == [
        vocabulary.PadArrival(0, PadKind.XBOX, 0x03, 0x3FF7FF, vocabulary.PadModel.XBOX_ONE)
    ]


def test_arrivals_are_told_once():
    reader = InputReader()
    first = native.PadPlugged(1, GamepadKind.AUTO)
    assert reader.to_events(first) == [vocabulary.PadArrival(1, PadKind.UNKNOWN, 0, 0x3FF7FF)]
    assert reader.to_events(first) == []


def test_single_buttons_and_axes_fold():
    reader = InputReader()
    reader.to_events(native.PadButton(0, 0x1000, YES))
    assert reader.to_events(native.PadButton(0, 0x1000, YES)) == []
    (state,) = reader.to_events(native.PadAxis(0, native.PadAxisCode.LEFT_TRIGGER, 999))
    assert (state.buttons, state.left_trigger) == (0x1000, 255)
    (state,) = reader.to_events(native.PadAxis(0, native.PadAxisCode.RIGHT_Y, -99_999))
    assert state.right_y == -32768
    (state,) = reader.to_events(native.PadButton(0, 0x1000, NO))
    assert state.buttons == 0


def test_writer_repeats_what_may_be_lost():
    writer = InputWriter(*ALL_CAPS)
    state = vocabulary.PadState(1, 0b10, 5, *NEUTRAL[1:])
    assert writer.repeat() == []
    assert writer.from_event(vocabulary.PadArrival(1, PadKind.XBOX, 0, 0)) == [
        native.PadPlugged(1, GamepadKind.XBOX_360)
    ]
    assert writer.from_event(state) == [snapshot(1, 1, 5)]
    plugged = native.PadPlugged(1, GamepadKind.XBOX_360)
    assert [writer.repeat() for _ in range(3)] == [
        [plugged, snapshot(1, 2, 5)],
        [plugged, snapshot(1, 3, 5)],
        [snapshot(1, 4, 5)],
    ]
    gone = vocabulary.PadState(1, 0, 0, *NEUTRAL[1:])
    assert writer.from_event(gone) == [native.PadRemoval(1, 5)]
    assert [writer.repeat() for _ in range(3)] == [[native.PadRemoval(1, 6)], [native.PadRemoval(1, 7)], []]
    assert writer.from_event(state) == [snapshot(1, 8, 5)], "the counter is never reset"


def test_writer_toward_a_host_without_snapshots():
    writer = InputWriter(HostCap(0), HostCap2(0))
    assert writer.from_event(vocabulary.PadArrival(0, PadKind.XBOX, 0, 0)) == []
    state = vocabulary.PadState(0, 1, 0x1001, 9, 0, -5, 0, 0, 0)
    assert writer.from_event(state) == [
        native.PadButton(0, 1, YES),
        native.PadButton(0, 0x1000, YES),
        native.PadAxis(0, native.PadAxisCode.LEFT_X, -5),
        native.PadAxis(0, native.PadAxisCode.LEFT_TRIGGER, 9),
    ]
    assert len(writer.from_event(vocabulary.PadState(0, 0, 0, *NEUTRAL[1:]))) == 4, "nothing stays pressed"
    assert writer.repeat() == []


def test_motion_goes_as_one():
    writer, reader = InputWriter(*ALL_CAPS), InputReader()
    assert writer.from_event(vocabulary.PadMotion(0, MotionKind.ACCELERATION, 0.0, 9.80665, 0.0)) == []
    (sample,) = writer.from_event(vocabulary.PadMotion(0, MotionKind.GYROSCOPE, 5.0, -10.0, 1e9))
    assert sample == rich.MotionSample(0, (100, -200, 32767), (0, 10_000, 0))
    turned, fell = reader.to_events(sample)
    assert (turned.kind, turned.x, turned.y) == (MotionKind.GYROSCOPE, 5.0, -10.0)
    assert fell == vocabulary.PadMotion(0, MotionKind.ACCELERATION, 0.0, pytest.approx(9.80665), 0.0)
    assert reader.to_events(rich.MotionSample(16, (0, 0, 0), (0, 0, 0))) == []


def test_touchpads_have_edges():
    reader = InputReader()
    down = rich.TouchpadContact(0, 1, YES, 0, 65535)
    up = rich.TouchpadContact(0, 1, NO, 0, 0)
    kinds = [[event.event for event in reader.to_events(one)] for one in (up, down, down, up, up)]
    assert kinds == [[], [ContactEvent.DOWN], [ContactEvent.MOVE], [ContactEvent.UP], []]
    assert reader.to_events(rich.TouchpadContact(16, 0, YES, 0, 0)) == []
    assert reader.to_events(rich.HidReport(0, b"\x01")) == []


def test_a_stranger_s_fingers_are_bounded():
    reader = InputReader()
    told = 0
    for number in range(4000):
        contact = rich.SurfaceContact(
            number % 16, number // 256, number % 256, rich.SurfaceState.TOUCH, 0, 0, 0
        )
        told += len(reader.to_events(contact))
    assert told == 256


def test_release_leaves_nothing():
    reader = InputReader()
    reader.to_events(snapshot(3, 1, 1))
    reader.to_events(rich.TouchpadContact(3, 0, YES, 0, 0))
    reader.to_events(rich.PenBatch.of(1, pen(rich.PenState.TOUCHING)))
    kinds = [type(event) for event in reader.release()]
    assert kinds == [vocabulary.Pen, vocabulary.Pen, vocabulary.PadTouch, vocabulary.PadState]
    assert reader.release() == []


# Scrolling


def test_fractions_of_a_click_are_carried():
    reader = InputReader()
    step = native.ScrollStep(native.Axis.VERTICAL, 100, native.ScrollSource.FINGER, native.ScrollPhase.UPDATE)
    amounts = [event.vertical for _ in range(64) for event in reader.to_events(step)]
    assert sum(amounts) == 64 * 100 * 2 // 256
    assert set(amounts) == {1}
    wheel = native.ScrollStep(
        native.Axis.HORIZONTAL, -120 * 256, native.ScrollSource.WHEEL, native.ScrollPhase.NONE
    )
    assert reader.to_events(wheel) == [vocabulary.Wheel(horizontal=-120)]


def test_a_gesture_s_end_forgets_its_fraction():
    reader = InputReader()
    axis, source = native.Axis.VERTICAL, native.ScrollSource.TOUCH
    assert reader.to_events(native.ScrollStep(axis, 127, source, native.ScrollPhase.UPDATE)) == []
    assert reader.to_events(native.ScrollStep(axis, 0, source, native.ScrollPhase.END)) == []
    assert reader.to_events(native.ScrollStep(axis, 127, source, native.ScrollPhase.BEGIN)) == []
    assert reader.to_events(native.WheelTurn(axis, 0)) == []


# Positions


def test_positions_stay_on_their_plane():
    reader = InputReader()
    (event,) = reader.to_events(native.PointerPosition(-5, 999, 100, 100))
    assert (event.x, event.y) == (0, 100)
    (event,) = reader.to_events(native.TouchPoint(native.TouchPhase.MOVE, 1, -5, 999, 100, 100))
    assert (event.x, event.y) == (0.0, 1.0)
    (message,) = InputWriter(*ALL_CAPS).from_event(vocabulary.MouseMoveAbsolute(50_000, 1, 100_000, 2))
    assert message == native.PointerPosition(0x7FFF, 0x7FFF, 0xFFFF, 0xFFFF)


def test_a_cancelled_touch_lifts_every_finger():
    writer = InputWriter(*ALL_CAPS)
    for number in (5, 3):
        writer.from_event(vocabulary.Touch(ContactEvent.DOWN, number, 0.5, 0.5, 1.0, 0.0, 0.0, None))
    cancel = vocabulary.Touch(ContactEvent.CANCEL_ALL, 0, 0.0, 0.0, 0.0, 0.0, 0.0, None)
    assert [message.touch_id for message in writer.from_event(cancel)] == [3, 5]
    assert writer.from_event(cancel) == []


# Pens


def pen(state, tool=rich.PenEnd.PEN, **changed):
    return rich.PenSample(rich.PenState(state), tool, 0.5, 0.25, 32768, **changed)


def strokes(*samples):
    reader = InputReader()
    return [
        (event.event.name, event.tool.name)
        for number, sample in enumerate(samples)
        for event in reader.to_events(rich.PenBatch.of(number, sample))
    ]


def test_a_stroke():
    hover, touch, away = pen(1), pen(3), pen(0)
    assert strokes(hover, touch, touch, hover, away, away) == [
        ("HOVER", "PEN"),
        ("DOWN", "PEN"),
        ("MOVE", "PEN"),
        ("UP", "PEN"),
        ("HOVER", "PEN"),
        ("HOVER_LEAVE", "PEN"),
    ]
    assert strokes(touch, away) == [("DOWN", "PEN"), ("UP", "PEN"), ("HOVER_LEAVE", "PEN")]


def test_a_changed_tool_comes_in_again():
    assert strokes(pen(3), pen(3, rich.PenEnd.ERASER), pen(3, rich.PenEnd.KEEP)) == [
        ("DOWN", "PEN"),
        ("UP", "PEN"),
        ("HOVER_LEAVE", "PEN"),
        ("DOWN", "ERASER"),
        ("MOVE", "ERASER"),
    ]


def test_old_batches_and_predictions_are_skipped():
    reader = InputReader()
    assert len(reader.to_events(rich.PenBatch.of(5, pen(1)))) == 1
    assert reader.to_events(rich.PenBatch.of(5, pen(3))) == []
    assert reader.to_events(rich.PenBatch.of(0xFFFF, pen(3))) == []
    assert reader.to_events(rich.PenBatch.of(6, pen(0x83))) == []
    assert len(reader.to_events(rich.PenBatch.of(7, pen(1)))) == 1


def test_a_silent_pen_is_let_go():
    reader = InputReader()
    assert reader.deadline_ns is None
    reader.to_events(rich.PenBatch.of(1, pen(3)), now_ns=1000)
    assert reader.deadline_ns == 200_001_000
    assert reader.expire(200_000_999) == []
    assert [event.event for event in reader.expire(200_001_000)] == [
        ContactEvent.UP,
        ContactEvent.HOVER_LEAVE,
    ]
    assert reader.deadline_ns is None


def test_what_a_pen_says():
    reader = InputReader()
    sample = pen(3 | 4 | 8, tilt_degrees=30, azimuth_degrees=90)
    (event,) = reader.to_events(rich.PenBatch.of(1, sample))
    assert (event.buttons, event.tilt_degrees, event.rotation_degrees) == (3, 30, 90)
    assert event.pressure_or_distance == pytest.approx(0.5, abs=1e-4)
    (event,) = reader.to_events(rich.PenBatch.of(2, pen(3)))
    assert (event.tilt_degrees, event.rotation_degrees) == (None, None)
    writer = InputWriter(*ALL_CAPS)
    (batch,) = writer.from_event(event)
    assert batch.samples[0].state == rich.PenState.IN_RANGE | rich.PenState.TOUCHING
    assert batch.samples[0].pressure == pytest.approx(32768, abs=1)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0xC8, 0xCC), st.binary(min_size=17, max_size=60)), max_size=12))
def test_no_datagram_upsets_the_reader(datagrams):
    reader = InputReader()
    for tag, body in datagrams:
        message = parse_datagram(bytes((tag,)) + body)
        if message is not None:
            for event in reader.to_events(message):
                assert isinstance(event, vocabulary.InputEvent)
    reader.release()
