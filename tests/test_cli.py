"""The command as a person meets it: child processes, exit codes, what stands on which stream."""

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

import punktfunk
from punktfunk import cli
from punktfunk.control import admin_client
from punktfunk.errors import ConfigError, EnvironmentProblem

VERBS = [
    "serve",
    "pair",
    "clients list",
    "clients rename",
    "clients remove",
    "apps list",
    "doctor",
    "service",
    "warm",
]
VERBS += ["clients pending", "clients approve", "clients deny", "clients grant", "clients expire"]
VERBS += ["config show", "config path", "config check", "version"]
VERBS += ["loss", "why-late", "record", "replay"]
VERBS += ["bench fec", "bench seal", "bench ring", "bench send", "bench frame", "bench session"]
VERBS += ["bench displays", "bench convert"]
VERBS += ["lab new", "lab list", "lab check", "lab compare", "lab swap", "lab frames"]


@pytest.fixture
def environ(tmp_path):
    keep = {key: value for key, value in os.environ.items() if not key.startswith(("PUNKTFUNK_", "XDG_"))}
    return keep | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "COLUMNS": "100"}


@pytest.fixture
def punktfunk_command(environ, tmp_path):
    def run(*words, **more):
        command = [sys.executable, "-m", "punktfunk.cli", *words]
        return subprocess.run(
            command, capture_output=True, text=True, env=environ | more, cwd=tmp_path, timeout=60, check=False
        )

    return run


