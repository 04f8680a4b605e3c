"""What a host holds at a moment, and a test's course: break something, look for leftovers, stream again."""

import contextlib
import json
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from harness import AlteredHost, Client, paired
from pictures import app_number

TOKEN = re.compile(r"[0-9a-f]{16}")
"""Names one display or session, and is another for the next."""
SETTLE_S = 20.0
"""Idle HTTP connections, ENet's farewells and Trio's cached worker threads take their time."""


class FaultyHost(AlteredHost):
    """A host in a folder of its own, all files that it makes included; ``break_by`` does what ``altered_host`` can."""

    def __init__(self, folder: Path, **options: Any) -> None:
        for name in ("run", "tmp", "alter"):
            (folder / name).mkdir(mode=0o700)
        super().__init__(
            folder,
            XDG_RUNTIME_DIR=str(folder / "run"),
            TMPDIR=str(folder / "tmp"),
            ALTERED_FOLDER=str(folder / "alter"),
            **options,
        )
        self.clients = folder / "clients"
        self.footprint: Footprint | None = None
        self.said = 0

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @contextlib.contextmanager
    def broken_by(self, what: str) -> Iterator[None]:
        (self.folder / "alter" / what).touch()
        try:
            yield
        finally:
            (self.folder / "alter" / what).unlink()

    def client(self) -> Client:
        """The paired client, as a new process."""
        return Client(self.clients / "paired", self)

    def pair_and_settle(self) -> None:
        """Pair, stream once, so that everything lazy is loaded, and take the footprint to come back to."""
        with paired(self.clients, self, "paired"):
            pass
        self.stream_once()
        self.footprint = steady_footprint(self)

    def stream_once(self) -> None:
        with self.client() as client:
            if int(client("server", secure=True)["currentgame"]):
                client("quit")  # a test that failed half-way must not fail the next
            client.stream(app_number(client, "Desktop"))
            client("wait", frames=10, seconds=5)
            client("stop")
            client("quit")

    def begin(self) -> None:
        """Forget what the host said so far: :meth:`hear` waits for new lines only."""
        self.said = len(self.lines.seen)

    def hear(self, text: str, seconds: float) -> str:
        """Wait until the host said a line with ``text``, and return it."""

        def heard() -> list[str]:
            return [line for line in self.lines.seen[self.said :] if text in line]

        deadline = time.monotonic() + seconds
        while not heard():
            assert time.monotonic() < deadline, f"no {text!r} in {self.lines.seen[self.said :]}"
            time.sleep(0.02)
        return heard()[0]

    def assert_nothing_left(self) -> None:
        """Everything is as it was before the first fault, also where the host is another by now."""
        assert self.footprint is not None
        deadline = time.monotonic() + SETTLE_S
        while (found := take_footprint(self)) != self.footprint:
            assert time.monotonic() < deadline, found.differences(self.footprint)
            time.sleep(0.1)


class Footprint:
    """Threads, tasks, children, descriptors and files of a host."""

    def __init__(self, host: FaultyHost) -> None:
        process = Path("/proc") / str(host.pid)
        names = [self._read(task / "comm") for task in (process / "task").iterdir()]
        self.threads = Counter(name for name in names if name and not name.startswith("Trio"))
        self.descriptors = Counter(self._target(entry) for entry in (process / "fd").iterdir())
        self.children = sorted(
            child.name() for child in psutil.Process(host.pid).children(recursive=True) if child.is_running()
        )
        self.tasks = json.loads((host.folder / "alter" / "tasks.json").read_text())
        self.files = sorted(
            TOKEN.sub("TOKEN", str(path.relative_to(host.folder)))
            for part in ("run", "tmp", "state")
            for path in (host.folder / part).rglob("*")
            # WirePlumber writes what it remembers when it likes; the folder is its own desktop's, and goes with it.
            if path.name != "app.log" and path.parent.name != "wireplumber"
        )

    @staticmethod
    def _read(path: Path) -> str:
        with contextlib.suppress(OSError):
            return path.read_text().strip()
        return ""

    @staticmethod
    def _target(entry: Path) -> str:
        with contextlib.suppress(OSError):
            return str(entry.readlink()).split(":[")[0]
        return "gone"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Footprint) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def differences(self, other: "Footprint") -> str:
        return "\n".join(
            f"{name}: {found}\n  was {vars(other)[name]}"
            for name, found in vars(self).items()
            if found != vars(other)[name]
        )


def take_footprint(host: FaultyHost) -> Footprint:
    for _ in range(20):
        with contextlib.suppress(
            psutil.NoSuchProcess, FileNotFoundError
        ):  # a child or thread ended meanwhile
            return Footprint(host)
    return Footprint(host)


def steady_footprint(host: FaultyHost) -> Footprint:
    """The footprint, once it has not changed for a second."""
    deadline = time.monotonic() + SETTLE_S
    last, since = take_footprint(host), time.monotonic()
    while time.monotonic() - since < 1:
        found = take_footprint(host)
        if found != last:
            assert time.monotonic() < deadline, found.differences(last)
            last, since = found, time.monotonic()
        time.sleep(0.1)
    return last


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short name: sway's sockets lie deep in it, and pytest's own are too deep for them."""
    folder = Path(tempfile.mkdtemp(prefix="pf-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
