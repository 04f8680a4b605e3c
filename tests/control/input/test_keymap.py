"""Keymaps: compiled by libxkbcommon, searched for characters, made for text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.control.input.host_layout import LayoutNames
from punktfunk.control.input.keyboard import TEXT_CODES
from punktfunk.control.input.keymap import Stroke, build_text_keymap, compile_names, compile_text, keysym_of
from punktfunk.errors import EnvironmentProblem

SHIFT, LOCK, NUM, LEVEL3 = 1, 2, 16, 128


@pytest.fixture(scope="module")
def german():
    return compile_names(LayoutNames(layout="de"))


def test_characters_of_a_layout(german):
    assert german.stroke("y") == Stroke(44, 0)
    assert german.stroke("Z") == Stroke(21, SHIFT)
    assert german.stroke("€") == Stroke(18, LEVEL3)
    assert german.stroke("\n") == Stroke(28, 0)
    assert german.stroke("日") is None


def test_modifiers_follow_the_keys(german):
    keymap = compile_names(LayoutNames(layout="us"))
    keymap.update(42, pressed=True)
    assert keymap.modifiers().depressed == SHIFT
    keymap.update(42, pressed=False)
    keymap.update(58, pressed=True)
    keymap.update(58, pressed=False)
    assert (keymap.modifiers().depressed, keymap.modifiers().locked) == (0, LOCK)


def test_text_survives_the_way_through_a_compositor(german):
    again = compile_text(german.text)
    assert again.stroke("ß") == german.stroke("ß")
    assert compile_text(b"xkb_keymap { nonsense };") is None


def test_unknown_layouts_are_named():
    with pytest.raises(EnvironmentProblem, match="no layout 'klingon'"):
        compile_names(LayoutNames(layout="klingon", origin="a test"))


@given(
    st.lists(
        st.characters(exclude_categories=["Cs", "Cc", "Cn"]).filter(lambda c: keysym_of(c) != 0),
        min_size=1,
        max_size=len(TEXT_CODES),
        unique=True,
    )
)
def test_keymaps_made_for_text_type_that_text(characters):
    keymap = compile_text(build_text_keymap(characters, TEXT_CODES))
    assert keymap is not None
    found = [keymap.stroke(character) for character in characters]
    assert found == [Stroke(code, 0) for code in TEXT_CODES[: len(characters)]]
