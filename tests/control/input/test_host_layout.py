"""The layout of the machine, wherever its distribution wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.control.input.host_layout import (
    LayoutNames,
    parse_assignments,
    parse_xorg,
    read_host_layout,
)

DEBIAN = 'XKBMODEL="pc105"\nXKBLAYOUT="de,us"\nXKBVARIANT="nodeadkeys,"\nXKBOPTIONS=""\nBACKSPACE="guess"\n'
LOCALECTL = """Section "InputClass"
        Identifier "system-keyboard"
        Option "XkbLayout" "fr"
        Option "XkbVariant" "oss"
EndSection
"""


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    monkeypatch.delenv("XKB_DEFAULT_LAYOUT", raising=False)


def test_files_of_distributions():
    assert parse_assignments(DEBIAN, "x") == LayoutNames("pc105", "de,us", "nodeadkeys,", "", "x")
    assert parse_xorg(LOCALECTL, "x") == LayoutNames("", "fr", "oss", "", "x")
    assert parse_assignments("KEYMAP=de-latin1\n", "x") is None


@given(st.text(max_size=200))
def test_garbage_names_no_layout_or_a_harmless_one(text):
    for names in (parse_assignments(text, "x"), parse_xorg(text, "x")):
        assert names is None or names.layout


def test_a_path_is_no_layout():
    assert parse_assignments('XKBLAYOUT="../../etc/passwd"', "x") is None


def test_order_of_sources(tmp_path, monkeypatch):
    assert read_host_layout(tmp_path) == LayoutNames()
    (tmp_path / "etc/default").mkdir(parents=True)
    (tmp_path / "etc/default/keyboard").write_text(DEBIAN)
    assert read_host_layout(tmp_path).origin == "/etc/default/keyboard"
    (tmp_path / "etc/X11/xorg.conf.d").mkdir(parents=True)
    (tmp_path / "etc/X11/xorg.conf.d/00-keyboard.conf").write_text(LOCALECTL)
    assert read_host_layout(tmp_path).layout == "fr"
    monkeypatch.setenv("XKB_DEFAULT_LAYOUT", "gb")
    assert read_host_layout(tmp_path).layout == "gb"
