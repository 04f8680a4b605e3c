"""What a host costs while nobody plays, and while somebody does: CPU in percent of one core, resident memory.

The budget of an idle host is 1 % of a core. Streaming is 720p60 of the test card by software H.264, watched
by a stock Moonlight core, which moonlight-python brings: without it only the idle host is measured, and the
command fails. CPU time is that of all threads, by the process's own clock (nanoseconds); an idle host does so
little that the ticks of /proc show nothing. Discovery by mDNS is on.
"""

import importlib.util
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.paired import Row, run, single

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "peers"))
from harness import Host, paired

SETTLE_S = 3.0
WATCH_S = 20.0
_CPU_CLOCK = 2  # CPUCLOCK_SCHED, see clock_getcpuclockid(3)


def spent_ns(pid: int) -> int:
    """CPU time of a process, its ended threads too, and of its children that live."""
    family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    return sum(time.clock_gettime_ns(~member << 3 | _CPU_CLOCK) for member in family)


def cost(pid: int) -> tuple[float, float]:
    """Watch a process and its children for a while; (percent of a core, resident MiB)."""
    time.sleep(SETTLE_S)
    before_ns, began_ns = spent_ns(pid), time.monotonic_ns()
    time.sleep(WATCH_S)
    percent = 100 * (spent_ns(pid) - before_ns) / (time.monotonic_ns() - began_ns)
    return percent, psutil.Process(pid).memory_info().rss / (1 << 20)


def rows() -> Iterator[Row]:
    """Measure one host, first idle, then streaming, then idle again."""
    with tempfile.TemporaryDirectory() as folder, Host(Path(folder), PUNKTFUNK_DISCOVERY="true") as host:
        assert host.process is not None
        pid = host.process.pid
        yield from _rows("idle", *cost(pid))
        if importlib.util.find_spec("moonlight_python") is None:
            return
        with paired(Path(folder), host) as client:
            desktop = next(number for number, title in client("apps")["apps"] if title == "Desktop")
            client.stream(desktop)
            yield from _rows("streaming 720p60", *cost(pid))
            client("stop")
            client("quit")
        yield from _rows("idle after a stream", *cost(pid))


def _rows(case: str, percent: float, resident_mib: float) -> Iterator[Row]:
    yield single("idle", f"{case}: CPU of one core", "%", percent)
    yield single("idle", f"{case}: resident", "MiB", resident_mib)


if __name__ == "__main__":
    run(lambda: list(rows()), __doc__)
    if importlib.util.find_spec("moonlight_python") is None:
        raise SystemExit("moonlight-python is missing, so streaming was not measured: pip install '.[peers]'")
