"""A KWin double and the backend that meets it."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.kwin.backend import KWinDisplays
from punktfunk.control.system.journal import Journal

DOUBLE = Path(__file__).with_name("kwin_double.py")


@cache
def _nursery():
    """Start the program that makes the doubles; it ends with us."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen([sys.executable, str(DOUBLE)], stdin=theirs)
    return ours, process


class KWin:
    """A double in a process of its own."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.path = str(folder / "wayland-7")
        ours, theirs = socket.socketpair()
        request = json.dumps({"path": self.path, "options": options})
        with theirs:
            socket.send_fds(_nursery()[0], [request.encode()], [theirs.fileno()])
        self._lines = ours.makefile("rw", encoding="utf-8")
        ours.close()
        self.pid = int(self._lines.readline())
        assert self._lines.readline() == "listening\n"

    def tell(self, line):
        self._lines.write(line + "\n")
        self._lines.flush()

    def state(self):
        self.tell("state")
        return json.loads(self._lines.readline())

    def backend(self, **options):
        return KWinDisplays(self.journal, options=DisplayOptions(**options), environment=self.environment)

    @property
    def journal(self):
        return Journal(self.folder / "run")

    @property
    def environment(self):
        bus = f"unix:path={self.folder}/no-bus"
        return {
            "XDG_RUNTIME_DIR": str(self.folder),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "WAYLAND_DISPLAY": "wayland-7",
            "DBUS_SESSION_BUS_ADDRESS": bus,
            "DISPLAY": ":7",
            "XAUTHORITY": "x",
            "XDG_CURRENT_DESKTOP": "KDE",
            "XDG_SESSION_ID": "1",
        }

    def end(self):
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._lines.close()


@contextmanager
def running_kwin(folder, **options):
    kwin = KWin(folder, **options)
    try:
        yield kwin
    finally:
        kwin.end()
