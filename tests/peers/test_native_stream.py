"""Streams of punktfunk/1 between two processes: the product's host, the product's client."""

import signal
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from harness import Host
from native_harness import STRIPPED, NativeClient, connect, native_port, report_of

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def open_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host that lets everybody in."""
    with Host(tmp_path_factory.mktemp("open-host"), PUNKTFUNK_NATIVE_OPEN="true") as running:
        yield running


def test_frames_arrive_whole_although_packets_are_lost_and_are_recorded(
    open_host: Host, tmp_path: Path
) -> None:
    recording = tmp_path / "take.mkv"
    done = connect(
        open_host, tmp_path / "state",
        "--frames", "60", "--verify", "--json", "--drop", "3", "--record", str(recording),
    )  # fmt: skip
    session = report_of(done)
    assert session["frames"] == 60
    assert session["statistics"]["injected_losses"] > 0
    assert session["statistics"]["malformed"] == session["statistics"]["not_authentic"] == 0
    assert session["clock_known"]
    assert session["verified"]["what"] == "barcodes"
    assert {stage["name"] for stage in session["stages"]} >= {"sent", "reassembled", "decoded"}
    with av.open(str(recording)) as file:
        assert sum(1 for _ in file.decode(video=0)) >= 60


def test_a_client_without_linux_of_its_own_receives(open_host: Host, tmp_path: Path) -> None:
    # A frame is about three packets, most of them parity: in 60 frames it happens that none is lost that matters.
    words = ("--frames", "180", "--verify", "--json", "--drop", "5")
    session = report_of(connect(open_host, tmp_path / "state", *words, program=STRIPPED))
    assert session["frames"] == 180
    assert session["statistics"]["injected_losses"] > 0
    assert session["statistics"]["recovered_shards"] > 0, session["statistics"]
    assert session["verified"]["what"] == "barcodes"


def test_clients_have_displays_of_their_own_and_change_modes(open_host: Host, tmp_path: Path) -> None:
    port = native_port(open_host)
    with (
        NativeClient(tmp_path / "a", port, name="a", frames=240, modes=[(800, 600, 60_000)]) as changing,
        NativeClient(tmp_path / "b", port, name="b", frames=60, mode=(1024, 576, 60_000)) as staying,
    ):
        assert changing.wait_for("mode")["mode"] == "800x600@60"
        (changed,), (stayed,) = changing.finish(), staying.finish()
    assert changed["sizes"] == [[640, 360], [800, 600]]
    assert changed["keys_after_change"] == [True]
    assert stayed["sizes"] == [[1024, 576]]
    for take in (changed, stayed):
        assert take["verified"]["unreadable"] == 0
        assert take["wrong"] == 0


def test_a_client_that_dropped_out_comes_back(open_host: Host, tmp_path: Path) -> None:
    with NativeClient(tmp_path, native_port(open_host), frames=150, idle_s=2.0) as client:
        client.wait_for("streaming")
        client.process.send_signal(signal.SIGSTOP)  # as a laptop's lid does
        try:
            open_host.lines.wait_for("fell silent", 15)
        finally:
            client.process.send_signal(signal.SIGCONT)
        takes = client.finish()
    assert len(takes) >= 2
    assert takes[-1]["frames"] > 0
    assert takes[-1]["verified"]["ok"]
