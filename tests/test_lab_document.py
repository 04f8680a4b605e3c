"""docs/lab.md as a reader follows it: the files that it has them write, the commands that it has them type."""

import re
import shlex
from pathlib import Path

import pytest
from lab_folder import examples, lab_folder, write

from punktfunk import cli

TEXT = (Path(__file__).parent.parent / "docs" / "lab.md").read_text()
CONSOLES = re.findall(r"^```console\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [part.split("\n", 1) for console in CONSOLES for part in console.split("$ punktfunk ")[1:]]
VERDICT = re.compile(r"(faster by|slower: takes|no difference shown).*")


def test_its_commands_answer_as_it_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(lab_folder("document")))
    folder = lab_folder("document/punktfunk/lab")
    folder.parent.chmod(0o700)
    files = examples()
    assert list(files) == ["horner", "eager"]
    for name, text in files.items():
        write(folder, name, text)
    assert [command for command, _ in COMMANDS] == [
        "lab list",
        "lab check fec8=horner",
        "lab compare fec8=horner",
        "lab check pace=eager",
        "lab compare pace=eager",
    ]
    for command, expected in COMMANDS:
        more = ["--rounds", "10"] if "compare" in command else []
        with pytest.raises(SystemExit) as ended:
            cli.app(args=[*shlex.split(command), *more], prog_name="punktfunk")
        shown = capsys.readouterr()
        assert ended.value.code == cli.DONE, shown.err
        for line in filter(None, expected.splitlines()):
            assert VERDICT.sub("", line) in shown.out
            assert len(VERDICT.findall(shown.out)) == len(VERDICT.findall(expected))
