"""What a host costs while nobody plays, and while somebody does: CPU in percent of one core, resident memory.

The budget of an idle host is 1 % of a core. Streaming is 720p60 of the test card by software H.264, watched
by a stock Moonlight core. CPU time is that of all the host's threads and children, from /proc.
"""

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
WATCH_S = 15.0


def cost(pid: int) -> tuple[float, float]:
    """Watch a process and its children for a while; (percent of a core, resident MiB)."""
    host = psutil.Process(pid)
    time.sleep(SETTLE_S)

    def spent_s() -> float:
        family = [host, *host.children(recursive=True)]
        return sum(sum(member.cpu_times()[:2]) for member in family)

    before_s, began_s = spent_s(), time.monotonic()
    time.sleep(WATCH_S)
    percent = 100 * (spent_s() - before_s) / (time.monotonic() - began_s)
    return percent, host.memory_info().rss / (1 << 20)


def rows() -> Iterator[Row]:
    """Measure one host, first idle, then streaming, then idle again."""
    with tempfile.TemporaryDirectory() as folder, Host(Path(folder)) as host:
        assert host.process is not None
        pid = host.process.pid
        yield from _rows("idle", *cost(pid))
        with paired(Path(folder), host) as client:
            desktop = next(number for number, title in client("apps")["apps"] if title == "Desktop")
            client.stream(desktop)
            yield from _rows("streaming 720p60", *cost(pid))
            client("stop")
            client("quit")
        yield from _rows("idle after a stream", *cost(pid))


def _rows(case: str, percent: float, resident_mib: float) -> Iterator[Row]:
    yield single("idle", f"{case}: CPU", "%", percent)
    yield single("idle", f"{case}: resident", "MiB", resident_mib)


if __name__ == "__main__":
    run(lambda: list(rows()), __doc__)
