"""A Python thread that keeps the GIL busy: what a host must not be disturbed by."""

import contextlib
import sys
import threading
from collections.abc import Iterator

from punktfunk import realtime


@contextlib.contextmanager
def hog() -> Iterator[threading.Event]:
    """Keep the GIL busy from a thread while the event is set, with the host's own switch interval."""
    interval_s = sys.getswitchinterval()
    realtime.prepare_process()
    busy, ended = threading.Event(), threading.Event()

    def burn() -> None:
        number = 0
        while not ended.is_set():
            busy.wait()
            for _ in range(1000):
                number = number * 31 + 7 & 0xFFFFFFFF

    thread = threading.Thread(target=burn, name="hog")
    thread.start()
    try:
        yield busy
    finally:
        ended.set()
        busy.set()
        thread.join()
        sys.setswitchinterval(interval_s)
