"""Where outputs go on a KWin desktop: nothing negative, nothing overlapping, whatever was there before."""

from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.displays.base import DisplayOptions, Region
from punktfunk.control.displays.kwin.arrange import OURS, Layout, Place, arranged, fits, parse_place
from punktfunk.plan import Mode

NAME = f"{OURS}-12345678"
places = st.builds(Place, st.integers(0, 9000), st.integers(0, 9000), st.booleans())
sizes = st.tuples(st.integers(1, 8000), st.integers(1, 8000))


@settings(max_examples=30)
@given(places)
def test_place_survives_the_journal(place):
    assert parse_place(str(place)) == place


@settings(max_examples=40)
@given(st.text(max_size=30))
def test_nonsense_is_no_place(text):
    found = parse_place(text)
    assert found is None or parse_place(str(found)) == found


@settings(max_examples=40)
@given(
    st.lists(st.tuples(places, sizes), max_size=4),
    sizes,
    st.sampled_from(["right", "left", "above", "below"]),
    st.sampled_from(["extend", "primary", "exclusive"]),
)
def test_ours_overlaps_nothing_and_no_place_is_negative(others, size, position, arrangement):
    names = [f"DP-{number}" for number in range(len(others))]
    before = Layout({name: place for name, (place, _) in zip(names, others, strict=True)}, tuple(names))
    regions = {
        name: Region(place.x, place.y, *extent) for name, (place, extent) in zip(names, others, strict=True)
    }
    regions[NAME] = Region(0, 0, *size)
    options = DisplayOptions(arrangement=arrangement, position=position)
    after = arranged(before, regions, NAME, options)
    ours = after.places[NAME]
    assert ours.is_enabled
    assert after.order.index(NAME) == (len(names) if arrangement == "extend" else 0)
    for name in names:
        place = after.places[name]
        assert place.is_enabled == (before.places[name].is_enabled and arrangement != "exclusive")
        if place.is_enabled:
            assert min(place.x, place.y) >= 0
            assert not overlap(ours, regions[NAME], place, regions[name])
    visible = [place for place in after.places.values() if place.is_enabled]
    assert (min(place.x for place in visible), min(place.y for place in visible)) == (0, 0)


def overlap(one, its, other, others):
    beside = one.x + its.width <= other.x or other.x + others.width <= one.x
    stacked = one.y + its.height <= other.y or other.y + others.height <= one.y
    return not (beside or stacked)


def test_a_second_display_of_ours_stays_on_in_an_exclusive_session():
    first = f"{OURS}-1"
    before = Layout(
        {"DP-1": Place(0, 0, is_enabled=True), first: Place(0, 0, is_enabled=True)}, ("DP-1", first)
    )
    regions = {name: Region(0, 0, 1920, 1080) for name in ("DP-1", first, NAME)}
    after = arranged(before, regions, NAME, DisplayOptions(arrangement="exclusive"))
    assert not after.places["DP-1"].is_enabled
    assert after.places[first].is_enabled
    assert (after.places[NAME].x, after.places[NAME].y) == (1920, 0)


def test_rounded_modes_fit():
    asked = Mode(1290, 2796, 120000)
    assert fits(Mode(1288, 2796, 119880), asked)
    assert not fits(Mode(1280, 2796, 120000), asked)
    assert not fits(Mode(1292, 2796, 120000), asked)
    assert not fits(Mode(1290, 2800, 120000), asked)
    assert not fits(Mode(1290, 2796, 60000), asked)
