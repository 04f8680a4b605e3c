"""Start a host and stock clients as processes of their own, and talk to them."""

import contextlib
import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
OFFSETS_TCP, OFFSETS_UDP = (-5, 0, 21), (9, 10, 11, 12)
NATIVE_OFFSET = 12
READY = "ready:"
PATIENCE = float(
    os.environ.get("PUNKTFUNK_TEST_PATIENCE", "1")
)  # on an emulated processor everything takes longer


def free_base_port(*addresses: str) -> int:
    """A base whose seven ports are free on every address."""
    for _ in range(100):
        base = random.randrange(20000, 32000)
        with contextlib.ExitStack() as stack:
            try:
                for address in addresses:
                    family = socket.AF_INET6 if ":" in address else socket.AF_INET
                    for kind, offsets in (
                        (socket.SOCK_STREAM, OFFSETS_TCP),
                        (socket.SOCK_DGRAM, OFFSETS_UDP),
                    ):
                        for offset in offsets:
                            probe = stack.enter_context(socket.socket(family, kind))
                            probe.bind((address, base + offset))
            except OSError:
                continue
            return base
    raise AssertionError("no free ports")


class Lines:
    """Collect a stream's lines in a thread, and wait for one."""

    def __init__(self, stream: Any) -> None:
        self.seen: list[str] = []
        self._stream = stream
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: Any) -> None:
        for line in stream:
            self.seen.append(line.rstrip("\n"))
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def close(self) -> None:
        """Call after the process has ended: its end of the pipe is closed, so the thread ends too."""
        self._thread.join(5)
        self._stream.close()

    def wait_for(self, text: str, seconds: float) -> str:
        """Return the next line with ``text``; what was said until then is in the failure."""
        deadline = time.monotonic() + seconds * PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._queue.get(timeout=left)
            except queue.Empty:
                break
            assert line is not None, f"ended without {text!r}:\n" + "\n".join(self.seen[-40:])
            if text in line:
                return line
        raise AssertionError(f"no {text!r} within {seconds} s:\n" + "\n".join(self.seen[-40:]))


class Host:
    """``punktfunk serve`` as a user would start it."""

    def __init__(
        self,
        folder: Path,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        display: str = "testcard",
        **environment: str,
    ) -> None:
        self.folder = folder
        self.address = address
        self.port = port or free_base_port(address)
        self.state = folder / "state"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PUNKTFUNK_")},
            "PUNKTFUNK_DISCOVERY": "false",
            "PUNKTFUNK_NATIVE_PORT": str(self.port + NATIVE_OFFSET),
            "PUNKTFUNK_CONFIG": str(folder / "config.toml"),
            **environment,
        }
        self.command = [
            sys.executable, "-m", "punktfunk", "serve",
            "--bind", address, "--port", str(self.port), "--state", str(self.state), "--display", display, "--name", "peer-host",
        ]  # fmt: skip
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        (self.folder / "config.toml").touch()
        self.process = subprocess.Popen(
            self.command,
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.lines = Lines(self.process.stdout)
        try:
            self.lines.wait_for(READY, 120)
        except AssertionError:
            self.stop()
            raise

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise
        finally:
            self.lines.close()

    def cli(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "punktfunk", *words, "--state", str(self.state)],
            env=self.environment, text=True, capture_output=True, timeout=30 * PATIENCE, check=check,
        )  # fmt: skip

    def pair(self, client: "Client", pin: str = "1234", name: str = "test client") -> dict[str, Any]:
        """Pair as a person does: the client shows the PIN, ``punktfunk pair`` gives it to the host."""
        client.begin("pair", pin=pin)
        for _ in range(100):
            done = self.cli("pair", pin, "--name", name, check=False)
            if done.returncode == 0:
                break
            time.sleep(0.1)
        else:
            raise AssertionError(done.stderr + done.stdout)
        return client.finish()


class AlteredHost(Host):
    """A host that ``altered_host`` changes; its environment says how."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.command[1:3] = [str(HERE / "altered_host.py")]


class Client:
    """One stock client in a process of its own."""

    def __init__(self, folder: Path, host: Host, address: str | None = None) -> None:
        self.target = {"address": address or host.address, "port": host.port}
        folder.mkdir(parents=True, exist_ok=True)
        self.log = (folder / "client.log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "moonlight_core.py"), str(folder)],
            text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
        )  # fmt: skip
        self.answers = Lines(self.process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(15 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.answers.close()
        self.log.close()

    def begin(self, do: str, **options: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": do, **self.target, **options}) + "\n")
        self.process.stdin.flush()

    def finish(self, seconds: float = 60) -> dict[str, Any]:
        return dict(json.loads(self.answers.wait_for("{", seconds)))

    def __call__(self, do: str, *, patience: float = 60, **options: Any) -> dict[str, Any]:
        """Run a command; an error that the client reports fails the test."""
        self.begin(do, **options)
        answer = self.finish(patience)
        assert "error" not in answer, answer
        return answer

    def refused(self, do: str, **options: Any) -> str:
        """Run a command that must fail, and return the client's error."""
        self.begin(do, **options)
        answer = self.finish()
        assert "error" in answer, answer
        return str(answer["error"])

    def stream(
        self, app_id: int, *, width: int = 1280, height: int = 720, fps: int = 60, **options: Any
    ) -> dict[str, Any]:
        """Launch (or resume) and wait until pictures come."""
        answer = self("start", app_id=app_id, width=width, height=height, fps=fps, **options)
        waited = self("wait", frames=5, seconds=20 * PATIENCE)
        assert waited["frames"] >= 5, waited
        return answer

    def calls(self, *calls: list[Any]) -> None:
        self("call", calls=list(calls))


@contextlib.contextmanager
def paired(folder: Path, host: Host, name: str = "client", address: str | None = None) -> Iterator[Client]:
    with Client(folder / name, host, address) as client:
        host.pair(client, name=name)
        yield client
