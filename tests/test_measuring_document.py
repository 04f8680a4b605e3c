"""Every command that docs/measuring.md shows has the flags that it shows."""

import re
from pathlib import Path

import pytest

from punktfunk import cli

TEXT = (Path(__file__).parents[1] / "docs" / "measuring.md").read_text("utf-8")
COMMANDS = sorted(set(re.findall(r"^    punktfunk (.+)$", TEXT, re.MULTILINE)))


@pytest.mark.parametrize("command", COMMANDS)
def test_its_flags_exist(command, capsys):
    verb, *words = command.split()
    with pytest.raises(SystemExit) as ended:
        cli.app(args=[verb, "--help"])
    assert ended.value.code == cli.DONE
    shown = capsys.readouterr().out
    for word in words:
        if word.startswith("--"):
            assert re.search(rf"{word}\b", shown), f"{verb} has no {word}"


def test_its_stages_are_those_of_the_code():
    from punktfunk.measure.flight.causes import STAGES

    for stage in STAGES:
        if stage != "host and network":
            assert f"| {stage} |" in TEXT


def test_its_format_is_that_of_the_code():
    from punktfunk.measure.network import recording

    assert recording.MAGIC.decode() in TEXT
    assert f"rows of {recording.ROW_BYTES} bytes" in TEXT
    for name in recording.Facts.__slots__:
        assert f"`{name}`" in TEXT
