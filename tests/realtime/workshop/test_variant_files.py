import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import ConfigError, EnvironmentProblem, Misuse
from punktfunk.realtime.variants import FIRST_OWN_NUMBER, own_number, unpack_numbers
from punktfunk.realtime.workshop import files
from punktfunk.realtime.workshop.files import check_name, find_variant, find_variants

ENCODE = (
    "def encode(context, data, data_stride, parity, parity_stride, data_count, parity_count, shard_bytes):\n"
)
FEC8 = f"from punktfunk.realtime.lab import fec8\n@fec8('one')\n{ENCODE}    '''First.\n\n    Second.'''\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "lab"
    made.mkdir(mode=0o700)
    return made


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def names(folder: Path) -> list[tuple[str, str]]:
    return [(found.kind, found.name) for found in find_variants(folder)]


def test_variants_are_found_without_running_their_files(folder: Path) -> None:
    write(folder, "a.py", f"{FEC8}raise SystemExit\n")
    write(
        folder,
        "b.py",
        "from punktfunk.realtime import lab as l\n@l.pace('two', prepare=list)\ndef f(): ...\n",
    )
    write(
        folder,
        "c.py",
        "from punktfunk.realtime.lab import seal as s\n@s('three')\ndef f(): ...\n@s\ndef g(): ...\n",
    )
    write(folder, "d.py", "from somewhere import fec8\n@fec8('other')\ndef f(): ...\n")
    write(folder, "e.txt", "no Python")
    assert names(folder) == [("fec8", "one"), ("pace", "two"), ("seal", "three")]
    first = find_variant(folder, "fec8", "one")
    assert (first.source.path.name, first.line, first.summary) == ("a.py", 3, "First.")
    assert names(folder / "nothing") == []


def test_a_name_that_is_taken_or_not_there_or_none(folder: Path) -> None:
    write(folder, "a.py", FEC8)
    with pytest.raises(Misuse, match="declares no pace variant 'one'") as caught:
        find_variant(folder, "pace", "one")
    assert "fec8=one" in caught.value.hint
    with pytest.raises(Misuse, match="no kind"):
        find_variant(folder, "fec", "one")
    write(folder, "b.py", FEC8)
    with pytest.raises(ConfigError, match=r"declared twice: a\.py:3 and b\.py:3"):
        find_variants(folder)
    write(folder, "b.py", "from punktfunk.realtime.lab import fec8\n@fec8('One!')\ndef f(): ...\n")
    with pytest.raises(Misuse, match="no name"):
        find_variants(folder)
    write(folder, "b.py", "def (")
    with pytest.raises(ConfigError, match="no Python"):
        find_variants(folder)


@pytest.mark.parametrize("name", ["", "default", "A", "1a", "a/b", "../a", "a" * 33, "a b", "ä", "a\n"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(Misuse):
        check_name(name)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_read(folder: Path, mode: int) -> None:
    write(folder, "a.py", FEC8).chmod(mode)
    with pytest.raises(EnvironmentProblem, match="others can write to it"):
        find_variants(folder)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_may_write_is_not_read(folder: Path, mode: int) -> None:
    write(folder, "a.py", FEC8)
    folder.chmod(mode)
    with pytest.raises(EnvironmentProblem, match="others can write to it"):
        find_variants(folder)


def test_a_folder_that_others_can_replace_is_not_read(folder: Path) -> None:
    write(folder, "a.py", FEC8)
    folder.parent.chmod(0o777)
    with pytest.raises(EnvironmentProblem, match="others can replace its parent"):
        find_variants(folder)
    folder.parent.chmod(0o1777)
    assert names(folder) == [("fec8", "one")]


def test_what_belongs_to_another_user_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "a.py", FEC8)
    monkeypatch.setattr(files.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(EnvironmentProblem, match="it belongs to user"):
        find_variants(folder)


def test_links_pipes_and_huge_files_are_not_read(folder: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "elsewhere.py", FEC8)
    (folder / "a.py").symlink_to(path)
    with pytest.raises(EnvironmentProblem, match="cannot read"):
        find_variants(folder)
    (folder / "a.py").unlink()
    os.mkfifo(folder / "a.py", 0o600)
    with pytest.raises(EnvironmentProblem, match="no file of at most"):
        find_variants(folder)
    (folder / "a.py").unlink()
    write(folder, "a.py", "#" * (files.LARGEST_BYTES + 1))
    with pytest.raises(EnvironmentProblem, match="no file of at most"):
        find_variants(folder)


@settings(max_examples=40)
@given(st.binary(max_size=9))
def test_numbers_fit_the_log_and_follow_from_the_source(source: bytes) -> None:
    numbers = {own_number(kind, name, source) for kind in ("fec8", "seal") for name in ("a", "b")}
    assert all(FIRST_OWN_NUMBER <= number < 1 << 16 for number in numbers)
    assert own_number("fec8", "a", source) == own_number("fec8", "a", source)
    assert own_number("fec8", "a", source + b"#") not in numbers


@settings(max_examples=40)
@given(st.tuples(*[st.integers(0, 0xFFFF)] * 3))
def test_numbers_come_out_of_the_log_as_they_went_in(numbers: tuple[int, int, int]) -> None:
    fec, seal, pace = numbers
    assert unpack_numbers(fec | seal << 16 | pace << 32) == {"fec": fec, "seal": seal, "pace": pace}
