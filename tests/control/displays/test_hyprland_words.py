"""How wishes are worded for Hyprland, and how its answers are read: fuzzed."""

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.displays.hyprland.dialect import Hyprlang, Lua, Rule, check_name, quoted
from punktfunk.control.displays.hyprland.instances import parse_lock
from punktfunk.control.displays.hyprland.ipc import parse_monitors, parse_provider, parse_version
from punktfunk.control.displays.hyprland.layout import build_rule, parse_rule
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode


def test_each_language_words_the_same_wish():
    rule = Rule("punktfunk-1", Mode(1280, 720, 59940), "auto-left", 1.25)
    assert (
        Hyprlang().monitor(rule) == "keyword monitor punktfunk-1,1280x720@59.940,auto-left,1.25,transform,0"
    )
    assert Lua().monitor(rule) == (
        'eval hl.monitor({ output = "punktfunk-1", mode = "1280x720@59.940", position = "auto-left", '
        'scale = "1.25", transform = 0, bitdepth = 8, disabled = false })'
    )
    assert Hyprlang().monitor(replace(rule, mirror="DP-1")).endswith(",mirror,DP-1")
    assert Lua().monitor(replace(rule, mirror="DP-1")).endswith('disabled = false, mirror = "DP-1" })')
    assert Hyprlang().disable("DP-1") == "keyword monitor DP-1,disable"
    assert quoted('a"\\\n\u00e9') == r'"a\034\092\010\195\169"'


@pytest.mark.parametrize("name", ["", "a,b", "a b", 'a"', "a\nb", "x" * 200, "a;b"])
def test_a_name_that_is_more_than_a_name_is_refused(name):
    with pytest.raises(EnvironmentProblem, match="cannot be changed"):
        check_name(name)


MONITOR = {"name": "DP-1", "width": 1920, "height": 1080, "refreshRate": 59.95, "disabled": False}
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text('aé{}[]"\0,1x@', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*MONITOR, "scale", "x", "transform", "mirrorOf", "activeWorkspace", "version", "tag", "configProvider"]), inner, max_size=6),
    max_leaves=12,
)  # fmt: skip


ALTERED = st.builds(
    lambda fields: json.dumps([{**MONITOR, **fields}]).encode(),
    st.dictionaries(st.sampled_from([*MONITOR, "scale", "x", "transform", "mirrorOf"]), JSON, max_size=3),
)


@pytest.mark.parametrize("parse", [parse_monitors, parse_version, parse_provider, parse_lock])
@settings(max_examples=40)
@given(data=ALTERED | st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), JSON))
def test_any_bytes_are_read_or_refused(parse, data):
    with contextlib.suppress(RemoteProtocolError):
        parse(data)


@settings(max_examples=40)
@given(text=st.text('aé{}[]"\0,1x@', max_size=60) | st.builds(json.dumps, JSON))
def test_any_journalled_rule_is_read_or_refused(text):
    with contextlib.suppress(RemoteProtocolError):
        parse_rule("DP-1", text)


@given(
    width=st.integers(1, 8000), height=st.integers(1, 8000), refresh=st.integers(1, 500_000),
    x=st.integers(-9999, 9999), y=st.integers(-9999, 9999), scale=st.floats(0.25, 8), transform=st.integers(0, 7), ten_bit=st.booleans(), mirror=st.sampled_from(["", "DP-2"]),
)  # fmt: skip
@settings(max_examples=30)
def test_a_rule_comes_back_from_the_journal(width, height, refresh, x, y, scale, transform, ten_bit, mirror):
    rule = Rule("DP-1", Mode(width, height, refresh), f"{x}x{y}", scale, transform, ten_bit, mirror)
    assert parse_rule("DP-1", build_rule(rule)) == rule
