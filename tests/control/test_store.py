"""State files: all or nothing, whatever happens, and never silently replaced."""

import contextlib
import json
import random
import signal
import subprocess
import sys

import pytest

from punktfunk.control.store import StateFile
from punktfunk.errors import ConfigError, EnvironmentProblem

WRITER = """
import sys
from pathlib import Path
from punktfunk.control.store import StateFile
file = StateFile(Path(sys.argv[1]), kind="numbers")
print("ready", flush=True)
number = 0
while True:
    number += 1
    file.save({"number": number, "filling": "x" * (number % 50) * 1000, "again": number})
"""


@pytest.fixture
def file(tmp_path):
    return StateFile(tmp_path / "numbers.json", kind="numbers")


def number(content):
    if content["number"] != content["again"]:
        raise ValueError("torn")
    return content["number"]


def test_round_trip_is_private(file):
    assert file.load(number) is None
    file.save({"number": 1, "again": 1})
    assert file.load(number) == 1
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.path.read_bytes())["format"] == 1
    assert [path.name for path in file.path.parent.iterdir()] == ["numbers.json"]


def test_survives_sigkill_at_any_moment(file):
    chance = random.Random(2)
    last = 0
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file.path)], stdout=subprocess.PIPE
        ) as writer:
            writer.stdout.readline()
            with contextlib.suppress(subprocess.TimeoutExpired):
                writer.wait(chance.uniform(0.001, 0.03))
            writer.send_signal(signal.SIGKILL)
        found = file.load(number)
        assert found is not None or last == 0
        last = found or 0
    assert last > 0
    assert [path.name for path in file.path.parent.iterdir()] == ["numbers.json"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"kind": "numbers"}',
        b'{"kind": "others", "format": 1}',
        b'{"kind": "numbers", "format": true, "number": 1, "again": 1}',
        b'{"kind": "numbers", "format": 0, "number": 1, "again": 1}',
        b'{"kind": "numbers", "format": 1, "number": 1, "again": 2}',
        b'{"kind": "numbers", "format": 1}',
        b"[" * 100_000,
    ],
)
def test_corrupt_is_set_aside_with_a_message(file, raw, caplog):
    for turn in (1, 2):
        file.path.write_bytes(raw)
        assert file.load(number) is None
        assert not file.path.exists()
        assert file.path.with_name(f"numbers.json.corrupt{turn}").read_bytes() == raw
    assert "set aside" in caplog.text


def test_older_is_migrated_and_kept(file, tmp_path):
    file.save({"value": 6})
    old = file.path.read_bytes()
    newer = StateFile(
        file.path,
        kind="numbers",
        format_number=3,
        migrations={
            1: lambda content: {"number": content["value"]},
            2: lambda content: {**content, "again": content["number"]},
        },
    )
    for _ in range(2):
        assert newer.load(number) == 6
    assert (tmp_path / "numbers.json.format1").read_bytes() == old
    assert (tmp_path / "numbers.json.format1").stat().st_mode & 0o777 == 0o600
    assert json.loads(file.path.read_bytes())["format"] == 3


def test_newer_is_refused_and_left_alone(file):
    StateFile(file.path, kind="numbers", format_number=9).save({"secret": 1})
    raw = file.path.read_bytes()
    with pytest.raises(ConfigError, match="has format 9") as caught:
        file.load(number)
    assert caught.value.hint
    assert file.path.read_bytes() == raw


def test_a_full_disk_leaves_the_old_file(file, monkeypatch):
    file.save({"number": 1, "again": 1})

    def refuse(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(EnvironmentProblem, match="No space left"):
        file.save({"number": 2, "again": 2})
    assert file.load(number) == 1
    assert [path.name for path in file.path.parent.iterdir()] == ["numbers.json"]


def test_an_unreadable_file_is_an_error(file):
    file.path.mkdir()
    with pytest.raises(EnvironmentProblem, match="Cannot read"):
        file.load(number)
