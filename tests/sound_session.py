"""A sound server in a runtime folder of its own, and the programs that play, record and ask in tests."""

import json
import shutil
import subprocess
import tempfile
import time
import wave
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from pipewire_session import await_socket, daemon, session_environment

RATE_HZ = 48_000
NAMES = ("pipewire", "wireplumber", "pipewire-pulse", "pw-cat", "pw-record", "pw-metadata", "dbus-daemon")
missing_sound = ", ".join(name for name in NAMES if shutil.which(name) is None)


class SoundSession:
    """PipeWire, WirePlumber and pipewire-pulse, which come and go; their bus stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = session_environment(folder)
        self.socket = str(folder / "pipewire-0")
        self._daemons = ExitStack()
        self.is_running = False

    def start(self) -> None:
        enter = self._daemons.enter_context
        enter(daemon(self.environment, "pipewire"))
        await_socket(Path(self.socket))
        enter(daemon(self.environment, "wireplumber"))
        enter(daemon(self.environment, "pipewire-pulse"))
        await_socket(self.folder / "pulse/native")
        self.is_running = True

    def stop(self) -> None:
        self._daemons.close()
        self.is_running = False

    def run(self, *command: str, seconds: float = 10) -> str:
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=seconds, check=False
        ).stdout

    def default(self, role: str = "sink") -> str:
        """The configured default sink or source; empty where the user chose none."""
        for line in self.run("pw-metadata", "-n", "default", "0").splitlines():
            if f"key:'default.configured.audio.{role}'" in line:
                return json.loads(line.partition("value:'")[2].partition("'")[0])["name"]
        return ""

    def nodes(self) -> list[str]:
        dumped = json.loads(self.run("pw-dump") or "[]")
        found = [thing["info"]["props"] for thing in dumped if thing["type"] == "PipeWire:Interface:Node"]
        return [props["node.name"] for props in found if "media.class" in props]

    def wait_until(self, condition, what: str, seconds: float = 8) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{what} did not come true: {self.nodes()}"
            time.sleep(0.05)

    @contextmanager
    def playing(self, *frequencies_hz: float):
        """A program that plays one tone for each channel into the default sink."""
        path = self.folder / "tone.wav"
        write_tones(path, frequencies_hz, 20)
        command = ["pw-cat", "-p", "--latency", "5ms", str(path)]
        with subprocess.Popen(command, env=self.environment, stderr=subprocess.DEVNULL) as player:
            try:
                yield player
            finally:
                player.kill()

    def record(self, seconds: float) -> np.ndarray:
        """What a program records from the default source meanwhile, mono."""
        path = self.folder / "heard.wav"
        words = ["pw-record", "--rate", str(RATE_HZ), "--channels", "1", "--format", "s16", str(path)]
        self.run("timeout", "-s", "INT", str(seconds), *words)
        return np.frombuffer(path.read_bytes()[44:], "<i2").astype(np.float64)


def write_tones(path: Path, frequencies_hz, seconds: float) -> None:
    times_s = np.arange(round(RATE_HZ * seconds)) / RATE_HZ
    waves = np.sin(2 * np.pi * np.array(frequencies_hz) * times_s[:, None]) * 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(frequencies_hz))
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(waves.astype("<i2").tobytes())


def tone_hz(samples: np.ndarray) -> float:
    """Pitch of the one tone that is played; 0 for silence.

    The median of what the phase of the analytic signal (Gabor 1946) advances by from sample to sample: where
    a busy machine leaves a gap or skips a quantum the phase jumps, which moves a spectrum's peak but no median.
    """
    spectrum = np.fft.fft(samples - samples.mean())
    spectrum[samples.size // 2 + 1 :] = 0
    analytic = np.fft.ifft(spectrum)
    loud = np.abs(analytic[1:]) > np.abs(analytic).max() / 4
    if not loud.any():
        return 0.0
    steps_rad = np.angle(analytic[1:] * analytic[:-1].conj())[loud]
    return float(np.median(steps_rad) * RATE_HZ / (2 * np.pi))


def near(tones_hz, wanted_hz) -> bool:
    """Whether these are the tones."""
    return all(abs(found_hz - hz) < 8 for found_hz, hz in zip(tones_hz, wanted_hz, strict=True))


@contextmanager
def sound_session(*, started: bool = True):
    """A session with its bus; the sound server runs if ``started``, and is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="pf-sound-") as name:
        folder = Path(name)
        folder.chmod(0o700)
        session = SoundSession(folder)
        bus = ("--session", "--nofork", "--nopidfile", f"--address=unix:path={folder}/bus")
        with daemon(session.environment, "dbus-daemon", *bus):
            await_socket(folder / "bus")
            try:
                if started:
                    session.start()
                yield session
            finally:
                session.stop()
