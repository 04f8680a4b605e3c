"""Start clients of punktfunk/1 as processes of their own."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from harness import Host, Lines

HERE = Path(__file__).parent
NATIVE_CLIENT = str(HERE / "native_client.py")


def native_port(host: Host) -> int:
    return int(host.environment["PUNKTFUNK_NATIVE_PORT"])


PUNKTFUNK = ("-m", "punktfunk")
STRIPPED = (str(HERE / "stripped.py"),)


def connect(
    host: Host, state: Path, *words: str, timeout_s: float = 40, program: tuple[str, ...] = PUNKTFUNK
) -> subprocess.CompletedProcess[str]:
    """``punktfunk connect``, as a user types it."""
    return subprocess.run(
        [sys.executable, *program, "connect", f"{host.address}:{native_port(host)}",
         "--headless", "--state", str(state), *words],
        env=clean_environment(), text=True, capture_output=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PUNKTFUNK_")}


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one session's report of ``--json``."""
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["ok"]
    (session,) = report["sessions"]
    return dict(session)


class NativeClient:
    """One ``native_client.py``; ``prefix`` are words before it, such as those that enter a namespace."""

    def __init__(self, state: Path, port: int, *, prefix: tuple[str, ...] = (), **asked: Any) -> None:
        self.asked = json.dumps({"state": str(state), "port": port, **asked})
        self.process = subprocess.Popen(
            [*prefix, sys.executable, NATIVE_CLIENT, self.asked],
            env=clean_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.lines = Lines(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.lines.close()

    def wait_for(self, event: str, seconds: float = 30) -> dict[str, Any]:
        return dict(json.loads(self.lines.wait_for(f'"event": "{event}"', seconds)))

    def finish(self, seconds: float = 40) -> list[dict[str, Any]]:
        """Sessions that it had, once it is done."""
        done = self.wait_for("done", seconds)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        return list(done["takes"])
