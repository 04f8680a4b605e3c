"""``punktfunk lab`` from the command line, with a host that only notes what it is asked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lab_folder import lab_folder, write

from punktfunk import cli
from punktfunk.commands import lab
from punktfunk.errors import Misuse

PACE = """
from punktfunk.realtime.lab import pace

@pace("NAME")
def deadline(context, start_ns, window_ns, first, total):
    '''Says NAME.'''
    return start_ns
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    made = lab_folder("commands")
    monkeypatch.setenv("PUNKTFUNK_LAB_FOLDER", str(made))
    return made


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """Run ``punktfunk lab ...`` in this process; exit code, and all that was shown."""

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["punktfunk", "lab", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out + shown.err

    return run


def test_a_new_variant_is_written_once(folder: Path, run: Callable[..., tuple[int, str]]) -> None:
    code, shown = run("new", "my-pace", "--kind", "pace")
    assert (code, f"written: {folder}/my_pace.py" in shown) == (cli.DONE, True)
    assert (folder / "my_pace.py").stat().st_mode & 0o777 == 0o600
    assert "punktfunk lab check pace=my-pace" in shown
    assert run("new", "my-pace")[0] == cli.FAILED
    for words in (["new", "Mine"], ["new", "default"], ["new", "mine", "--kind", "fec"], ["new", "../mine"]):
        assert run(*words)[0] == cli.MISUSE
    assert [path.name for path in folder.iterdir()] == ["my_pace.py"]


def test_the_list_says_what_has_been_checked(folder: Path, run: Callable[..., tuple[int, str]]) -> None:
    code, shown = run("list")
    assert (code, "begin with: punktfunk lab new mine" in shown) == (cli.DONE, True)
    write(folder, "one", PACE.replace("NAME", "one"))
    assert "NOT CHECKED  Says one." in run("list")[1]
    code, shown = run("check", "one")
    assert (code, "pace one: agrees with the textbook in all 40 trials" in shown) == (cli.DONE, True)
    assert "checked      Says one." in run("list")[1]
    rows = json.loads(run("list", "--json")[1])
    assert [row["number"] for row in rows if row["name"] == "default"] == [0] * 5
    assert rows[-1]["file"] == f"{folder}/one.py:5"


def test_all_are_checked_though_one_fails(folder: Path, run: Callable[..., tuple[int, str]]) -> None:
    write(
        folder,
        "a",
        PACE.replace("NAME", "late").replace("return start_ns", "return start_ns + 5 * window_ns"),
    )
    write(folder, "b", PACE.replace("NAME", "good"))
    code, shown = run("check")
    assert code == cli.FAILED
    assert "pace good: agrees" in shown
    assert "punktfunk: pace late: at 1 datagrams in groups of " in shown


def test_a_comparison_checks_first_and_can_be_read_by_programs(
    folder: Path, run: Callable[..., tuple[int, str]]
) -> None:
    write(folder, "one", PACE.replace("NAME", "two"))
    code, shown = run("compare", "pace=two", "--shape", "99", "--rounds", "10", "--json")
    assert code == cli.DONE
    (row,) = json.loads(shown[shown.index("{") : shown.rindex("}") + 1])["rows"]
    assert (row["case"], row["baseline_name"]) == ("one of 99 datagrams", "default")
    assert row["verdict"]


def test_names_that_name_nothing(folder: Path, run: Callable[..., tuple[int, str]]) -> None:
    assert "no variant in" in run("check")[1]
    write(folder, "one", PACE.replace("NAME", "one"))
    write(folder, "two", PACE.replace("NAME", "one").replace("pace", "decode"))
    assert "Say which: pace=one or decode=one" in run("check", "one")[1]
    for words in (
        ["swap", "one"],
        ["compare", "fec=one"],
        ["swap", "pace=two"],
        ["check", "three"],
        ["swap", "fec=x"],
    ):
        assert run(*words)[0] == cli.MISUSE, words


def test_what_the_host_is_asked(
    folder: Path, run: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    frame = {
        "captured_ns": 0,
        "encoded_ns": 1000,
        "first_ns": 5000,
        "last_ns": 9000,
        "bytes": 77,
        "seal": "default",
    }
    answers = {
        "lab.swap": {"kind": "pace", "name": "one", "number": 4000, "before": "default"},
        "lab.frames": {
            "frames": [{**frame, "fec": "a", "pace": "b"}] * 3 + [{**frame, "fec": "c", "pace": "d"}]
        },
        "lab.compare": {
            "number": 4000,
            "frames": [[4000 * (turn % 2), 100 + turn % 2, 900, 5000] for turn in range(40)],
        },
    }

    def ask(_state: Path | None, request: dict[str, object], _timeout_s: float = 0) -> object:
        asked.append(request)
        return answers[str(request["verb"])]

    monkeypatch.setattr(lab, "ask", ask)
    write(folder, "one", PACE.replace("NAME", "one"))
    assert "pace: default -> one, recorded as 4000" in run("swap", "pace=one")[1]
    assert run("swap", "pace=default", "--folder", "/elsewhere")[0] == cli.DONE
    assert run("swap", "seal=evp")[0] == cli.DONE
    shown = run("frames")[1]
    assert all(word in shown for word in ("a ", "3 ", "4 us", "8 us", "77"))
    assert len(json.loads(run("frames", "--json")[1])) == 4
    shown = run("compare", "pace=one", "--live", "--seconds", "2", "--turn", "0.5")[1]
    assert "encoded to first datagram, frames of 5000 and 5000 bytes: " in shown
    request = {"kind": "pace", "folder": str(folder)}
    assert asked == [
        {"verb": "lab.swap", "name": "one", **request},
        {"verb": "lab.swap", "name": "default", **request, "folder": "/elsewhere"},
        {"verb": "lab.swap", "kind": "seal", "name": "evp", "folder": str(folder)},
        {"verb": "lab.frames"},
        {"verb": "lab.frames"},
        {"verb": "lab.compare", "name": "one", **request, "seconds": "2.0", "turn_s": "0.5"},
    ]


def test_a_pair_names_kind_and_name() -> None:
    assert lab._split("fec8=mine") == ("fec8", "mine")
    with pytest.raises(Misuse):
        lab._split("mine")
