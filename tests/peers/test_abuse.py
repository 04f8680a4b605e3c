"""A stream goes on as if nothing were, while strangers abuse every listener of the host."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Self

import psutil
import pytest
from harness import Client, Host, paired
from pictures import IDR, check_pictures, desktop, missing
from relay import Relay

from punktfunk.paths import admin_socket

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

FPS = 30
LONGEST_GAP_US = (
    1_000_000  # a tenth of it is usual; two processors run client, decoder and attacker besides the host
)
LARGEST_GROWTH_BYTES = 48 << 20
MOST_LINES = 40


@pytest.fixture(scope="module")
def relay(host: Host) -> Iterator[Relay]:
    """In the middle, to record what the client says on the control port and to say it again."""
    with Relay(host.address, "127.0.0.2", host.port, encrypted=True) as running:
        yield running


@pytest.fixture(scope="module")
def watcher(host: Host, relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One client that streams through all tests of this module."""
    folder = tmp_path_factory.mktemp("clients")
    with paired(folder, host, "watcher"), Client(folder / "watcher", host, relay.relay) as client:
        client.stream(desktop(client), fps=FPS)
        client("wait", frames=30, seconds=5)
        yield client
        client("stop")
        client("quit")


def resident_bytes(host: Host) -> int:
    assert host.process is not None
    return int(psutil.Process(host.process.pid).memory_info().rss)


class Watched:
    """What the stream, the memory and the log did while the block ran."""

    def __init__(self, host: Host, client: Client) -> None:
        self.host, self.client = host, client
        self.report: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.bytes_before = resident_bytes(self.host)
        self.lines_before = len(self.host.lines.seen)
        self.frames_before = len(self.client("report")["frames"])
        self.started = time.monotonic()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            return
        seconds = time.monotonic() - self.started
        self.client("wait", frames=10, seconds=2)
        report = self.client("report", since=max(0, self.frames_before - 1))
        frames = report["frames"]
        assert report["terminated"] is None
        assert missing(frames) == []
        check_pictures(report, at_least=int(seconds * FPS * 0.7), late=len(frames) // 10)
        gaps = [b["received_us"] - a["received_us"] for a, b in pairwise(frames)]
        assert max(gaps) < LONGEST_GAP_US
        assert resident_bytes(self.host) - self.bytes_before < LARGEST_GROWTH_BYTES
        self.lines = self.host.lines.seen[self.lines_before :]
        assert len(self.lines) < MOST_LINES, self.lines[:MOST_LINES]
        assert not any("Traceback" in line for line in self.lines), self.lines
        self.kinds = Counter(line.split("kind=")[1].split()[0] for line in self.lines if "kind=" in line)
        assert set(self.kinds.values()) <= {1}, self.kinds


def attack(host: Host, *attacks: str, **options: Any) -> dict[str, int]:
    """Run the attacker to its end."""
    where = {"address": host.address, "port": host.port, "admin": str(admin_socket(host.state))}
    command = [sys.executable, str(Path(__file__).parent / "attacks.py")]
    done = subprocess.run(
        [*command, json.dumps({**where, "attacks": attacks, **options})],
        stdout=subprocess.PIPE, text=True, check=True, timeout=60,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def still_served(host: Host, client: Client) -> None:
    """HTTP, HTTPS and the admin socket still answer those who may ask."""
    assert client("server", secure=True)["PairStatus"] == "1"
    assert client("server")["PairStatus"] == "0"
    assert "watcher" in host.cli("clients", "list").stdout


def test_garbage(host: Host, watcher: Client) -> None:
    with Watched(host, watcher):
        assert attack(host, "garbage")["garbage"] > 100
        still_served(host, watcher)


def test_thousand_connections(host: Host, watcher: Client) -> None:
    with Watched(host, watcher):
        assert attack(host, "crowd")["crowd"] > 2000
        still_served(host, watcher)


def test_slow_loris(host: Host, watcher: Client) -> None:
    with Watched(host, watcher):
        assert attack(host, "slow_loris")["slow_loris"] > 50
        still_served(host, watcher)


def test_strangers_with_tls(host: Host, watcher: Client) -> None:
    with Watched(host, watcher):
        assert attack(host, "handshakes")["handshakes"] == 30
        still_served(host, watcher)


def test_datagrams_of_strangers(host: Host, watcher: Client) -> None:
    with Watched(host, watcher):
        attack(host, "connects", "datagrams")


def test_forged_and_replayed_control(host: Host, watcher: Client, relay: Relay) -> None:
    recorded = list(relay.control)
    assert len(recorded) > 20
    with Watched(host, watcher):
        attack(host, "forged", recorded=[data.hex() for data in recorded])
        # The same, and garbage, from the client's own address and port, as the relay has them.
        random = Random(1)
        for data in recorded * 5:
            relay.inject(10, data)
            relay.inject(10, data[: random.randrange(len(data))])
            relay.inject(10, random.randbytes(random.randrange(200)))
        watcher("wait", frames=30, seconds=3)
    frames = len(watcher("report")["frames"])
    watcher.calls(["LiRequestIdrFrame"])
    watcher("wait", frames=30, seconds=3)
    assert any(f["type"] == IDR for f in watcher("report", since=frames)["frames"]), "control is deaf"
