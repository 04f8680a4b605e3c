"""Our injector against a real EIS server: libei on both sides, inside the Debian 13 tree."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import libei
import pytest
from gnome_session import inside, needs_gnome

import punktfunk

pytestmark = [pytest.mark.peer, pytest.mark.timeout(60), *needs_gnome]

A, B, SHIFT, ALT_GR, SZ, Q = 30, 48, 42, 100, 12, 16


def in_tree(*packages: Any) -> tempfile.TemporaryDirectory[str]:
    """A folder for PYTHONPATH in the tree: these packages alone, as others are of another Python."""
    folder = tempfile.TemporaryDirectory(prefix="tree-")
    for package in packages:
        place = Path(package.__file__).parent
        (Path(folder.name) / place.name).symlink_to(Path("/host") / place.relative_to("/"))
    return folder


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    script = Path(__file__).parent / "eis_double.py"
    with in_tree(punktfunk, libei) as path:
        done = subprocess.run(
            inside("python3", "-B", f"/host{script}"),
            env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def seen(results: dict[str, Any], case: str) -> dict[str, Any]:
    assert "failed" not in results[case], results[case]["failed"]
    return dict(results[case])


def tap(code: int) -> list[list[Any]]:
    return [["key", code, True], ["key", code, False]]


def test_every_kind_of_event_arrives_and_what_is_held_goes_up(results: dict[str, Any]) -> None:
    found = seen(results, "everything")
    fingers = {row[1]: number for number, row in enumerate([r for r in found["got"] if r[0] == "down"])}
    got = [
        [row[0], fingers[row[1]], *row[2:]] if row[0] in {"down", "slide", "up"} else row
        for row in found["got"]
    ]
    assert got == [
        ["move", 7.0, -4.0],
        ["to", 960.0, 540.0],
        ["to", 1919.0, 1079.0],
        ["button", 0x111, True],
        ["wheel", 0, 120],
        ["wheel", -15, -30],
        ["key", A, True],
        ["key", ALT_GR, True], *tap(Q), ["key", ALT_GR, False],
        *tap(SZ),
        ["down", 0, 960.0, 540.0],
        ["slide", 0, 480.0, 540.0],
        ["down", 1, 0.0, 0.0],
        ["up", 0],
        # and at the end
        ["key", A, False],
        ["button", 0x111, False],
        ["up", 1],
        ["gone"],
    ]  # fmt: skip
    assert found["unsupported"] == {"HapticsEnable": 1}


def test_parts_of_a_click_for_a_server_that_drops_them(results: dict[str, Any]) -> None:
    assert seen(results, "smooth")["got"] == [["wheel", 0, -240], ["smooth", 0.0, 5.0], ["gone"]]


def test_devices_that_the_server_takes_away_and_gives_anew(results: dict[str, Any]) -> None:
    found = seen(results, "devices_go_and_come")
    assert found["unsupported"] == {"Key": 1, "MouseMoveAbsolute": 1, "Touch": 1}
    assert found["got"] == [["to", 420.0, 290.0], ["key", B, True], ["key", B, False], ["gone"]]


def test_a_server_that_hangs_up(results: dict[str, Any]) -> None:
    assert seen(results, "server_hangs_up")["unsupported"] == {"Key": 1}


def test_a_server_that_offers_nothing_is_named(results: dict[str, Any]) -> None:
    assert "no device within" in seen(results, "nothing_offered")["refused"]


def test_without_libei_the_problem_names_the_package() -> None:
    """The host outside has none, or it has: either way nothing else happens."""
    code = (
        "from punktfunk.control.input.eis.sender import import_libei\n"
        "from punktfunk.errors import EnvironmentProblem\n"
        "try: import_libei()\n"
        "except EnvironmentProblem as problem: print(problem, problem.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "" or "libei" in done.stdout
