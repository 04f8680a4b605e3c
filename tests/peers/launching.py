"""Apps for a host under test: the settings that list them, what they said, and waiting for what they do."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from harness import PATIENCE, Host

PAINTER = [sys.executable, str(Path(__file__).parent / "painter.py")]


def list_apps(folder: Path, **commands: list[str]) -> None:
    """Write the settings of a host in ``folder``: an app for each keyword."""
    tables = [
        f"[[apps]]\nname = {json.dumps(name)}\ncommand = {json.dumps(command)}\n"
        for name, command in commands.items()
    ]
    (folder / "config.toml").write_text("\n".join(tables))


def said(host: Host) -> list[str]:
    """What the host's apps printed so far."""
    log = host.state / "app.log"
    return log.read_text(errors="replace").splitlines() if log.exists() else []


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
    """Wait until something outside this process is so."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def wait_to_hear(host: Host, text: str, *, since: int = 0, seconds: float = 15) -> str:
    """Wait until an app printed a line with ``text`` after its first ``since`` ones; return that line."""

    def heard() -> str | None:
        return next((line for line in said(host)[since:] if text in line), None)

    wait_for(lambda: heard() is not None, f"{text!r} in {said(host)[since:]}", seconds)
    return heard() or ""
