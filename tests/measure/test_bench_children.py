"""Benchmarks in child processes: what a child says, what its parent makes of it, and how either may fail."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from punktfunk import realtime
from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.measure import child, children
from punktfunk.measure.options import SendOptions
from punktfunk.measure.paired import single
from punktfunk.measure.steps import Benchmark, Step


@pytest.fixture
def spoken(monkeypatch, capsys):
    """Run the child's main over steps that are made up; its exit status and its lines."""

    def run(*bodies, notes=()):
        steps = tuple(Step(f"step {number}", body) for number, body in enumerate(bodies))
        fake = SimpleNamespace(benchmark=lambda options: Benchmark(steps, (*notes, str(options.batch))))
        monkeypatch.setitem(sys.modules, "punktfunk.measure.send", fake)
        monkeypatch.setattr(sys, "argv", ["child", "send", json.dumps({"batch": 7})])
        status = child.main()
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_a_child_says_notes_steps_and_rows(spoken):
    row = single("send", "case", "us", 1.5)
    status, lines = spoken(lambda: [row], lambda: [row, row], notes=["first"])
    assert status == 0
    assert lines[:2] == [{"note": "first"}, {"note": "7"}]
    assert lines[2] == {"step": 0, "total": 2, "title": "step 0"}
    assert [next(iter(line)) for line in lines[3:]] == ["row", "step", "row", "row"]
    assert lines[3]["row"]["ours"] == 1.5


def _problem():
    raise EnvironmentProblem("no socket", hint="buy one")


def _interrupted():
    raise KeyboardInterrupt


def test_a_child_says_what_stopped_it(spoken):
    assert spoken(_problem) == (
        child.FAILED,
        [
            {"note": "7"},
            {"step": 0, "total": 1, "title": "step 0"},
            {"error": "no socket", "hint": "buy one"},
        ],
    )


def test_an_interrupted_child_is_quiet(spoken):
    assert spoken(_interrupted)[0] == child.INTERRUPTED


@pytest.fixture
def pretend(monkeypatch, tmp_path):
    """Put a shell script in the place of Python, so that it is the child."""

    def write(body):
        script = tmp_path / "child"
        script.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))

    return write


def line(**values):
    return f"printf '%s\\n' '{json.dumps(values)}'"


def test_rows_of_all_modes_come_in_order_with_one_progress(pretend):
    row = json.dumps({"row": single("send", "CASE", "us", 1.0).as_json()})
    pretend(
        f"{line(note='same')}; {line(step=0, total=2, title='one')}; {line(step=1, total=2, title='two')}\n"
        f"printf '%s\\n' '{row}' | sed \"s/CASE/$PUNKTFUNK_SIMD $PUNKTFUNK_KERNEL_CACHE/\""
    )
    seen = []
    os.environ["PUNKTFUNK_KERNEL_CACHE"] = "/of/another/mode"
    try:
        result = children.run_modes("send", SendOptions(), ("avx2", "generic"), seen.append)
    finally:
        del os.environ["PUNKTFUNK_KERNEL_CACHE"]
    assert [row.case for row in result.rows] == ["avx2 ", "generic "]
    assert result.notes == ["same"]
    assert [(step.step, step.total, step.title) for step in seen] == [
        (0, 4, "one, avx2"), (1, 4, "two, avx2"), (2, 4, "one, generic"), (3, 4, "two, generic"),
    ]  # fmt: skip


def test_a_child_that_says_why_it_failed(pretend):
    pretend(f"{line(error='no socket', hint='buy one')}; exit 1")
    with pytest.raises(EnvironmentProblem, match="no socket") as raised:
        children.run_modes("send", SendOptions(), (), print)
    assert raised.value.hint == "buy one"


def test_a_child_that_crashes(pretend):
    pretend("echo 'Illegal instruction, it seems' >&2; kill -ILL $$")
    with pytest.raises(EnvironmentProblem, match=r"exit -4.*Illegal instruction, it seems"):
        children.run_modes("send", SendOptions(), (), print)


def test_nobody_is_left_when_the_parent_gives_up(pretend, tmp_path):
    pretend(f"echo $$ > {tmp_path}/pid; {line(step=0, total=1, title='one')}; exec tail -f /dev/null")

    def give_up(_step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        children.run_modes("send", SendOptions(), (), give_up)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def test_modes_that_the_cpu_cannot_run_are_misuse():
    children.check_modes(realtime.runnable_modes())
    with pytest.raises(Misuse, match="--mode mmx") as raised:
        children.check_modes(["mmx"])
    assert "generic" in raised.value.hint


@pytest.fixture
def bench(tmp_path):
    def run(*words):
        environ = {key: value for key, value in os.environ.items() if not key.startswith("PUNKTFUNK_")}
        return subprocess.run(
            [sys.executable, "-m", "punktfunk.cli", "bench", *words],
            capture_output=True, text=True, cwd=tmp_path, env=environ, timeout=100, check=False,
        )  # fmt: skip

    return run


def test_the_whole_way_from_flags_to_table_rows_and_picture(bench, tmp_path):
    pytest.importorskip("matplotlib")
    done = bench(
        "fec", "--field", "gf8", "--shape", "20:4", "--losses", "1", "--rounds", "5", "--shard-bytes", "64",
        "--json", "rows.json", "--plot", "rows.png",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")  # no bar, as stderr is no terminal
    assert "SIMD mode" in done.stdout
    rows = json.loads(Path(tmp_path, "rows.json").read_text("utf-8"))["rows"]
    assert {row["case"] for row in rows} == {"gf8 encode 20:4", "gf8 decode 20:4, 1 lost"}
    assert {row["mode"] for row in rows} == {realtime.runnable_modes()[0]}
    assert Path(tmp_path, "rows.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fec", "--shape", "20x4"], "--shape 20x4"),
        (["fec", "--mode", "mmx"], "--mode mmx"),
        (["seal", "--cipher", "rot13"], "--cipher rot13"),
        (["send", "--batch", "1000"], "--batch 1000"),
        (["ring", "--items", "1"], "--items 1"),
        (["frame", "--percent", "1000"], "--percent 1000"),
        (["frame", "--plot", "x.gif"], "x.gif"),
        (["send", "--json", "."], "--json . is a folder"),
        (["send", "--rounds", "many"], "'--rounds': 'many' is no whole number"),
        (["frame", "--rate", "abc"], "'--rate': 'abc' is no whole number"),
        (["fec", "--losses", "1", "--losses", "1.5"], "'--losses': '1.5' is no whole number"),
    ],
)
def test_misuse_is_exit_code_2_with_the_value(words, message, monkeypatch, capsys):
    from punktfunk import cli

    monkeypatch.setattr(sys, "argv", ["punktfunk", "bench", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == cli.MISUSE
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.splitlines()) > 1  # the remedy
