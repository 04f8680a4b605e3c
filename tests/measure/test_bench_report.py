"""The table, the file and the picture that a benchmark leaves behind."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest

from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.measure import plot, report
from punktfunk.measure.paired import Row, paired, single


def rows() -> list[Row]:
    rounds = np.linspace(1, 1.2, 20)
    made = []
    for mode in ("avx2", "ssse3"):
        for shape, share in (("20:4", 0.7), ("200:40", 0.2)):
            row = paired(
                "fec", f"encode {shape}", "us", "memcpy", share * rounds, rounds + rounds.mean() * 0.01
            )
            made.append(replace(row, mode=mode, work_bytes=28160, floor=0.5 if mode == "avx2" else None))
    waits = np.random.default_rng(0).lognormal(2, 0.5, 300)
    slept = single("fec", "wake-up p50", "us", float(np.median(waits)), waits)
    return [*made, replace(slept, mode="avx2", floor=20.0, floor_on="ours")]


def test_the_table_has_every_row_under_its_mode_and_says_what_is_missed():
    text = report.table(rows())
    assert text.index("SIMD mode avx2") < text.index("encode 20:4") < text.index("SIMD mode ssse3")
    first, second = [line for line in text.splitlines() if line.startswith("encode")][:2]
    assert ">= 0.5 met" in first
    assert ">= 0.5 MISSED" in second
    assert "memcpy" in first
    assert "25.4" in first or "25.3" in first  # GB/s
    assert next(line for line in text.splitlines() if line.startswith("wake-up")).endswith("<= 20 met")


def test_columns_that_nobody_fills_are_left_out():
    text = report.table([single("idle", "CPU", "%", 0.5)])
    assert "floor" not in text
    assert "GB/s" not in text
    assert "CPU   0.50 %" in text


def test_the_summary_counts_floors_and_names_the_missed():
    text = report.summary(rows())
    assert text.splitlines() == ["floors: 2 of 3 met", "  avx2 encode 200:40: >= 0.5 MISSED"]
    assert report.summary([single("idle", "CPU", "%", 1)]) == ""


def test_table_and_summary_say_what_the_control_missed_too():
    late = replace(single("frame", "late frames", "", 2), floor=0.0, floor_on="ours", control=1.0)
    assert report.table([late]).endswith("<= 0 MISSED (control too)")
    assert report.summary([late]).endswith("late frames: <= 0 MISSED (control too)")
    assert report.table([replace(late, control=0.0)]).endswith("<= 0 MISSED")


def test_the_file_says_where_when_and_how_and_has_every_row(tmp_path):
    file = tmp_path / "new" / "rows.json"
    report.write_json(file, rows(), ["a note"])
    read = json.loads(file.read_text("utf-8"))
    assert set(read) == {"machine", "date", "command", "notes", "rows"}
    assert read["notes"] == ["a note"]
    assert "Linux" in read["machine"]
    assert len(read["rows"]) == 5
    first = read["rows"][0]
    assert (first["met"], first["judgement"]) == (True, "met")
    assert Row.from_json(first) == rows()[0]


def test_a_file_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "below"):
        with pytest.raises(EnvironmentProblem, match="cannot be written"):
            report.write_json(path, rows())


def test_the_picture_is_a_png_with_something_in_it(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    file = tmp_path / "new" / "rows.png"
    plot.check_plot(file)
    plot.plot(file, rows(), "a machine")
    assert file.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = image.imread(file)
    height, width = pixels.shape[:2]
    assert width > 800
    assert height > 500
    colours = {tuple(np.round(pixel * 255).astype(int)) for pixel in pixels[::2, ::2, :3].reshape(-1, 3)}
    for wanted in (plot._COLOURS[0], plot._COLOURS[1], plot._MISSED_COLOUR, plot._FLOOR_COLOUR):
        assert tuple(bytes.fromhex(wanted[1:])) in colours


def test_rows_that_cannot_be_drawn_are_said(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(EnvironmentProblem, match="drawn"):
        plot.plot(tmp_path / "x.png", [single("idle", "CPU", "%", 1)], "a machine")


def test_a_picture_that_cannot_be_written_is_said(tmp_path):
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        plot.plot(tmp_path / "file" / "x.png", rows(), "a machine")


def test_only_png_is_drawn(tmp_path):
    with pytest.raises(Misuse, match=r"rows\.svg"):
        plot.check_plot(tmp_path / "rows.svg")


def test_without_matplotlib_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(EnvironmentProblem, match="matplotlib is not installed") as raised:
        plot.check_plot(tmp_path / "rows.png")
    assert raised.value.hint == "pip install 'punktfunk[bench]'"