def test_help_loads_nothing_heavy(environ):
    script = (
        "import sys; from punktfunk.cli import app\n"
        "try: app(args=['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'trio', 'pydantic', 'numba', 'numpy', 'av', 'quart', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environ, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "serve" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_teaches_with_an_example(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.app(args=[*verb.split(), "--help"])
    assert ended.value.code == cli.DONE
    shown = capsys.readouterr().out
    example = shown[shown.index("Example") :]
    assert f"\n    punktfunk {verb}" in example or f'"$(punktfunk {verb})"' in example


def test_version(punktfunk_command):
    done = punktfunk_command("version")
    assert (done.returncode, done.stdout) == (0, f"punktfunk {punktfunk.__version__}\n")


@pytest.mark.parametrize(
    "words",
    [
        ["pair"],
        ["pair", "1", "--native"],
        ["pair", "1", "--for", "2m"],
        ["serv"],
        ["serve", "--prt", "1"],
        ["serve", "--port", "many"],
        ["clients", "rename", "x"],
    ],
)
def test_misuse_is_exit_code_2(words, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["punktfunk", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == cli.MISUSE
    assert "punktfunk" in capsys.readouterr().err


def test_a_wrong_setting_stops_serve_with_message_and_hint(punktfunk_command):
    done = punktfunk_command("serve", "--port", "80")
    assert done.returncode == cli.MISUSE
    assert done.stderr == (
        "punktfunk: flag --port: port = 80; allowed: a whole number from 1029 to 65514\n"
        "  `punktfunk config show --explain` lists every setting.\n"
    )


def test_debug_shows_the_traceback(punktfunk_command):
    done = punktfunk_command("--debug", "config", "check", PUNKTFUNK_PORT="80")
    assert done.returncode == cli.FAILED
    assert "Traceback" in done.stderr
    done = punktfunk_command("config", "check", "--debug", PUNKTFUNK_PORT="80")
    assert "ConfigError" in done.stderr


def test_without_a_host_client_verbs_say_so(punktfunk_command, tmp_path):
    done = punktfunk_command("pair", "1234", "--state", str(tmp_path / "state"))
    assert done.returncode == cli.FAILED
    assert "no punktfunk host is running" in done.stderr
    assert "Traceback" not in done.stderr


def run_main(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["punktfunk", *words])
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code
    return 0


def raising(error):
    def verb(*_arguments, **_named):
        raise error

    return verb


def test_every_error_of_a_group_is_told(monkeypatch, capsys):
    problems = BaseExceptionGroup(
        "two", [ConfigError("first", hint="do this"), ExceptionGroup("", [EnvironmentProblem("second")])]
    )
    monkeypatch.setattr("punktfunk.commands.config.check", raising(problems))
    assert run_main(monkeypatch, "config", "check") == cli.FAILED
    assert capsys.readouterr().err == "punktfunk: first\n  do this\npunktfunk: second\n"


def test_an_interrupt_is_exit_code_130(monkeypatch):
    monkeypatch.setattr("punktfunk.commands.config.check", raising(KeyboardInterrupt()))
    assert run_main(monkeypatch, "config", "check") == cli.INTERRUPTED == 128 + signal.SIGINT


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("punktfunk.commands.config.check", raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        run_main(monkeypatch, "config", "check")


@pytest.fixture
def host(monkeypatch):
    """A host that notes requests and answers from a table."""
    asked, answers = [], {}

    def call(path, request, timeout_s):
        asked.append((path.name, dict(request)))
        return answers.get(request["verb"], {})

    monkeypatch.setattr(admin_client, "call", call)
    return asked, answers


def test_pair_sends_only_what_was_given(host, monkeypatch, capsys, tmp_path):
    asked, answers = host
    answers["pair"] = {"name": "Deck"}
    assert run_main(monkeypatch, "pair", "1234", "--state", str(tmp_path)) == cli.DONE
    assert (
        run_main(monkeypatch, "pair", "1234", "--name", "Deck", "--address", "::1", "--state", str(tmp_path))
        == 0
    )
    assert asked == [
        ("admin.sock", {"verb": "pair", "pin": "1234"}),
        ("admin.sock", {"verb": "pair", "pin": "1234", "name": "Deck", "address": "::1"}),
    ]
    assert capsys.readouterr().out == "paired: Deck\n" * 2


def test_clients_are_listed_renamed_and_removed(host, monkeypatch, capsys):
    asked, answers = host
    deck = {
        "name": "De\x1bck",
        "fingerprint": "3fa9" * 16,
        "added_at": "2026-01-02T03:04:05+00:00",
        "last_seen": "",
    }
    answers["clients.list"] = {"clients": [deck]}
    run_main(monkeypatch, "clients", "list")
    shown = capsys.readouterr().out
    assert "3fa93fa93fa93fa9" in shown
    assert "never" in shown
    assert "\x1b" not in shown
    run_main(monkeypatch, "clients", "list", "--json")
    assert json.loads(capsys.readouterr().out) == [deck]
    run_main(monkeypatch, "clients", "rename", "3fa9", "TV")
    run_main(monkeypatch, "clients", "remove", "TV")
    assert [request for _, request in asked[2:]] == [
        {"verb": "clients.rename", "client": "3fa9", "name": "TV"},
        {"verb": "clients.remove", "client": "TV"},
    ]


def test_an_empty_client_list_says_what_to_do(host, monkeypatch, capsys):
    host[1]["clients.list"] = {"clients": []}
    run_main(monkeypatch, "clients", "list")
    assert "punktfunk pair PIN" in capsys.readouterr().out


def test_a_pin_is_shown_and_waited_for(host, monkeypatch, capsys):
    asked, answers = host
    answers["pair.native"] = {"pin": "0471", "seconds": 90, "device": "", "grants": "full"}
    answers["pair.native.wait"] = {"name": "pho\x1bne"}
    assert run_main(monkeypatch, "pair", "--native") == cli.DONE
    shown = capsys.readouterr().out
    assert shown == "PIN 0471\nType it on the device within 1 min 30 s. One attempt.\n"
    more = ["--for", "90s", "--grants", "view", "--expires", "4h", "--device", "3fa9", "--wait"]
    run_main(monkeypatch, "pair", "--native", *more)
    assert capsys.readouterr().out.endswith("paired: pho\\x1bne\n")
    run_main(monkeypatch, "pair", "--native", "--json")
    assert json.loads(capsys.readouterr().out)["pin"] == "0471"
    choice = {"for": "90s", "grants": "view", "expires": "4h", "device": "3fa9"}
    assert [request for _, request in asked] == [
        {"verb": "pair.native"},
        {"verb": "pair.native", **choice},
        {"verb": "pair.native.wait"},
        {"verb": "pair.native"},
    ]


def test_devices_are_decided_about(host, monkeypatch, capsys):
    asked, answers = host
    client = {"name": "TV", "grants": "view", "expires_at": "2026-01-02T03:04:05+00:00"}
    waiting = {"number": 1, "name": "T\x1bV", "address": "192.0.2.7", "fingerprint": "3fa9" * 16}
    answers["clients.pending"] = {"clients": [{**waiting, "seconds": 65, "state": "waiting"}]}
    answers["clients.deny"] = client
    for verb in ("approve", "grant", "expire"):
        answers[f"clients.{verb}"] = client
    run_main(monkeypatch, "clients", "pending")
    shown = capsys.readouterr().out
    assert "3fa93fa93fa93fa9" in shown
    assert "1 min 5 s ago" in shown
    assert "\x1b" not in shown
    run_main(monkeypatch, "clients", "approve", "1", "--grants", "view", "--expires", "4h", "--name", "TV")
    assert capsys.readouterr().out.startswith("approved: TV may view, until 2026-01-0")
    run_main(monkeypatch, "clients", "deny", "1")
    run_main(monkeypatch, "clients", "grant", "TV", "gamepad,keyboard", "--for", "4h")
    client["expires_at"] = ""
    run_main(monkeypatch, "clients", "expire", "TV", "never")
    assert capsys.readouterr().out.endswith("changed: TV may view, for ever\n")
    assert [request for _, request in asked[1:]] == [
        {"verb": "clients.approve", "client": "1", "grants": "view", "expires": "4h", "name": "TV"},
        {"verb": "clients.deny", "client": "1"},
        {"verb": "clients.grant", "client": "TV", "grants": "gamepad,keyboard", "for": "4h"},
        {"verb": "clients.expire", "client": "TV", "for": "never"},
    ]
    answers["clients.pending"] = {"clients": []}
    run_main(monkeypatch, "clients", "pending")
    assert "No device waits" in capsys.readouterr().out


def test_apps_are_listed(host, monkeypatch, capsys):
    host[1]["apps.list"] = {"apps": [{"app_id": 7, "title": "Desktop", "command": ""}]}
    run_main(monkeypatch, "apps", "list")
    assert "Desktop" in capsys.readouterr().out


def test_warm_shows_progress_and_the_check(monkeypatch, capsys):
    from punktfunk.commands import warm

    steps = [
        SimpleNamespace(name="pace", share=0.5, left_s=3.0),
        SimpleNamespace(name="gf8", share=1, left_s=0),
    ]
    checked = []
    kernels = SimpleNamespace(
        is_warm=lambda: False,
        compile_in_child=lambda progress: [progress(step) for step in steps],
        self_check=lambda: checked.append(True),
        simd_mode=lambda: "avx2",
        cache_problems=lambda: ("the cache is read-only",),
    )
    monkeypatch.setattr(warm, "realtime", kernels)
    assert run_main(monkeypatch, "warm") == cli.DONE
    shown = capsys.readouterr().out
    assert "100%" in shown
    assert "the cache is read-only" in shown
    assert shown.endswith("checked against their twins (avx2)\n")
    kernels.is_warm = lambda: True
    run_main(monkeypatch, "warm")
    assert "already compiled" in capsys.readouterr().out
    assert len(checked) == 2


def test_a_closed_pipe_does_not_end_the_host(environ):
    script = (
        "import sys\n"
        "from punktfunk.commands.serve import report\n"
        "sys.stdin.readline()\n"
        "report('first'); report('second')\n"
        "print('alive', file=sys.stderr)"
    )
    words = [sys.executable, "-c", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environ) as child:
        child.stdout.close()
        _, complaints = child.communicate("go\n", timeout=30)
    assert (child.returncode, complaints) == (0, "alive\n")
