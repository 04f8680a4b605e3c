"""``punktfunk connect`` as a process of its own: the product's client for hosts of ``harness``."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from harness import NATIVE_OFFSET, Host

OPEN_HOST = {"PUNKTFUNK_NATIVE_OPEN": "true"}


class NativeClient:
    """One client; ``folder`` keeps its identity, so that the same folder is the same device."""

    def __init__(self, folder: Path, host: Host, *words: str, frames: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = host.port + NATIVE_OFFSET
        command = [
            sys.executable, "-m", "punktfunk", "connect", f"{host.address}:{port}", "--headless", "--json",
            "--state", str(folder / "state"), "--frames", str(frames), *words,
        ]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PUNKTFUNK_")}
        environment["PUNKTFUNK_CONFIG"] = str(folder / "none.toml")
        (folder / "none.toml").touch()
        self.process = subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=10)

    def finish(self, seconds: float = 20) -> dict[str, Any]:
        """Wait for its end and give its report; what it said is in the failure."""
        out, err = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, out + err
        report: dict[str, Any] = json.loads(out)
        return report

    def fail(self, seconds: float = 20) -> str:
        """Wait for its end, which must be a failure, and give what it said."""
        out, err = self.process.communicate(timeout=seconds)
        assert self.process.returncode not in {0, -9}, out
        return err
