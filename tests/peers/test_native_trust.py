"""Who may stream: PIN, approval, pins of hosts, each with two processes and what a user reads."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Host
from native_harness import clean_environment, connect, native_port, report_of

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def closed_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(tmp_path_factory.mktemp("closed-host")) as running:
        yield running


def show_pin(host: Host) -> str:
    shown = re.search(r"\b\d{4}\b", host.cli("pair", "--native").stdout)
    assert shown
    return shown[0]


def test_a_wrong_pin_pairs_nobody_and_the_right_one_does(closed_host: Host, tmp_path: Path) -> None:
    pin = show_pin(closed_host)
    wrong = f"{(int(pin) + 1) % 10_000:04d}"
    refused = connect(closed_host, tmp_path, "--pin", wrong)
    assert refused.returncode == 1
    assert "the PIN is wrong" in refused.stderr
    assert "punktfunk pair --native" in refused.stderr
    closed_host.lines.wait_for("did not prove that it knows the PIN", 5)

    paired = connect(
        closed_host, tmp_path, "--pin", show_pin(closed_host), "--frames", "20", "--verify", "--json"
    )
    assert report_of(paired)["verified"]["ok"]
    (known,) = json.loads((tmp_path / "known-hosts.json").read_text())["hosts"]
    assert known["trust"] == "pin"

    elsewhere = connect(closed_host, tmp_path, "--fingerprint", "00" * 32, "--pin", "0000")
    assert elsewhere.returncode == 1
    assert "this may be another machine" in elsewhere.stderr


def test_a_device_that_knocks_is_let_in_by_hand(closed_host: Host, tmp_path: Path) -> None:
    knocking = subprocess.Popen(
        [sys.executable, "-m", "punktfunk", "connect", f"{closed_host.address}:{native_port(closed_host)}",
         "--headless", "--frames", "10", "--name", "lounge", "--state", str(tmp_path)],
        env=clean_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        closed_host.lines.wait_for("waiting: lounge", 20)
        closed_host.cli("clients", "approve", "lounge")
        said, _ = knocking.communicate(timeout=30)
    finally:
        knocking.kill()
        knocking.wait(5)
    assert knocking.returncode == 0, said
    assert "10 frames" in said
