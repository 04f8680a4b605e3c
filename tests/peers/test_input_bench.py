"""The benchmark of input, for a few events: it measures what it says."""

import pytest
from sway_session import needs_sway

from punktfunk.measure.input_path import CASES, InputOptions, rows

pytestmark = [pytest.mark.peer, *needs_sway]


def test_each_case_is_measured():
    found = list(rows(InputOptions(events=4)))
    assert len(found) == 3 * len(CASES)
    assert all(0 < row.ours < 5000 for row in found)
    assert sum(row.floor is not None for row in found) == len(CASES)
