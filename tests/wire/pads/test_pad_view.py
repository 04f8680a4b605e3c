"""The state of a pad from a client's events: fingers keep their place, numbers stay in range."""

from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.wire.input import (
    BatteryState,
    ContactEvent,
    MotionKind,
    PadBattery,
    PadMotion,
    PadState,
    PadTouch,
)
from punktfunk.wire.pads.pad import AT_REST, HAT_VALUES, Button, PadView, hat, to_signed16

wild = st.integers(-(1 << 40), 1 << 40)
EVENTS = st.one_of(
    st.builds(PadState, st.just(0), st.just(1), st.integers(0, 2**32 - 1), wild, wild, wild, wild, wild, wild),
    st.builds(PadTouch, st.just(0), st.integers(0, 3), st.sampled_from(ContactEvent), st.integers(0, 4),
              st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    st.builds(PadMotion, st.just(0), st.sampled_from(MotionKind), *[st.floats(-1e9, 1e9)] * 3),
    st.builds(PadBattery, st.just(0), st.sampled_from(BatteryState), st.none() | st.integers(0, 100)),
)  # fmt: skip


def feed(view, event):
    match event:
        case PadState():
            view.set_state(event)
        case PadTouch():
            view.set_touch(event)
        case PadMotion():
            view.set_motion(event)
        case PadBattery():
            view.set_battery(event)


def touch(what, finger, x=0.5, y=0.5, surface=0):
    return PadTouch(0, surface, what, finger, x, y, 1.0)


def test_fingers_keep_their_slots():
    view = PadView()
    assert view.set_touch(touch(ContactEvent.DOWN, 7))
    assert view.set_touch(touch(ContactEvent.DOWN, 8, 0.1))
    assert not view.set_touch(touch(ContactEvent.DOWN, 9)), "a third finger has no place"
    assert view.set_touch(touch(ContactEvent.UP, 7))
    assert view.contacts[0] is None
    assert view.contacts[1].x == 0.1
    view.set_touch(touch(ContactEvent.DOWN, 9))
    assert view.contacts[0].number == 3, "a new touch has a new number"
    assert not view.set_touch(touch(ContactEvent.UP, 7)), "gone before"
    view.set_touch(touch(ContactEvent.CANCEL_ALL, 0))
    assert view.contacts == [None, None]


def test_two_touchpads_are_halves_of_one():
    view = PadView()
    view.set_touch(touch(ContactEvent.DOWN, 0, 1.0, surface=1))
    view.set_touch(touch(ContactEvent.DOWN, 0, 0.0, surface=2))
    assert [contact.x for contact in view.contacts] == [0.5, 0.5]


def test_hat_goes_round_and_opposites_cancel():
    assert hat(Button.UP | Button.RIGHT) == (1, -1)
    assert hat(Button.UP | Button.DOWN | Button.LEFT) == (-1, 0)
    assert sorted(HAT_VALUES.values()) == list(range(9))


def test_rest_lets_go_of_everything():
    view = PadView(buttons=0xFFFF, left_x=-5, rotation=(1.0, 2.0, 3.0), battery_percent=40)
    view.set_touch(touch(ContactEvent.DOWN, 1))
    view.rest()
    assert (view.buttons, view.left_x, view.rotation, view.acceleration) == (0, 0, (0.0, 0.0, 0.0), AT_REST)
    assert view.contacts == [None, None]
    assert view.battery_percent == 40


@settings(max_examples=40)
@given(st.lists(EVENTS, max_size=30))
def test_state_stays_in_range(events):
    view = PadView()
    for event in events:
        feed(view, event)
        sticks = (view.left_x, view.left_y, view.right_x, view.right_y)
        assert all(-32768 <= value <= 32767 for value in sticks)
        assert 0 <= view.left_trigger <= 255
        assert all(contact is None or 0 <= contact.number < 128 for contact in view.contacts)


@settings(max_examples=40)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_signed_16_bits(value):
    assert -32768 <= to_signed16(value) <= 32767
