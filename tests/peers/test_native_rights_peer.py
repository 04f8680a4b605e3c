"""A device's way through the front door of punktfunk/1, with processes and commands as people use them."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest
from harness import Host
from native_harness import clean_environment, connect, native_port, report_of

pytestmark = pytest.mark.peer


def clients(host: Host, verb: str = "list") -> list[dict[str, object]]:
    return list(json.loads(host.cli("clients", verb, "--json").stdout))


def pin_of(host: Host, *words: str) -> str:
    shown = host.cli("pair", "--native", *words).stdout
    assert shown.startswith("PIN ")
    return shown.split()[1]


class Session:
    """``punktfunk connect`` that goes on for long, and what it says."""

    def __init__(self, host: Host, state: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "punktfunk", "connect", f"{host.address}:{native_port(host)}",
             "--headless", "--state", str(state), "--seconds", "30", "--name", "laptop"],
            env=clean_environment(), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def refused(self) -> str:
        """Wait for its end, which is a refusal, and return its words."""
        try:
            said, _ = self.process.communicate(timeout=15)
        except subprocess.TimeoutExpired as expired:
            raise AssertionError(f"not refused: {expired.output}") from expired
        assert self.process.returncode == 1, said
        return said


def until(host: Host, verb: str, count: int) -> list[dict[str, object]]:
    for _ in range(100):
        if len(found := clients(host, verb)) == count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{verb}: {found}")


def test_a_device_is_paired_unpaired_approved_and_out_of_time(host: Host, tmp_path: Path) -> None:
    state = tmp_path / "laptop"
    pin = pin_of(host, "--grants", "gamepad,pointer", "--for", "1m")
    done = connect(host, state, "--pin", pin, "--name", "laptop", "--seconds", "2", "--json")
    assert report_of(done)["audio_packets"] > 100
    (laptop,) = clients(host)
    assert (laptop["name"], laptop["kinds"], laptop["grants"]) == ("laptop", ["native"], "gamepad,pointer")
    host.cli("clients", "remove", "laptop")

    with Session(host, state) as session:
        (waiting,) = until(host, "pending", 1)
        assert waiting["fingerprint"] == laptop["fingerprint"]
        approved = host.cli("clients", "approve", str(waiting["number"]), "--expires", "1h").stdout
        assert approved.startswith("approved: laptop may full, until ")
        host.lines.wait_for("session 2:", 20)
        host.cli("clients", "expire", "laptop", "1s")
        assert "time that this device was given is over" in session.refused()
