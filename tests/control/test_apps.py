"""The catalogue's numbers, and how an app runs and ends."""

import json
import os
import sys

import pytest
import trio

from punktfunk.control import apps
from punktfunk.control.apps import App, AppSpec, PrepStep, end_leftovers, load_catalogue, run_app
from punktfunk.control.system.processes import read_identity
from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.wire.gamestream.applist import stable_app_id


def python(source, *arguments):
    return [sys.executable, "-S", "-c", source, *map(str, arguments)]


APPEND = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"
READY = "open(sys.argv[1], 'w').write(str(os.getpid()))"
SLEEPER = f"import os, sys, time; {READY}; time.sleep(600)"
STUBBORN = f"import os, signal, sys, time; signal.signal(15, signal.SIG_IGN); {READY}; time.sleep(600)"
DAEMON = f"import os, sys, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n  {READY}; time.sleep(600)\n os._exit(0)"


@pytest.fixture
def log(tmp_path):
    return tmp_path / "app.log"


async def written(path):
    """Wait until a process has written the file."""
    with trio.fail_after(20):
        while not (path.exists() and path.read_text()):  # noqa: ASYNC110 -- another process writes it
            await trio.sleep(0.01)
    return path.read_text()


def test_numbers_stay(tmp_path):
    first = load_catalogue(tmp_path, [AppSpec("Chess"), AppSpec("Go")])
    assert [app.title for app in first.apps] == ["Desktop", "Chess", "Go"]
    assert first.find(stable_app_id("Go", [])) is first.apps[2]
    assert first.find(0) is None
    assert first.desktop.spec.command == ()
    again = load_catalogue(tmp_path, [AppSpec("Go"), AppSpec("Poker"), AppSpec("Chess")])
    for title in ("Desktop", "Chess", "Go"):
        numbers = {app.app_id for each in (first, again) for app in each.apps if app.title == title}
        assert len(numbers) == 1
    assert [entry.hdr for entry in again.entries(hdr=True)] == [True] * 4


def test_a_number_once_given_is_kept_even_if_the_rule_would_differ(tmp_path):
    (tmp_path / "apps.json").write_text(
        json.dumps(
            {"kind": "apps", "format": 1, "numbers": [["Chess", 77], ["Gone", stable_app_id("Go", [])]]}
        )
    )
    catalogue = load_catalogue(tmp_path, [AppSpec("Chess"), AppSpec("Go")])
    assert catalogue.apps[1].app_id == 77
    assert catalogue.apps[2].app_id not in (77, stable_app_id("Go", []))


def test_the_store_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(apps, "MAXIMUM_NUMBERS", 5)
    for number in range(20):
        load_catalogue(tmp_path, [AppSpec(f"App {number}")])
    stored = json.loads((tmp_path / "apps.json").read_bytes())["numbers"]
    assert len(stored) == 5
    assert {"Desktop", "App 19"} <= {name for name, _ in stored}


@pytest.mark.parametrize("names", [["Chess", "Chess"], ["Desktop"]])
def test_double_names(tmp_path, names):
    with pytest.raises(ConfigError, match="Two apps are called"):
        load_catalogue(tmp_path, [AppSpec(name) for name in names])


@pytest.mark.parametrize("numbers", [[["a", 0]], [["a", 1], ["b", 1]], [["a", 1 << 31]], [["a"]], 5])
def test_nonsense_on_disk(tmp_path, numbers, caplog):
    (tmp_path / "apps.json").write_text(json.dumps({"kind": "apps", "format": 1, "numbers": numbers}))
    assert len(load_catalogue(tmp_path, []).apps) == 1
    assert "set aside" in caplog.text


@pytest.mark.trio
async def test_the_desktop_runs_nothing(log):
    async with run_app(App(1, AppSpec("Desktop")), {}, log) as process:
        assert process is None


@pytest.mark.trio
async def test_an_app_gets_its_surroundings_and_ends_with_the_block(tmp_path, log):
    show = "import os, time; print(os.environ['WAYLAND_DISPLAY'], os.environ['MINE'], os.getcwd(), os.getsid(0) == os.getpid(), flush=True); time.sleep(600)"
    spec = AppSpec("Chess", python(show), {"MINE": "$HOME; x"}, tmp_path)
    async with run_app(App(2, spec), {"WAYLAND_DISPLAY": "wayland-7"}, log) as process:
        assert await written(log) == f"wayland-7 $HOME; x {tmp_path} True\n"
        assert process.returncode is None
    assert process.returncode == -15


@pytest.mark.trio
async def test_an_empty_variable_of_the_session_is_taken_away(tmp_path, log, monkeypatch):
    monkeypatch.setenv("WAYLAND_SOCKET", "7")
    show = "import os, sys; open(sys.argv[1], 'w').write(repr([os.environ.get(n) for n in sys.argv[2:]]))"
    spec = AppSpec("Show", python(show, tmp_path / "seen", "WAYLAND_SOCKET", "OWN"), {"OWN": ""})
    async with run_app(App(1, spec), {"WAYLAND_SOCKET": "", "OWN": "theirs"}, log):
        assert await written(tmp_path / "seen") == "[None, '']"


