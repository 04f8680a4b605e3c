"""Nodes of ours in real sound servers: the host's own device beside the stream, and PulseAudio itself."""

import os
import select
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from pipewire_session import await_socket, daemon, session_environment
from sound_session import RATE_HZ, missing_sound, near, sound_session, tone_hz, write_tones

from punktfunk.plan import SoundNodePlan, SoundRole, SoundServerKind
from punktfunk.realtime import SoundNode, change_pulse_default, forget_node, probe_sound

pytestmark = [
    pytest.mark.peer,
    pytest.mark.timeout(60),
    pytest.mark.skipif(os.geteuid() == 0, reason="sound servers are an ordinary user's"),
]
JOIN_NS = 2_000_000_000
PULSE = ("pulseaudio", "paplay", "parec")


@contextmanager
def running(folder, role, name, channels=2, *, more=(), target=""):
    """A node that is there."""
    where = {"pipewire_path": f"{folder}/pipewire-0", "pulse_path": f"{folder}/pulse/native"}
    node = SoundNode(SoundNodePlan(role, name, f"punktfunk: {name}", channels, target=target, **where), more)
    node.start()
    try:
        while node.state().server is None:
            assert select.select([node.event_fd], [], [], 10)[0]
        yield node
    finally:
        node.stop(JOIN_NS)


@contextmanager
def speaking(node, pitch_hz):
    """A tone into a microphone, ten milliseconds at a time."""
    ended = threading.Event()

    def speak():
        begin_s, turn = time.monotonic(), 0
        while not ended.wait(max(0, begin_s + turn / 100 - time.monotonic())):
            times_s = (np.arange(480) + 480 * turn) / RATE_HZ
            tone = np.sin(2 * np.pi * pitch_hz * times_s)[:, None] * 0.3
            node.ring.write(tone.astype(np.float32), time.monotonic_ns())
            turn += 1

    thread = threading.Thread(target=speak)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def heard_hz(node, seconds=1.0):
    """The tone of each channel after the first packets."""
    live, found = node.packets(), []
    while len(found) < seconds * 200:
        taken = live.take(240)
        if not taken.is_filled or found:
            found.append(taken.samples)
    samples = np.concatenate(found)[-24_000:].astype(np.float64)
    return [tone_hz(channel) for channel in samples.T]


@pytest.mark.skipif(bool(missing_sound), reason=f"not installed: {missing_sound}")
def test_what_is_streamed_is_heard_on_the_hosts_own_device_too() -> None:
    """A sink of the test's stands for the loudspeakers; nothing goes in circles."""
    with sound_session() as session, running(session.folder, SoundRole.SINK, "speakers") as speakers:
        folder = session.folder
        where = {"pipewire_path": f"{folder}/pipewire-0"}
        echo = SoundNode(SoundNodePlan(SoundRole.PLAYBACK, "here", "here", 2, target="speakers", **where))
        try:
            with running(folder, SoundRole.SINK, "ours", more=[echo.ring]) as ours:
                echo.start()
                words = ["default.configured.audio.sink", '{"name":"ours"}', "Spa:String:JSON"]
                session.run("pw-metadata", "-n", "default", "0", *words)
                session.wait_until(lambda: session.default() == "ours", "our default")
                with session.playing(440, 1000):
                    assert near(heard_hz(ours), [440, 1000])
                    assert near(heard_hz(speakers), [440, 1000])
        finally:
            echo.stop(JOIN_NS)


@pytest.mark.skipif(any(shutil.which(name) is None for name in PULSE), reason="pulseaudio is not installed")
def test_pulseaudio_has_the_same_nodes(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    environment, socket = session_environment(tmp_path), str(tmp_path / "pulse/native")
    words = ["-n", "--daemonize=no", "--exit-idle-time=-1", "-L", "module-native-protocol-unix"]
    with daemon(environment, "pulseaudio", *words, "-L", "module-null-sink sink_name=card"):
        await_socket(Path(socket))
        assert probe_sound(str(tmp_path / "none"), socket).server is SoundServerKind.PULSE
        with running(tmp_path, SoundRole.SINK, "ours") as sink:
            assert sink.state().server is SoundServerKind.PULSE
            assert change_pulse_default(socket, SoundRole.SINK, "ours").configured == "card"
            write_tones(tmp_path / "tone.wav", (440, 1000), 10)
            with subprocess.Popen(
                ["paplay", "--latency-msec=20", str(tmp_path / "tone.wav")], env=environment
            ) as player:
                assert near(heard_hz(sink), [440, 1000])
                player.kill()
            change_pulse_default(socket, SoundRole.SINK, "card", only_if="ours")
            assert change_pulse_default(socket, SoundRole.SINK, None).configured == "card"
            assert forget_node(socket, "ours") == 1  # as for a host that died
        with running(tmp_path, SoundRole.MICROPHONE, "mic", 1) as microphone:
            words = ["-d", "mic", f"--rate={RATE_HZ}", "--channels=1", "--format=s16le", "--latency-msec=20"]
            with (
                speaking(microphone, 700),
                subprocess.Popen(["parec", *words], env=environment, stdout=subprocess.PIPE) as recorder,
            ):
                samples = recorder.stdout.read(120_000)
                recorder.kill()
        values = np.frombuffer(samples, "<i2")[-24_000:].astype(np.float64)
        assert near([tone_hz(values)], [700])
        assert probe_sound(str(tmp_path / "none"), socket).default_sink == "card"
