"""How GNOME's monitors are laid out: parsed, arranged, put back."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.mutter.desktop import returning
from punktfunk.control.displays.mutter.display_config import build_layout, parse_layout
from punktfunk.control.displays.mutter.monitors import (
    CAST_PRODUCT,
    Logical,
    Monitor,
    MonitorMode,
    State,
    arrange,
    build_config,
    parse_state,
    same_layout,
)
from punktfunk.errors import RemoteProtocolError


def mode_tuple(width, height, hertz=60.0, *, current=True, scales=(1.0, 2.0)):
    flags = {"is-current": ("b", True)} if current else {}
    return (f"{width}x{height}@{hertz}", width, height, hertz, 1.0, list(scales), flags)


def monitor_tuple(connector, *modes, product="P"):
    return ((connector, "ACME", product, "1"), list(modes), {})


def told(*monitors, logicals, serial=7, properties=None):
    return (serial, list(monitors), list(logicals), properties or {"layout-mode": ("u", 1)})


def logical_tuple(x, y, connector, *, scale=1.0, primary=False, transform=0):
    return (x, y, scale, transform, primary, [(connector, "ACME", "P", "1")], {})


LAPTOP = monitor_tuple("eDP-1", mode_tuple(1920, 1200))
DESK = monitor_tuple("DP-1", mode_tuple(2560, 1440), mode_tuple(1280, 720, current=False))
OURS = monitor_tuple("Meta-0", mode_tuple(1280, 800, scales=(1.0, 1.25, 2.0)), product=CAST_PRODUCT)
BEFORE = parse_state(
    told(
        LAPTOP, DESK, logicals=[logical_tuple(0, 240, "eDP-1", primary=True), logical_tuple(1920, 0, "DP-1")]
    )
)
AFTER = parse_state(
    told(
        LAPTOP,
        DESK,
        OURS,
        logicals=[
            logical_tuple(0, 240, "eDP-1", primary=True),
            logical_tuple(1920, 0, "DP-1"),
            logical_tuple(4480, 0, "Meta-0"),
        ],
        serial=8,
    )
)


def laid_out(**options):
    return {
        logical.connectors[0]: logical
        for logical in arrange(AFTER, ["Meta-0"], BEFORE.logicals, DisplayOptions(**options))
    }


def test_a_state_is_read():
    assert AFTER.serial == 8
    assert AFTER.monitor("Meta-0").virtual
    assert not AFTER.monitor("DP-1").virtual
    assert AFTER.monitor("DP-1").current.as_mode().width_px == 2560
    assert AFTER.region("eDP-1").y == 240


def test_turned_and_scaled_monitors_take_their_room():
    turned = parse_state(told(DESK, logicals=[logical_tuple(0, 0, "DP-1", scale=2.0, transform=1)]))
    assert (turned.region("DP-1").width, turned.region("DP-1").height) == (720, 1280)
    physical = parse_state(
        told(DESK, logicals=[logical_tuple(0, 0, "DP-1", scale=2.0)], properties={"layout-mode": ("u", 2)})
    )
    assert physical.region("DP-1").width == 2560


def test_extend_leaves_the_others_and_their_primary():
    found = laid_out()
    assert found["Meta-0"].x == 4480
    assert found["Meta-0"].y == 0
    assert found["eDP-1"].primary
    assert not found["Meta-0"].primary


@pytest.mark.parametrize(
    ("position", "place"),
    [("right", (4480, 0)), ("left", (0, 240)), ("below", (0, 1440)), ("above", (1920, 0))],
)
def test_it_goes_to_its_side(position, place):
    found = laid_out(position=position)
    assert (found["Meta-0"].x, found["Meta-0"].y) == place
    if position == "left":
        assert found["eDP-1"].x == 1280
    if position == "above":
        assert found["DP-1"].y == 800


def test_primary_takes_over_the_panel():
    found = laid_out(arrangement="primary")
    assert [name for name, logical in found.items() if logical.primary] == ["Meta-0"]
    assert set(found) == {"eDP-1", "DP-1", "Meta-0"}


def test_exclusive_turns_the_others_off_and_another_clients_display_not():
    assert set(laid_out(arrangement="exclusive")) == {"Meta-0"}
    two = parse_state(
        told(
            LAPTOP,
            OURS,
            monitor_tuple("Meta-1", mode_tuple(640, 480), product=CAST_PRODUCT),
            logicals=[logical_tuple(0, 0, "Meta-0", primary=True), logical_tuple(1280, 0, "Meta-1")],
        )
    )
    options = DisplayOptions(arrangement="exclusive")
    assert {row.connectors[0] for row in arrange(two, ["Meta-1"], BEFORE.logicals, options)} == {
        "Meta-0",
        "Meta-1",
    }


def test_the_nearest_scale_that_mutter_allows():
    assert laid_out(scale=1.3)["Meta-0"].scale == 1.25
    assert laid_out(scale=1.75)["Meta-0"].scale in {1.25, 2.0}


def test_what_was_there_comes_back_but_not_onto_monitors_that_are_gone():
    assert same_layout(returning(BEFORE.logicals)(replace(BEFORE, serial=9)), BEFORE.logicals)
    unplugged = parse_state(told(LAPTOP, logicals=[logical_tuple(0, 0, "eDP-1", primary=True)]))
    assert returning(BEFORE.logicals)(unplugged) == ()
    assert returning(BEFORE.logicals)(AFTER) == ()


def test_a_config_as_mutter_wants_it():
    (row,) = build_config([Logical(0, 0, 1.0, 0, primary=True, shown_by=(("DP-1", "m"),))])
    assert row == (0, 0, 1.0, 0, True, [("DP-1", "m", {})])


def test_a_layout_survives_the_journal():
    assert parse_layout(build_layout(AFTER.logicals)) == AFTER.logicals


SIZES = st.tuples(st.integers(320, 4000), st.integers(200, 3000))


@settings(max_examples=60)
@given(
    boxes=st.lists(SIZES, min_size=0, max_size=4),
    own=SIZES,
    position=st.sampled_from(["right", "left", "above", "below"]),
    arrangement=st.sampled_from(["extend", "primary", "exclusive"]),
)
def test_no_overlap_one_primary_and_a_desktop_that_begins_at_zero(boxes, own, position, arrangement):
    x, logicals, monitors = 0, [], []
    for number, (width, height) in enumerate(boxes):
        mode = MonitorMode("m", width, height, 60.0, 1.0, (1.0,), current=True)
        monitors.append(Monitor(f"DP-{number}", "ACME", "P", "1", (mode,)))
        logicals.append(Logical(x, 0, 1.0, 0, number == 0, ((f"DP-{number}", "m"),)))
        x += width
    mine = MonitorMode("m", *own, 60.0, 1.0, (1.0,), current=True)
    monitors.append(Monitor("Meta-0", "ACME", CAST_PRODUCT, "1", (mine,)))
    state = State(1, tuple(monitors), tuple(logicals), physical_layout=False)
    options = DisplayOptions(arrangement=arrangement, position=position)
    placed = arrange(state, ["Meta-0"], logicals, options)
    rectangles = [(row.x, row.y, *state.size(row)) for row in placed]
    assert sum(row.primary for row in placed) == 1
    assert min(row[0] for row in rectangles) == 0
    assert min(row[1] for row in rectangles) == 0
    for number, (ax, ay, aw, ah) in enumerate(rectangles):
        for bx, by, bw, bh in rectangles[number + 1 :]:
            assert ax + aw <= bx or bx + bw <= ax or ay + ah <= by or by + bh <= ay


def values(depth=3):
    leaf = st.one_of(st.integers(), st.text(max_size=4), st.floats(), st.booleans(), st.none())
    return st.recursive(
        leaf, lambda inner: st.one_of(st.lists(inner, max_size=7), st.dictionaries(st.text(max_size=3), inner)), max_leaves=20
    )  # fmt: skip


@settings(max_examples=60)
@given(st.lists(values(), max_size=5))
def test_nonsense_is_refused(body):
    with suppress(RemoteProtocolError):
        parse_state(body)


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_nonsense_in_the_journal_is_refused(text):
    with suppress(RemoteProtocolError):
        parse_layout(text)
