"""Key and text events as evdev keys: modifiers that were not said, text, and release of everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.input.held_keys import HEX_CODES, HeldKeys
from punktfunk.control.input.host_layout import LayoutNames
from punktfunk.control.input.keymap import compile_names
from punktfunk.wire.input import Key, Modifiers

A, SHIFT, CTRL, ALT_GR, U, SPACE, ENTER = 30, 42, 29, 100, 22, 57, 28
VK_A, VK_SHIFT, VK_CTRL = 0x41, 0x10, 0x11


@pytest.fixture(scope="module")
def us():
    return compile_names(LayoutNames(layout="us"))


@pytest.fixture(scope="module")
def german():
    return compile_names(LayoutNames(layout="de"))


def keyboard(keymap=None):
    sent = []
    return HeldKeys(lambda code, pressed: sent.append((code, pressed)), keymap), sent


def tap(code):
    return [(code, True), (code, False)]


def test_a_key_goes_down_once_and_up_once():
    keys, sent = keyboard()
    for _ in range(3):
        assert keys.key(Key(VK_A, pressed=True))
    assert keys.key(Key(VK_A, pressed=False))
    assert keys.key(Key(VK_A, pressed=False))
    assert sent == tap(A)


def test_a_code_that_no_key_has():
    keys, sent = keyboard()
    assert not keys.key(Key(0x07, pressed=True))
    assert sent == []


def test_modifiers_that_the_client_did_not_press_are_pressed_for_the_moment():
    keys, sent = keyboard()
    keys.key(Key(VK_A, pressed=True, modifiers=Modifiers.SHIFT))
    assert sent == [(SHIFT, True), (A, True), (SHIFT, False)]
    assert keys.held == {A}


def test_text_by_the_keys_of_the_layout(us, german):
    keys, sent = keyboard(us)
    keys.text("aA\n")
    assert sent == [*tap(A), (SHIFT, True), *tap(A), (SHIFT, False), *tap(ENTER)]
    keys, sent = keyboard(german)
    keys.text("@")
    assert sent == [(ALT_GR, True), *tap(16), (ALT_GR, False)]


def test_what_the_layout_lacks_is_entered_by_number(us):
    keys, sent = keyboard(us)
    keys.text("€")
    digits = [event for digit in "20ac" for event in tap(HEX_CODES[digit])]
    assert sent == [(CTRL, True), (SHIFT, True), *tap(U), (SHIFT, False), (CTRL, False), *digits, *tap(SPACE)]


def test_held_modifiers_do_not_change_what_is_typed(us):
    keys, sent = keyboard(us)
    keys.key(Key(VK_CTRL, pressed=True))
    sent.clear()
    keys.text("a")
    assert sent == [(CTRL, False), *tap(A), (CTRL, True)]
    assert keys.held == {CTRL}


def test_keys_of_the_clients_own_layout(german):
    keys, sent = keyboard(german)
    keys.key(Key(ord("Z"), pressed=True, normalised=False))
    assert sent == [(21, True)], "Z is where a US keyboard has Y"


EVENTS = st.one_of(
    st.builds(
        Key,
        virtual_key=st.integers(0, 255),
        pressed=st.booleans(),
        modifiers=st.sampled_from(list(Modifiers)),
        normalised=st.booleans(),
    ),
    st.text(max_size=5),
)


@settings(max_examples=30, deadline=None)
@given(events=st.lists(EVENTS, max_size=20))
def test_whatever_came_everything_is_up_at_the_end(us, events):
    keys, sent = keyboard(us)
    down = set()
    for event in events:
        if isinstance(event, str):
            keys.text(event)
        else:
            keys.key(event)
    keys.release_all()
    for code, pressed in sent:
        assert pressed != (code in down), "said twice"
        down.symmetric_difference_update({code})
    assert down == set()
    assert keys.held == frozenset()
