"""The sound of a desktop, end to end: programs play into the host's sink, clients of both protocols hear it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from harness import Client, Host, paired
from native_harness import NativeClient, native_port
from pictures import desktop
from sound import decode_packets
from sound_session import SoundSession, missing_sound, near, sound_session, tone_hz

pytestmark = [
    pytest.mark.peer,
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.geteuid() == 0, reason="sound servers are an ordinary user's"),
    pytest.mark.skipif(bool(missing_sound), reason=f"not installed: {missing_sound}"),
]

TONES = {"stereo": (440, 1000), "5.1": (440, 1000, 620, 80, 760, 880)}


@pytest.fixture(scope="module")
def session() -> Iterator[SoundSession]:
    with sound_session(started=False) as running:
        yield running


@pytest.fixture(scope="module")
def host(session: SoundSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host whose desktop has no sound server yet; the picture is a test card."""
    environment = {key: session.environment[key] for key in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")}
    folder = tmp_path_factory.mktemp("sound-host")
    options = {"PUNKTFUNK_AUDIO": "desktop", "PUNKTFUNK_NATIVE_OPEN": "true", **environment}
    with Host(folder, **options) as running:
        yield running


@pytest.fixture
def server(session: SoundSession) -> SoundSession:
    """The session with its sound server, for tests that need it from the start."""
    if not session.is_running:
        session.start()
    return session


@pytest.fixture(scope="module")
def folder(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    with paired(folder, host, "paired"):
        return folder / "paired"


def heard(client: Client, opus: dict[str, int], packets: Path, seconds: float = 1.0) -> list[float]:
    """Tone of every channel in the last half second of what the client got."""
    client("wait", seconds=seconds)
    client("audio", path=str(packets))
    samples = decode_packets(packets, opus)[:, -24_000:]
    return [tone_hz(channel) for channel in samples]


def test_a_stream_without_a_sound_server_is_silent_and_hears_one_that_comes(
    host: Host, session: SoundSession, folder: Path, tmp_path: Path
) -> None:
    with Client(folder, host) as client:
        answer = client.stream(
            desktop(client), audio="5.1", bitrate_kbps=10_000, width=640, height=360, fps=30
        )
        host.lines.wait_for("the stream is silent meanwhile", 10)
        client("wait", seconds=1.4)
        client("audio", path=str(tmp_path / "silence"))
        assert not np.abs(decode_packets(tmp_path / "silence", answer["opus"])).max() > 0.001
        session.start()
        host.lines.wait_for("programs play into", 10)
        assert session.default().startswith("punktfunk-sink-paired")
        with session.playing(*TONES["5.1"]):
            assert near(heard(client, answer["opus"], tmp_path / "sound"), TONES["5.1"])
        session.stop()
        host.lines.wait_for("the stream is silent meanwhile", 10)
        session.start()
        host.lines.wait_for("programs play into", 10)
        with session.playing(*TONES["5.1"]):
            assert near(heard(client, answer["opus"], tmp_path / "again"), TONES["5.1"])
        client("stop")
        client("quit")
    session.wait_until(
        lambda: not session.nodes() or "punktfunk" not in str(session.nodes()), "the sink is gone"
    )
    assert session.default() == ""


def test_a_native_client_hears_and_speaks(host: Host, server: SoundSession, tmp_path: Path) -> None:
    recording = tmp_path / "take.mkv"
    asked = {"seconds": 4, "voice_hz": 700, "record": str(recording)}
    with (
        server.playing(*TONES["stereo"]),
        NativeClient(tmp_path / "a", native_port(host), **asked) as client,
    ):
        client.wait_for("streaming")
        server.wait_until(lambda: server.default("source").startswith("punktfunk-microphone"), "a microphone")
        voice = server.record(1.2)
        assert near([tone_hz(voice[-24_000:])], (700,))
        (take,) = client.finish()
    assert take["audio_missing"] == 0
    with av.open(str(recording)) as file:
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
    samples = np.concatenate(frames, axis=1)
    samples = samples.reshape(-1, 2).T if samples.shape[0] == 1 else samples
    assert near([tone_hz(channel[-24_000:]) for channel in samples], TONES["stereo"])
    server.wait_until(lambda: "punktfunk" not in str(server.nodes()), "sink and microphone are gone")
    assert (server.default("sink"), server.default("source")) == ("", "")


def test_after_a_killed_host_the_default_is_what_it_was(
    host: Host, server: SoundSession, tmp_path: Path
) -> None:
    server.run("pw-metadata", "-n", "default", "0", "default.configured.audio.sink", '{"name":"mine"}')
    with NativeClient(tmp_path / "b", native_port(host), seconds=20) as client:
        client.wait_for("streaming")
        server.wait_until(lambda: server.default().startswith("punktfunk-sink"), "our default")
        assert host.process is not None
        host.stop(signal.SIGKILL)
        assert server.default().startswith("punktfunk-sink")
    host.start()
    server.wait_until(lambda: server.default() == "mine", "the old default")
