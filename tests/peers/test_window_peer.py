"""``punktfunk connect`` as a user has it: a window on an X server without a screen, looked at and typed into."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from harness import NATIVE_OFFSET, Host
from launching import wait_for
from PIL import ImageGrab
from sway_session import needs_sway

from punktfunk.realtime.capture import barcode

pytestmark = [
    pytest.mark.peer,
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed"),
    pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed"),
]

MODE = (640, 360)
OVERLAY_TOP = np.s_[13:15, 100:300]
"""The margin above the overlay's first line: the card is grey there without it."""


class Screen:
    """An X server in memory, exactly as large as the window, and the hands and eyes before it."""

    def __init__(self, folder: Path) -> None:
        reader, writer = os.pipe()
        self.log = (folder / "xvfb.log").open("w")
        size = f"{MODE[0]}x{MODE[1]}x24"
        command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", size, "-nolisten", "tcp", "-noreset"]
        self.process = subprocess.Popen(
            command, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=self.log
        )
        os.close(writer)
        with os.fdopen(reader) as answer:
            self.name = ":" + answer.readline().strip()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.log.close()

    def pixels(self) -> np.ndarray:
        return np.asarray(ImageGrab.grab(xdisplay=self.name).convert("RGB"))

    def do(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], env={**os.environ, "DISPLAY": self.name}, check=True, timeout=30)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    opened = Screen(tmp_path_factory.mktemp("screen"))
    yield opened
    opened.close()


@contextmanager
def window(folder: Path, host: Host, screen: Screen) -> Iterator[subprocess.Popen[bytes]]:
    """A client in its window; quit by its chord of keys at the end, which must end it well."""
    log = folder / "client.log"
    environment = {
        **os.environ,
        "DISPLAY": screen.name,
        "SDL_VIDEODRIVER": "x11",
        "SDL_AUDIODRIVER": "disk",
        "SDL_DISKAUDIOFILE": str(folder / "sound.raw"),
    }
    place = f"{host.address}:{host.port + NATIVE_OFFSET}"
    command = [sys.executable, "-m", "punktfunk", "connect", place, "--fixed-size"]
    mode = f"{MODE[0]}x{MODE[1]}@60"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--mode", mode, "--state", str(folder / "client")],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield process
            screen.do("key", "ctrl+alt+shift+q")
            assert process.wait(15) == 0, log.read_text()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(5)


def number_on(screen: Screen) -> int | None:
    stamp = barcode.read(screen.pixels())
    return None if stamp is None else stamp.frame_number


def loudest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * 48_000 / len(samples))


def test_the_test_card_is_seen_and_heard_and_statistics_come_by_key(tmp_path, screen):
    with Host(tmp_path, PUNKTFUNK_NATIVE_OPEN="true") as host:
        with window(tmp_path, host, screen) as client:
            wait_for(lambda: client.poll() is not None or number_on(screen) is not None, "a barcode", 30)
            first = number_on(screen)
            assert first is not None, (tmp_path / "client.log").read_text()
            wait_for(lambda: (number_on(screen) or 0) > first + 30, "later pictures")
            assert screen.pixels()[OVERLAY_TOP].min() > 100
            screen.do("key", "ctrl+alt+shift+s")
            wait_for(lambda: screen.pixels()[OVERLAY_TOP].max() < 60, "the overlay")
            screen.do("key", "ctrl+alt+shift+s")
            wait_for(lambda: number_on(screen) is not None, "the barcode without the overlay")
        host.lines.wait_for("quit by the client", 10)
    heard = np.fromfile(tmp_path / "sound.raw", "<f4").reshape(-1, 2)[-48_000:-4_800]
    assert len(heard) > 24_000
    assert loudest_hz(heard[:, 0]) == pytest.approx(440, abs=5)
    assert loudest_hz(heard[:, 1]) == pytest.approx(1000, abs=5)


@pytest.mark.skipif(needs_sway[0].args[0], reason=needs_sway[0].kwargs["reason"])
@pytest.mark.skipif(needs_sway[1].args[0], reason=needs_sway[1].kwargs["reason"])
def test_what_is_typed_into_the_window_arrives_in_the_hosts_desktop(tmp_path, screen):
    answer = tmp_path / "answer"
    serving = Host(tmp_path, display="sway", PUNKTFUNK_NATIVE_OPEN="true")
    with serving as host, window(tmp_path, host, screen):
        host.lines.wait_for("app started", 30)
        screen.do("mousemove", "300", "200", "click", "1")

        def typed() -> bool:
            screen.do("type", f"echo $((6*7)) > {answer}")
            screen.do("key", "Return")
            return answer.exists()

        wait_for(typed, "what a shell wrote", 20)
        wait_for(lambda: answer.read_text().strip() == "42", "its answer")
