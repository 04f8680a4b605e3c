"""Variants that are right, wrong, crash and never return: each in a child, and none of it here."""

import subprocess
import sys
from pathlib import Path

import pytest
from lab_folder import lab_folder, write

from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.measure import lab
from punktfunk.realtime import find_variant, find_variants, is_checked, load_checked

NAMES = "context, data, data_stride, parity, parity_stride, data_count, parity_count, shard_bytes"
ASK = f"default_fec8(default_context({NAMES.replace('context,', 'context),', 1)})"
VARIANTS = f"""
from punktfunk.realtime.lab import default_context, default_fec8, fec8, store_word

print("a file may print", flush=True)

@fec8("right")
def right({NAMES}):
    return {ASK}

@fec8("far")
def far({NAMES}):
    code = {ASK}
    store_word(parity + (parity_count - 1) * parity_stride + shard_bytes - 7, 0)
    return code

@fec8("endless")
def endless({NAMES}):
    while data_count > 2:
        if parity_count < -1:
            return 1
    return {ASK}
"""


@pytest.fixture(scope="module")
def folder() -> Path:
    made = lab_folder("child")
    write(made, "several", VARIANTS)
    return made


def complaint(folder: Path, name: str, **options: float) -> str:
    with pytest.raises(ConfigError) as caught:
        lab.check(folder, "fec8", name, lambda _: None, **options)
    assert not is_checked(find_variant(folder, "fec8", name))
    return str(caught.value)


def test_what_is_right_passes_and_may_be_loaded(folder: Path) -> None:
    steps: list[str] = []
    found = find_variant(folder, "fec8", "right")
    count = lab.check(folder, "fec8", "right", steps.append)
    assert count == len(steps) - 1 > 20
    assert steps[0] == "loaded"
    assert is_checked(found)
    variant = load_checked(folder, "fec8", "right")
    assert (variant.name, variant.number) == ("right", found.number)
    assert load_checked(folder, "fec8", "right") is variant
    write(folder, "several", VARIANTS + "\n# edited")
    assert not any(map(is_checked, find_variants(folder)))
    with pytest.raises(EnvironmentProblem, match="has not passed its check as it is now") as caught:
        load_checked(folder, "fec8", "right")
    assert "punktfunk lab check fec8=right" in caught.value.hint
    write(folder, "several", VARIANTS)


def test_one_byte_too_far_crashes_the_child_only(folder: Path) -> None:
    assert "it crashed (SIGSEGV)" in complaint(folder, "far")


def test_an_endless_loop_is_stopped(folder: Path) -> None:
    assert "at 20:4 x 1408 bytes, rows 1408 bytes apart: it did not return within 1 s" in complaint(
        folder, "endless", step_s=1.0
    )


def test_a_child_that_ends_by_itself_is_told_from_one_that_is_done() -> None:
    folder = lab_folder("exits")
    write(
        folder,
        "odd",
        f"import os\nos._exit(7)\nfrom punktfunk.realtime.lab import fec8\n@fec8('odd')\ndef f({NAMES}):\n    return 0\n",
    )
    assert "its process ended with exit code 7" in complaint(folder, "odd")


def test_a_comparison_has_a_row_and_a_verdict_for_each_shape(folder: Path) -> None:
    rows = lab.compare(folder, "fec8", "right", ["20:4x64", "4:2x100"], 10, lambda _: None)
    assert [row.case for row in rows] == ["20:4x64", "4:2x100"]
    assert all(0.3 < row.ratio < 1.5 for row in rows if row.ratio)
    assert all(lab.judged(row) for row in rows)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "words"),
    [
        (1.25, 1.2, 1.3, "faster by 25.0 % (20.0 to 30.0)"),
        (0.5, 0.4, 0.8, "slower: takes 2.00 times as long (1.25 to 2.50)"),
        (1.01, 0.99, 1.02, "no difference shown (ratio 0.990 to 1.020)"),
    ],
)
def test_verdicts(ratio: float, low: float, high: float, words: str) -> None:
    row = lab.Row("lab fec8", "20:4x64", "us", 1.0, ratio, "default", ratio, low, high)
    assert lab.judged(row) == words


def test_a_live_comparison_pairs_neighbouring_turns() -> None:
    frames = [
        [number, 100_000 + 50_000 * (number == 300), 900_000, 5000 + turn]
        for turn in range(40)
        for number in [300 if turn % 2 else 0] * 5
    ]
    first, last = lab.live_rows("fec8", 300, frames)
    assert (first.baseline, first.ours, first.ratio) == (100, 150, pytest.approx(2 / 3))
    assert (last.ours, last.ratio) == (900, 1)
    assert "frames of 5020 and 5019 bytes" in first.case
    others = [[7, 1, 1, 1]] * 9
    assert lab.live_rows("fec8", 300, others + frames)[0].ratio == first.ratio
    with pytest.raises(ConfigError, match="too few to compare"):
        lab.live_rows("fec8", 300, frames[:50])


def test_a_host_compiles_nothing_of_what_was_checked(folder: Path) -> None:
    lab.check(folder, "fec8", "right", lambda _: None)
    script = (
        "import sys; from pathlib import Path; from numba.core import compiler\n"
        "def refuse(*_, **__): raise AssertionError('compiled')\n"
        "import punktfunk.realtime.lab\n"
        "compiler.CompilerBase.compile_extra = refuse\n"
        "from punktfunk.realtime import load_checked\n"
        "variant = load_checked(Path(sys.argv[1]), 'fec8', 'right')\n"
        "assert variant.address\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
