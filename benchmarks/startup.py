"""How long a person waits: for ``punktfunk --help``, for ``punktfunk serve`` to listen and to stream.

The budgets are 0.3 s for help and 3 s to listening. Baselines show what is not ours to save: a bare
interpreter, and one that only imports the libraries that the host stands on. The cold start has an empty
kernel cache; its steps are the lines that the host prints, each with the seconds since its launch.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.paired import Row, compare, interval, run, single

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "peers"))
from harness import READY, free_base_port

ADDRESS = "127.0.0.1"
LIBRARIES = "trio, hypercorn, quart_trio, OpenSSL, cryptography.x509, zeroconf, jeepney, pydantic, typer"
HELP_ROUNDS = 20
SERVE_ROUNDS = 7
KNOCK_EVERY_S = 0.005


def python(*words: str) -> None:
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)


class Start:
    """One start of a host, stopped again once it can stream. Seconds count from its launch."""

    def __init__(self, **environ: str) -> None:
        self.listening_s = float("nan")
        self.steps: list[tuple[float, str]] = []
        self._port = free_base_port(ADDRESS)
        with tempfile.TemporaryDirectory() as folder:
            kept = {key: value for key, value in os.environ.items() if not key.startswith("PUNKTFUNK_")}
            words = (
                "--bind",
                ADDRESS,
                "--port",
                str(self._port),
                "--display",
                "testcard",
                "--state",
                f"{folder}/state",
            )
            self._began_s = time.perf_counter()
            with subprocess.Popen(
                [sys.executable, "-m", "punktfunk", "serve", *words],
                env=kept
                | {"PUNKTFUNK_DISCOVERY": "false", "PUNKTFUNK_CONFIG": f"{folder}/none.toml"}
                | environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
            ) as host:
                knocking = threading.Thread(target=self._knock, args=(host,))
                knocking.start()
                self._read(host)
                knocking.join()
                host.terminate()
                host.communicate()

    @property
    def ready_s(self) -> float:
        """Seconds until the host could stream."""
        return self.steps[-1][0]

    def _since_s(self) -> float:
        return time.perf_counter() - self._began_s

    def _read(self, host: subprocess.Popen[str]) -> None:
        assert host.stdout is not None
        for line in host.stdout:
            self.steps.append((self._since_s(), line.strip()))
            if line.startswith(READY):
                return
        raise SystemExit("the host ended: " + "\n".join(line for _, line in self.steps))

    def _knock(self, host: subprocess.Popen[str]) -> None:
        while host.poll() is None:
            try:
                socket.create_connection((ADDRESS, self._port), timeout=1).close()
            except OSError:
                time.sleep(KNOCK_EVERY_S)
                continue
            self.listening_s = self._since_s()
            return


def rows() -> Iterator[Row]:
    """Time help, warm starts, and one cold start."""
    yield compare(
        "startup",
        "punktfunk --help",
        "bare interpreter",
        lambda: python("-c", "pass"),
        lambda: python("-m", "punktfunk", "--help"),
        rounds=HELP_ROUNDS,
    )
    Start()  # fills every cache
    yield from warm_rows()
    with tempfile.TemporaryDirectory() as cache:
        cold = Start(XDG_CACHE_HOME=cache)
    yield single("startup", "serve cold: listening", "s", cold.listening_s)
    for seconds, line in cold.steps:
        if not line[:1].isdigit():  # log lines begin with the time of day: their names would differ every run
            yield single("startup", f"cold: {line[:28]}", "s", seconds)


def warm_rows() -> Iterator[Row]:
    """Start warm hosts, each beside an interpreter that only imports the libraries."""
    libraries_s, listening_s, ready_s = [], [], []
    for turn in range(SERVE_ROUNDS):
        for which in (0, 1) if turn % 2 else (1, 0):
            if which == 0:
                began_s = time.perf_counter()
                python("-c", f"import {LIBRARIES}")
                libraries_s.append(time.perf_counter() - began_s)
            else:
                start = Start()
                listening_s.append(start.listening_s)
                ready_s.append(start.ready_s)
    baseline_s = np.array(libraries_s)
    for case, ours_s in (("listening", np.array(listening_s)), ("ready", np.array(ready_s))):
        ratio, low, high = interval(baseline_s / ours_s)
        medians = float(np.median(ours_s)), float(np.median(baseline_s))
        yield Row("startup", f"serve warm: {case}", "s", *medians, "its libraries only", ratio, low, high)


if __name__ == "__main__":
    run(lambda: list(rows()), __doc__)