@pytest.mark.trio
@pytest.mark.parametrize("source", [SLEEPER, STUBBORN, DAEMON])
async def test_nothing_survives(tmp_path, log, source, monkeypatch):
    monkeypatch.setattr(apps, "GRACE_S", 0.3)
    ready = tmp_path / "ready"
    with trio.CancelScope() as scope:
        async with run_app(App(2, AppSpec("Chess", python(source, ready))), {}, log):
            survivor = read_identity(int(await written(ready)))
            assert survivor is not None
            scope.cancel()
            await trio.sleep_forever()
    assert read_identity(survivor.pid) != survivor


def steps(notes, *numbers, failing=None):
    return [
        PrepStep(
            python("raise SystemExit(3)" if number == failing else APPEND, notes, f"do {number}"),
            python(APPEND, notes, f"undo {number}"),
        )
        for number in numbers
    ]


@pytest.mark.trio
async def test_preparations_are_undone_in_reverse(tmp_path, log):
    notes = tmp_path / "notes"
    prep = [*steps(notes, 1, 2), PrepStep(undo=python("raise SystemExit(1)")), *steps(notes, 3)]
    async with run_app(App(2, AppSpec("Chess", prep=prep)), {}, log):
        assert notes.read_text().split("\n")[:-1] == ["do 1", "do 2", "do 3"]
    assert notes.read_text().split("\n")[3:-1] == ["undo 3", "undo 2", "undo 1"]


@pytest.mark.trio
async def test_a_failing_preparation_is_reported(tmp_path, log):
    notes = tmp_path / "notes"
    spec = AppSpec("Chess", python(APPEND, notes, "app"), prep=steps(notes, 1, 2, 3, failing=2))
    with pytest.raises(EnvironmentProblem, match="exit status 3") as caught:
        async with run_app(App(2, spec), {}, log):
            pytest.fail("must not start")
    assert str(log) in caught.value.hint
    assert notes.read_text() == "do 1\nundo 1\n"


@pytest.mark.trio
@pytest.mark.parametrize("command", [["/nowhere/at-all"], ["a\0b"], ["/"]])
async def test_an_app_that_cannot_start(tmp_path, log, command):
    notes = tmp_path / "notes"
    spec = AppSpec("Chess", command, prep=steps(notes, 1))
    with pytest.raises(EnvironmentProblem, match="cannot start"):
        async with run_app(App(2, spec), {}, log):
            pytest.fail("must not start")
    assert notes.read_text() == "do 1\nundo 1\n"


@pytest.mark.trio
async def test_a_preparation_that_hangs_is_ended(tmp_path, log, monkeypatch):
    monkeypatch.setattr(apps, "PREP_S", 0.3)
    ready = tmp_path / "ready"
    spec = AppSpec("Chess", prep=[PrepStep(python(STUBBORN, ready))])
    with pytest.raises(EnvironmentProblem, match="did not finish"):
        async with run_app(App(2, spec), {}, log):
            pytest.fail("must not start")
    assert not ready.exists() or read_identity(int(ready.read_text())) is None


HOST = """
import sys, trio
from pathlib import Path
from punktfunk.control.apps import App, AppSpec, run_app
async def main():
    async with run_app(App(2, AppSpec("Chess", sys.argv[2:])), {}, Path(sys.argv[1])):
        await trio.sleep_forever()
trio.run(main)
"""


@pytest.mark.trio
async def test_apps_of_a_killed_host_are_found(tmp_path, log):
    ready = tmp_path / "ready"
    command = [sys.executable, "-c", HOST, str(log), *python(SLEEPER, ready)]
    host = await trio.lowlevel.open_process(command)
    orphan = read_identity(int(await written(ready)))
    assert orphan not in apps._find_marked(apps._is_orphaned)
    host.kill()
    await host.wait()
    assert orphan in apps._find_marked(apps._is_orphaned)
    assert await end_leftovers() >= 1
    assert read_identity(orphan.pid) != orphan


def test_only_our_marks_count(monkeypatch):
    for mark in ("", "x", "1.2.3", f"{os.getpid()}.0.", "9" * 50 + ".1." + "0" * 16):
        assert not apps._is_orphaned(mark)
    assert not apps._is_orphaned(apps._new_mark())
    assert apps._is_orphaned(f"{os.getpid()}.1.{'0' * 16}")
    monkeypatch.setenv("PUNKTFUNK_APP", f"{os.getpid()}.1.{'0' * 16}")
    assert not apps._is_orphaned(os.environ["PUNKTFUNK_APP"])
