"""What the tests on a real sway share: which sways there are, programs on an output, pictures of it."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import trio

from punktfunk.control.displays.sway_ipc import Kind, connect_sway
from punktfunk.control.system.processes import find_by_token
from punktfunk.plan import PipeWireSource
from punktfunk.realtime.capture.pipewire import PipeWireCapture
from punktfunk.realtime.capture.wayland import WaylandCapture

SCRIPT = Path(__file__).parent.parent / "scripts" / "trixie_chroot"


def trixie_bin() -> Path | None:
    """The programs of the cached Debian 13 tree, if scripts/trixie_chroot made it."""
    found = subprocess.run(["bash", str(SCRIPT), "--path"], capture_output=True, text=True, check=False)
    return Path(found.stdout.strip()) / "punktfunk-bin" if found.returncode == 0 else None


TRIXIE = trixie_bin()
needs_sway = [
    pytest.mark.skipif(os.geteuid() == 0, reason="sway refuses to run as root"),
    pytest.mark.skipif(shutil.which("sway") is None, reason="sway is not installed"),
]
no_trixie = pytest.mark.skipif(TRIXIE is None, reason="scripts/trixie_chroot was not run")
SWAYS = [
    pytest.param(["sway"], id="installed"),
    pytest.param([str(TRIXIE / "sway")] if TRIXIE else [], id="trixie", marks=no_trixie),
]


@contextmanager
def program(output, *command):
    """Run a program on an output, with its output in a pipe; end it at the end of the block."""
    environment = {**os.environ, **output.environment}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


async def bar_is_there(output) -> None:
    """Wait until a sway of our own shows its bar: for a moment a window that makes room for it has no pointer."""
    async with connect_sway(output.ipc_socket_path) as ipc:
        with trio.fail_after(10):
            while True:
                (workspace,) = json.loads(await ipc.request(Kind.GET_WORKSPACES))
                if workspace["rect"]["y"] > 0:
                    return
                await trio.sleep(0.02)


def flood(colour: int) -> list[str]:
    """A command that fills the output with one colour."""
    return ["foot", "--fullscreen", "-o", f"colors.background={colour:06x}", "sh", "-c", "exec sleep 1000"]


def most_common(pixels: np.ndarray) -> int:
    return Counter((pixels[::7, ::7] & 0xFFFFFF).ravel().tolist()).most_common(1)[0][0]


class Viewer:
    """Captures an output on the caller's thread."""

    def __init__(self, source):
        is_node = isinstance(source, PipeWireSource)
        self.capture = PipeWireCapture(source) if is_node else WaylandCapture(source)
        self.reader, self.writer = os.pipe()

    def __enter__(self):
        self.capture.open()
        return self

    def __exit__(self, *_):
        self.capture.close()
        os.close(self.reader)
        os.close(self.writer)

    def picture(self, timeout_s=5.0):
        """The next picture, as a copy; None if the screen stays still."""
        frame = self.capture.next(int(timeout_s * 1e9), self.reader)
        if frame is None:
            return None
        pixels = frame.pixels.copy()
        frame.release()
        return pixels

    def until(self, condition, timeout_s=10.0):
        """Pictures until one meets the condition."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            pixels = self.picture(0.5)
            if pixels is not None and condition(pixels):
                return pixels
        raise AssertionError("no picture met the condition")


def save(pixels: np.ndarray, name: str) -> None:
    """Keep a picture for people to look at, where PUNKTFUNK_SCREENSHOTS names a folder."""
    if folder := os.environ.get("PUNKTFUNK_SCREENSHOTS"):
        from PIL import Image

        rgb = pixels.view(np.uint8).reshape(*pixels.shape, 4)[:, :, [2, 1, 0]]
        Image.fromarray(np.ascontiguousarray(rgb)).save(Path(folder) / f"{name}.png")


def assert_nothing_left(journal, token: str = "") -> None:
    """No journal entry, no folder, no process."""
    assert journal.entries() == ([], [])
    assert {path.name for path in journal.runtime_folder.glob("*")} <= {"journal"}
    assert not list(Path(tempfile.gettempdir()).glob(f"punktfunk-s-{token or '*'}"))
    if token:
        assert find_by_token(token) == []
