"""Variants that are wrong without crashing: what the check says of each. In this process, as they return."""

from pathlib import Path

import pytest
from lab_folder import lab_folder, write

from punktfunk.errors import ConfigError
from punktfunk.realtime import check_variant, find_variant, is_checked

NAMES = "context, data, data_stride, parity, parity_stride, data_count, parity_count, shard_bytes"
ASK = f"default_fec8(default_context({NAMES.replace('context,', 'context),', 1)})"
VARIANTS = f"""
from punktfunk.realtime.lab import UNSUPPORTED_SHAPE, default_context, default_fec8, fec8, rows_at, store_word

@fec8("right")
def right({NAMES}):
    return {ASK}

@fec8("wrong")
def wrong({NAMES}):
    code = {ASK}
    if parity_count > 2:
        rows_at(parity, parity_count, parity_stride)[2, shard_bytes // 2] ^= 1
    return code

@fec8("lazy")
def lazy({NAMES}):
    return {ASK} if data_count < 50 else UNSUPPORTED_SHAPE

@fec8("greedy")
def greedy({NAMES}):
    rows_at(data, data_count, data_stride)[0, 0] ^= 1
    return {ASK}

@fec8("sloppy")
def sloppy({NAMES}):
    code = {ASK}
    if parity_stride > shard_bytes and parity_count > 1:
        rows_at(parity, parity_count, parity_stride)[0, shard_bytes] ^= 1
    return code

"""


@pytest.fixture(scope="module")
def folder() -> Path:
    made = lab_folder("checking")
    write(made, "several", VARIANTS)
    return made


def complaint(folder: Path, name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        list(check_variant(folder, "fec8", name, 1))
    assert not is_checked(find_variant(folder, "fec8", name))
    return str(caught.value)


def test_what_is_wrong_is_refused_with_the_first_row_and_byte(folder: Path) -> None:
    assert "parity row 2, byte 8: " in complaint(folder, "wrong")
    assert "answered -1006 (UNSUPPORTED_SHAPE) instead of 0" in complaint(folder, "lazy")
    assert "it wrote to the data, first at row 0, byte 0" in complaint(folder, "greedy")
    assert "it wrote between parity rows, first at row 0, byte 17" in complaint(folder, "sloppy")


def test_what_is_right_passes(folder: Path) -> None:
    assert len(list(check_variant(folder, "fec8", "right", 2))) > 20
    assert is_checked(find_variant(folder, "fec8", "right"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@fec8('odd')\ndef f(context, data): return 0", "takes 2 arguments; a fec8 variant takes 8"),
        (f"@fec8('odd')\ndef f({NAMES}): return nothing_such", "nothing_such"),
        (f"@fec8('odd')\ndef f({NAMES}): return 0\n1 / 0", "division by zero"),
    ],
    ids=["arguments", "name", "raises"],
)
def test_a_file_that_cannot_be_loaded_says_why(text: str, words: str) -> None:
    folder = lab_folder("odd")
    write(folder, "odd", f"from punktfunk.realtime.lab import fec8\n{text}\n")
    with pytest.raises(Exception, match=words):
        list(check_variant(folder, "fec8", "odd", 1))
