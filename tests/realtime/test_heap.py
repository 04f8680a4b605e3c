"""Few heaps for many threads: measured in a process of its own, as heaps once made stay."""

import platform
import re
import subprocess
import sys

import pytest

PROGRAM = """
import threading
from pathlib import Path
from punktfunk.realtime.heap import keep_few_heaps

assert keep_few_heaps()
gate = threading.Barrier(9)

def hold():
    kept = [bytes(5000) for _ in range(200)]
    gate.wait()
    gate.wait()

threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
gate.wait()
print(Path("/proc/self/maps").read_text())
gate.wait()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc")
def test_eight_threads_share_two_heaps():
    maps = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    # A heap beside the first lies at a multiple of 64 MiB (glibc, malloc/arena.c, HEAP_MAX_SIZE).
    starts = [
        int(line.split("-")[0], 16)
        for line in maps.splitlines()
        if re.search(r" rw-p 00000000 00:00 0 *$", line)
    ]
    assert sum(start % (64 << 20) == 0 for start in starts) <= 1
