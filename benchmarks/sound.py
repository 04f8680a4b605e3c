"""From a program that plays to the packet that leaves: a sink of ours in PipeWire, and a null sink's monitor.

A program plays a click every tenth of a second. Its time is that of handing the samples to the sound server,
and ends when pf-sound has the packet with the click. The baseline is what a client of the Pulse protocol can
do: a null sink of the server's, whose monitor is recorded in pieces of five milliseconds. The same daemon
serves both, and the clicks take turns. Both wait up to five milliseconds for the rest of the packet.
"""

import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.paired import Row, paired, run, single
from punktfunk.plan import AudioSource, NativeAudioPlan, SoundNodePlan, SoundRole
from punktfunk.realtime.capture.sample_ring import SampleRing
from punktfunk.realtime.pulse.visit import PulseVisit
from punktfunk.realtime.sound_maker import SoundMaker
from punktfunk.realtime.sound_node import PipeWireVisit, SoundNode

CLICKS = 100
CLICK_SAMPLES = 48
EVERY_NS = 100_000_000
PATIENCE_NS = 500_000_000
TRIES = 5
RATE_HZ = 48_000
JOIN_NS = 2_000_000_000
PROGRAMS = ("dbus-daemon", "pipewire", "wireplumber", "pipewire-pulse")


class Clicker(SampleRing):
    """What the program plays: zeros, and now and then a click, whose time is noted as it is handed over."""

    def __init__(self) -> None:
        super().__init__(2, RATE_HZ)
        self.played_ns = 0
        self._is_due = False

    def click(self) -> None:
        """Play a click with the next samples."""
        self.played_ns = 0
        self._is_due = True

    def take(self, count: int) -> tuple[NDArray[np.float32], int]:
        """Give what the sound server asks for."""
        samples = np.zeros((count, 2), np.float32)
        if self._is_due and count >= CLICK_SAMPLES:
            self._is_due = False
            samples[:CLICK_SAMPLES] = 0.5
            self.played_ns = time.monotonic_ns()
        return samples, 0


@contextmanager
def daemons() -> Iterator[Path]:
    """Run a sound server in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="pf-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o700)
        bus = f"unix:path={folder}/bus"
        own = {"XDG_RUNTIME_DIR": name, "HOME": name, "DBUS_SESSION_BUS_ADDRESS": bus}
        environment = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")} | own
        sockets = {"dbus-daemon": "bus", "pipewire": "pipewire-0", "pipewire-pulse": "pulse/native"}
        for program in PROGRAMS:
            words = [f"--address={bus}", "--session", "--nofork", "--nopidfile"] * (program == "dbus-daemon")
            process = subprocess.Popen(
                [program, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            while program in sockets and not (folder / sockets[program]).exists():
                time.sleep(0.01)
        yield folder


class Way:
    """One way from the program to packets."""

    def __init__(self, folder: Path, name: str, visit: type) -> None:
        where = {"pipewire_path": f"{folder}/pipewire-0", "pulse_path": f"{folder}/pulse/native"}
        self.clicker = Clicker()
        self.sink = SoundNode(SoundNodePlan(SoundRole.SINK, name, name, 2, **where), make_visit=visit)
        self.sink.start()
        select.select([self.sink.event_fd], [], [], 10)
        self.player = SoundNode(
            SoundNodePlan(SoundRole.PLAYBACK, f"{name}-player", "click", 2, target=name, **where),
            make_visit=lambda plan, _rings: PipeWireVisit(plan, [self.clicker]),
        )
        self.player.start()
        plan = NativeAudioPlan(AudioSource.DESKTOP, 2, is_pcm=True)
        self.maker = SoundMaker(plan, self.sink.packets())
        self.maker.start()

    def click_ns(self) -> int:
        """Play clicks until one is heard, and return how long that one took to a packet."""
        for _ in range(TRIES):
            if took_ns := self._try_ns():
                return took_ns
        raise AssertionError(f"no click was heard by way of {self.sink.plan.name}")

    def _try_ns(self) -> int:
        self.maker.take()
        self.clicker.click()
        deadline_ns = time.monotonic_ns() + PATIENCE_NS
        while time.monotonic_ns() < deadline_ns:
            select.select([self.maker.event_fd], [], [], 0.1)
            heard_ns = time.monotonic_ns()
            for packet in self.maker.take():
                if self.clicker.played_ns and any(packet.payload):
                    return heard_ns - self.clicker.played_ns
        return 0

    def stop(self) -> None:
        """End everything."""
        self.maker.stop(JOIN_NS)
        self.player.stop(JOIN_NS)
        self.sink.stop(JOIN_NS)


def rows() -> Iterator[Row]:
    """Compare both ways."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing or os.geteuid() == 0:
        print(f"skipped: {', '.join(missing) or 'sound servers are for an ordinary user'}")
        return
    with daemons() as folder, ExitStack() as stack:
        ways = []
        for name, visit in (("ours", PipeWireVisit), ("null-sink", PulseVisit)):
            ways.append(Way(folder, name, visit))
            stack.callback(ways[-1].stop)
        for way in ways:
            way.click_ns()  # the graph starts with the first
        took_ms = np.zeros((2, CLICKS))
        for turn in range(CLICKS):
            for which in (0, 1) if turn % 2 else (1, 0):
                time.sleep(EVERY_NS / 1e9 / 2 + turn % 7 * 0.0007)  # at any point of the quantum
                took_ms[which, turn] = ways[which].click_ns() / 1e6
    ours, null_sink = took_ms
    yield paired("sound", "play to packet", "ms", "null sink's monitor", null_sink, ours)
    yield single("sound", "play to packet: p99", "ms", float(np.quantile(ours, 0.99)))
    yield single(
        "sound", "play to packet: p99 of null sink's monitor", "ms", float(np.quantile(null_sink, 0.99))
    )


if __name__ == "__main__":
    run(lambda: list(rows()), __doc__)
