"""What ``bench session`` is made of: what it makes of a client's rows. Its processes are started by hand."""

import numpy as np
import pytest

from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.measure import session, session_ends, session_units
from punktfunk.measure.options import SessionOptions

INTERVAL_NS = 1e9 / 120


def rows_of(count, *, late_ns=0, whole_ns=300_000, without=()):
    """Frames of an even stream, every tenth of them taken late."""
    rows = []
    for index in range(count):
        captured_ns = round(10**12 + index * INTERVAL_NS) + (late_ns if index % 10 == 5 else 0)
        rows.append([index, captured_ns, captured_ns + 100, captured_ns + whole_ns, 20_000])
    return [row for row in rows if row[0] not in without]


def test_ages_and_losses():
    frames = session.Frames(rows_of(100, late_ns=5_000_000, without={7, 50}))
    assert frames.lost == 2
    ticks_us = frames.tick_to_whole_us()
    assert np.isclose(np.median(ticks_us), 300, atol=1)
    assert np.isclose(ticks_us.max(), 5300, atol=1)


def test_frames_of_a_time():
    frames = session.Frames(rows_of(100), 10**12, round(10**12 + 50 * INTERVAL_NS))
    assert frames.index.tolist() == list(range(50))
    with pytest.raises(EnvironmentProblem):
        session.Frames(rows_of(3), 0, 10)


def test_floors_are_for_the_usual_amount():
    case = "capture to reassembled, 720p120: p50"
    assert session._row(SessionOptions(), case, "us", 700).met
    assert session._row(SessionOptions(), case, "us", 900, control=1000).judgement == "MISSED (control too)"
    assert session._row(SessionOptions(seconds=3), case, "us", 900).floor is None


def test_a_stream_beside_a_flood():
    parts = [session.Frames(rows_of(60)), session.Frames(rows_of(60, without={3}))]
    rows = {
        row.case: row.ours
        for row in session._beside(
            lambda *words, **_: session._row(SessionOptions(), *words), "x", parts, 1.0
        )
    }
    assert rows["720p120 beside x: frames lost"] == 1
    assert np.isclose(rows["720p120 beside x: frames that came, of 120 a second"], 100 * 119 / 120)


def test_units_are_kept(tmp_path):
    units = [b"one", b"", b"three"]
    session_units.write_units(tmp_path / "units", units)
    assert session_units.read_units(tmp_path / "units") == tuple(units)


def test_a_process_that_ends_early_is_told():
    words = ["sh", "-c", "echo first; echo why >&2; exit 3"]
    with session_ends.Process(words) as process, pytest.raises(EnvironmentProblem, match="first / why"):
        process.wait_for("ready")


@pytest.mark.parametrize("changes", [{"seconds": 1}, {"changes": 0}, {"series": 0}, {"flood_rounds": 101}])
def test_amounts_that_measure_nothing(changes):
    with pytest.raises(Misuse):
        SessionOptions(**changes).check()
