"""Our input into a gamescope, by libei on both sides, inside the Debian 13 tree."""

import json
import os
import subprocess
from pathlib import Path

import libei
import pytest
from gnome_session import inside, needs_gnome
from test_eis_peer import in_tree

import punktfunk

pytestmark = [pytest.mark.peer, pytest.mark.timeout(60), *needs_gnome]


def test_places_are_pixels_of_the_games_and_all_goes_up_at_the_end():
    script = Path(__file__).parent / "gamescope_eis.py"
    with in_tree(punktfunk, libei) as path:
        done = subprocess.run(
            inside("python3", "-B", f"/host{script}"),
            env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    places = [tuple(round(value, 2) for value in row[1:]) for row in found["got"] if row[0] == "to"]
    # 1280x800 in 1920x1080: 1728 columns wide, 96 of bars on either side.
    assert places == [(640.0, 400.0), (0.0, 0.0), (0.0, 800.0)]
    assert [row for row in found["got"] if row[0] != "to"] == [
        ["move", 3.0, -2.0],
        ["button", 0x110, True],
        ["wheel", 0, 120],
        ["key", 30, True],
        ["key", 30, False],
        ["button", 0x110, False],
        ["gone"],
    ]
    assert found["unsupported"] == {"Touch": 1}
