"""Keyboard and pointer say the right things in the right order: proxies that only write down."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.input.host_layout import LayoutNames
from punktfunk.control.input.keyboard import TEXT_CODES, Keyboard
from punktfunk.control.input.keymap import compile_names, compile_text
from punktfunk.control.input.pointer import Pointer
from punktfunk.wire.input import Key, Modifiers, MouseButton, MouseClick, MouseMove, MouseMoveAbsolute, Wheel

SHIFT, NUM = 1, 16


class Device:
    """Writes down every request, without time stamps."""

    def __init__(self):
        self.said = []

    def key(self, _time, code, state):
        self.said.append(("key", code, state))

    def modifiers(self, *state):
        self.said.append(("modifiers", *state))

    def keymap(self, _kind, handle, size):
        text = os.pread(handle, size, 0)
        assert text[-1:] == b"\0"
        self.map = compile_text(text[:-1])
        assert self.map is not None

    def __getattr__(self, name):
        timed = name in ("motion", "motion_absolute", "button", "axis", "axis_discrete")
        return lambda *values: self.said.append((name, *values[timed:]))


class Manager:
    """Hands out devices and remembers them."""

    def __init__(self):
        self.devices = []

    def create_virtual_keyboard(self, _seat):
        self.devices.append(Device())
        return self.devices[-1]

    def create_virtual_pointer_with_output(self, _seat, _output):
        return self.create_virtual_keyboard(_seat)


@pytest.fixture
def manager():
    return Manager()


@pytest.fixture
def keyboard(manager):
    made = Keyboard(manager, None, compile_names(LayoutNames(layout="us")))
    assert manager.devices[0].said == [("modifiers", 0, 0, NUM, 0)]  # keypad keys are digits from the start
    manager.devices[0].said.clear()
    return made


def press(keyboard, code, **fields):
    return keyboard.key(Key(code, pressed=True, **fields))


def release(keyboard, code, **fields):
    return keyboard.key(Key(code, pressed=False, **fields))


def test_shift_tells_its_modifier(keyboard, manager):
    press(keyboard, 0xA0)
    press(keyboard, 0x41)
    release(keyboard, 0x41)
    release(keyboard, 0xA0)
    assert manager.devices[0].said == [
        ("key", 42, 1),
        ("modifiers", SHIFT, 0, NUM, 0),
        ("key", 30, 1),
        ("key", 30, 0),
        ("key", 42, 0),
        ("modifiers", 0, 0, NUM, 0),
    ]


def test_repeats_and_strange_releases_say_nothing(keyboard, manager):
    press(keyboard, 0x41)
    press(keyboard, 0x41)
    release(keyboard, 0x42)
    assert manager.devices[0].said == [("key", 30, 1)]


def test_modifiers_that_came_only_as_flags_are_pressed_around_the_key(keyboard, manager):
    press(keyboard, 0x43, modifiers=Modifiers.CTRL)
    release(keyboard, 0x43, modifiers=Modifiers.CTRL)
    keys = [what for what in manager.devices[0].said if what[0] == "key"]
    assert keys == [("key", 29, 1), ("key", 46, 1), ("key", 29, 0), ("key", 46, 0)]


def test_a_held_modifier_is_not_pressed_again(keyboard, manager):
    press(keyboard, 0xA3)
    press(keyboard, 0x43, modifiers=Modifiers.CTRL)
    assert [what[1] for what in manager.devices[0].said if what[0] == "key"] == [97, 46]


def test_codes_of_the_clients_own_layout_mean_characters(manager):
    keyboard = Keyboard(manager, None, compile_names(LayoutNames(layout="de")))
    press(keyboard, 0x5A, normalised=False)
    press(keyboard, 0x5A, normalised=True)
    assert [what[1] for what in manager.devices[0].said if what[0] == "key"] == [21, 44]


def test_unknown_codes_are_refused(keyboard, manager):
    assert not press(keyboard, 0x07)
    assert manager.devices[0].said == []


def test_text_of_the_layout_overrides_what_is_held(keyboard, manager):
    press(keyboard, 0xA2)
    manager.devices[0].said.clear()
    keyboard.text("aB")
    assert manager.devices[0].said == [
        ("modifiers", 0, 0, 0, 0),
        ("key", 30, 1),
        ("key", 30, 0),
        ("modifiers", SHIFT, 0, 0, 0),
        ("key", 48, 1),
        ("key", 48, 0),
        ("modifiers", 4, 0, NUM, 0),
    ]
    assert len(manager.devices) == 1


def test_other_characters_get_keys_of_their_own(keyboard, manager):
    keyboard.text("日本日")
    first, second = TEXT_CODES[:2]
    text = manager.devices[1]
    assert [what for what in text.said if what[0] == "key"] == [
        ("key", code, state) for code in (first, second, first) for state in (1, 0)
    ]
    assert text.map.stroke("本").code == second


@settings(max_examples=10)
@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x4F00), max_size=200))
def test_more_characters_than_keys_start_over(text):
    manager = Manager()
    keyboard = Keyboard(manager, None, compile_names(LayoutNames(layout="us")))
    typed = []
    if text:
        keyboard.text(text[0])
        device = manager.devices[1]
        device.said.clear()
        device.key = lambda _time, code, state: typed.append((device.map, code)) if state else None
        for character in text:
            keyboard.text(character)
            keymap, code = typed[-1]
            assert keymap.stroke(character).code == code
    assert len(typed) == len(text)


def test_release_all_leaves_nothing_held(keyboard, manager):
    for code in (0xA0, 0xA2, 0x41, 0x42):
        press(keyboard, code)
    manager.devices[0].said.clear()
    keyboard.release_all()
    released = {what[1] for what in manager.devices[0].said if what[0] == "key" and what[2] == 0}
    assert released == {42, 29, 30, 48}
    assert manager.devices[0].said[-1] == ("modifiers", 0, 0, NUM, 0) or keyboard._told.depressed == 0


@pytest.fixture
def pointer(manager):
    return Pointer(manager, None, None)


def test_motion_and_buttons(pointer, manager):
    pointer.move(MouseMove(5, -3))
    pointer.move_absolute(MouseMoveAbsolute(-4, 9999, 1280, 720))
    pointer.click(MouseClick(MouseButton.RIGHT, pressed=True))
    pointer.click(MouseClick(MouseButton.RIGHT, pressed=True))
    pointer.release_all()
    pointer.release_all()
    assert [what for what in manager.devices[0].said if what != ("frame",)] == [
        ("motion", 5.0, -3.0),
        ("motion_absolute", 0, 720, 1280, 720),
        ("button", 0x111, 1),
        ("button", 0x111, 0),
    ]


@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), max_size=30))
def test_wheel_loses_nothing(amounts):
    manager = Manager()
    pointer = Pointer(manager, None, None)
    for vertical, horizontal in amounts:
        pointer.wheel(Wheel(vertical, horizontal))
    for axis, total in ((0, -sum(v for v, _ in amounts)), (1, sum(h for _, h in amounts))):
        moved = [what for what in manager.devices[0].said if what[0].startswith("axis") and what[1] == axis]
        moved = [what for what in moved if what[0] != "axis_source"]
        assert sum(what[2] for what in moved) == pytest.approx(total / 8)
    clicks = [what for what in manager.devices[0].said if what[0] == "axis_discrete"]
    assert all(what[2] * what[3] > 0 for what in clicks)


def test_small_steps_add_up_to_clicks(pointer, manager):
    for _ in range(8):
        pointer.wheel(Wheel(vertical=-30))
    assert [what[3] for what in manager.devices[0].said if what[0] == "axis_discrete"] == [1, 1]
