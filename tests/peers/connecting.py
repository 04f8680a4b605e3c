"""``punktfunk connect`` as a process that a test may kill: the product's client for hosts of ``harness``."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from harness import Host
from native_harness import clean_environment, native_port

OPEN_HOST = {"PUNKTFUNK_NATIVE_OPEN": "true"}


class Connecting:
    """One client; ``folder`` keeps its identity, so that the same folder is the same device."""

    def __init__(self, folder: Path, host: Host, *words: str, frames: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "none.toml").touch()
        command = [
            sys.executable, "-m", "punktfunk", "connect", f"{host.address}:{native_port(host)}", "--headless", "--json",
            "--state", str(folder / "state"), "--frames", str(frames), *words,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command,
            env={**clean_environment(), "PUNKTFUNK_CONFIG": str(folder / "none.toml")},
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

    def finish(self, seconds: float = 30) -> dict[str, Any]:
        """Wait for its end and give its report; what it said is in the failure."""
        out, err = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, out + err
        report: dict[str, Any] = json.loads(out)
        return report
