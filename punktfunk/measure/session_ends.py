"""Start the two ends of a session as processes of their own, on loopback or in two network namespaces."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

from punktfunk import paths
from punktfunk.control import admin_client
from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.quic_peer import ADDRESS

READY: Final = "ready:"
_END_S: Final = 20
_HOST_ADDRESS: Final = "10.213.77.1"
_CLIENT_ADDRESS: Final = "10.213.77.2"
_LEAST_PORT: Final = 20_000
_PORTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where both ends are: the host's address, and the words that enter each one's namespace."""

    address: str = ADDRESS
    host_words: tuple[str, ...] = ()
    client_words: tuple[str, ...] = ()


class Process:
    """A process that prints lines; ended, with everything, when the block is left."""

    def __init__(self, words: list[str], environment: dict[str, str] | None = None) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed with the block
        self.process = subprocess.Popen(
            words,
            env=environment or clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def wait_for(self, text: str) -> str:
        """Return the next line with ``text``; EnvironmentProblem, with its last words, if it ends before."""
        assert self.process.stdout is not None
        said: list[str] = []
        for line in self.process.stdout:
            said = [*said[-20:], line.rstrip()]
            if text in line:
                return line
        self._log.seek(0)
        words = " / ".join([*said[-5:], *self._log.read().splitlines()[-5:]])
        raise EnvironmentProblem(
            f"one end of the session ended early: {words}", hint="Try again; its words say why."
        )

    @property
    def stdin(self) -> IO[str]:
        """What it reads."""
        assert self.process.stdin is not None
        return self.process.stdin


def clean_environment(**more: str) -> dict[str, str]:
    """Copy this environment without anybody's settings of punktfunk, but with ``more``."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PUNKTFUNK_")}
    return kept | more


@dataclass(frozen=True, slots=True)
class RunningHost:
    """A host that takes sessions."""

    place: Place
    port: int
    folder: Path

    def session(self) -> dict[str, Any]:
        """Ask for what it says of its only session."""
        found = admin_client.call(paths.admin_socket(self.folder / "state"), {"verb": "status"})
        (session,) = found["native"]
        return dict(session)


@contextmanager
def running_host(place: Place, units: Path | None = None, **settings: str) -> Iterator[RunningHost]:
    """Run a host that lets everybody in and shows a test card, or ``units`` in its place.

    ``settings``: more variables for it, such as PUNKTFUNK_SESSION.
    """
    with tempfile.TemporaryDirectory(prefix="punktfunk-bench-") as named:
        folder = Path(named)
        (folder / "config.toml").touch()
        port = _LEAST_PORT + os.getpid() % _PORTS
        own = {
            "PUNKTFUNK_CONFIG": str(folder / "config.toml"),
            "PUNKTFUNK_BIND": place.address,
            "PUNKTFUNK_STATE": str(folder / "state"),
            "PUNKTFUNK_DISPLAY": "testcard",
            "PUNKTFUNK_DISCOVERY": "false",
            "PUNKTFUNK_GAMESTREAM": "false",
            "PUNKTFUNK_NATIVE_OPEN": "true",
            "PUNKTFUNK_NATIVE_PORT": str(port),
        }
        environment = clean_environment(**(own | settings))
        words = [*place.host_words, sys.executable, "-m", "punktfunk.measure.session_host", str(units or "")]
        with Process(words, environment) as process:
            process.wait_for(READY)
            yield RunningHost(place, port, folder)


@contextmanager
def running_client(host: RunningHost, do: str, **asked: object) -> Iterator[Process]:
    """Run a client that does ``do``, see `measure.session_client`; it streams when the block begins."""
    what = {
        "state": str(host.folder / "client"),
        "address": host.place.address,
        "port": host.port,
        "do": do,
        "bitrate_kbps": 20_000,
        **asked,
    }
    client = [sys.executable, "-m", "punktfunk.measure.session_client", json.dumps(what)]
    with Process([*host.place.client_words, *client]) as process:
        process.wait_for('"streaming"')
        yield process


def result(client: Process) -> dict[str, Any]:
    """Wait for what a client saw."""
    return dict(json.loads(client.wait_for('"done"')))


@contextmanager
def flooding(what: str, port: int) -> Iterator[None]:
    """Have another process flood a port of loopback with first packets ("hello") or ``noise``."""
    with Process([sys.executable, "-m", "punktfunk.measure.quic_peer", what, str(port), "500"]) as process:
        process.wait_for("ready")
        yield


@contextmanager
def two_namespaces() -> Iterator[Place | None]:
    """Make two network namespaces and a pair of virtual Ethernet devices; None where that is not allowed."""
    tool = shutil.which("ip")
    if tool is None or os.geteuid() != 0:
        yield None
        return
    names = [f"pfbench-{end}-{os.getpid()}" for end in ("host", "client")]
    made: list[str] = []

    def ip(*words: str) -> None:
        subprocess.run([tool, *words], check=True, capture_output=True)

    try:
        for name in names:
            ip("netns", "add", name)
            made.append(name)
        ip("-n", names[0], "link", "add", "pf0", "type", "veth", "peer", "name", "pf0", "netns", names[1])
        for name, address in zip(names, (_HOST_ADDRESS, _CLIENT_ADDRESS), strict=True):
            ip("-n", name, "addr", "add", f"{address}/30", "dev", "pf0")
            for device in ("lo", "pf0"):
                ip("-n", name, "link", "set", device, "up")
        time.sleep(0.5)  # until the link is up
        enter = [(tool, "netns", "exec", name) for name in names]
        yield Place(_HOST_ADDRESS, enter[0], enter[1])
    except subprocess.CalledProcessError:
        if len(made) == len(names):
            raise
        yield None
    finally:
        for name in made:
            subprocess.run([tool, "netns", "delete", name], check=False, capture_output=True)
