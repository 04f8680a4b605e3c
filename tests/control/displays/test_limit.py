"""One display too many is refused, and says for whom the others are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.displays.base import Region, refresh_note
from punktfunk.control.displays.limit import LimitedBackend
from punktfunk.control.displays.placing import beside
from punktfunk.control.displays.testcard import Testcard
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode

MODE = Mode(1280, 720, 60_000)


@pytest.mark.trio
async def test_the_limit_counts_displays_that_exist():
    backend = LimitedBackend(Testcard(), 2)
    assert (backend.name, (await backend.probe()).available) == ("testcard", True)
    async with backend.create(MODE, "laptop"), backend.create(MODE, "phone") as output:
        with pytest.raises(EnvironmentProblem, match="2 displays already, for laptop, phone") as refused:
            async with backend.create(MODE, "tv"):
                pass
        assert "display_limit" in refused.value.hint
        assert (await backend.change_mode(output, Mode(2, 2, 1000))).mode == Mode(2, 2, 1000)
    async with backend.create(MODE, "tv"):
        pass


@pytest.mark.parametrize(
    ("position", "corner"),
    [("right", (300, 50)), ("left", (-120, 0)), ("above", (100, -80)), ("below", (0, 200))],
)
def test_an_output_lies_beside_the_outermost(position, corner):
    others = [Region(0, 0, 100, 200), Region(100, 50, 200, 100), Region(100, 0, 50, 50)]
    if position == "above":
        others = [Region(0, 20, 100, 200), Region(100, 0, 200, 100)]
    assert beside(position, others, 120, 80) == corner
    assert beside(position, [], 120, 80) == (0, 0)


REGIONS = st.builds(
    Region, st.integers(-5000, 5000), st.integers(-5000, 5000), st.integers(1, 4000), st.integers(1, 4000)
)


@settings(max_examples=60)
@given(
    st.sampled_from(["right", "left", "above", "below"]),
    st.lists(REGIONS, min_size=1, max_size=5),
    st.integers(1, 8000),
    st.integers(1, 8000),
)
def test_an_output_lies_over_none(position, others, width, height):
    x, y = beside(position, others, width, height)
    for other in others:
        apart_x = x >= other.x + other.width or x + width <= other.x
        apart_y = y >= other.y + other.height or y + height <= other.y
        assert apart_x or apart_y


def test_only_a_refresh_that_was_not_had_is_told():
    assert refresh_note("mutter 48", MODE, Mode(1280, 720, 59_940)) == ()
    assert refresh_note("mutter 48", Mode(1280, 720, 144_000), MODE) == (
        "mutter 48 gives 60 Hz, not the 144 Hz that were asked for",
    )
