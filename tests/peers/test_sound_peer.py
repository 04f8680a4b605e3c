"""Sound as a stock Moonlight core gets it: every channel's tone is where the layout says, in every quality."""

from pathlib import Path

import pytest
from harness import Client
from pictures import desktop
from sound import decode_packets, loudest_hz

from punktfunk.realtime.capture.sound import TONE_FREQUENCIES_HZ

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

ENCRYPTION_NONE = 0
SLOW_OPUS_DECODER = 8  # moonlight-common-c, Limelight.h
LAYOUTS = {
    # layout, Mbit/s: streams, coupled; from 15 Mbit/s on the core asks for high quality
    ("stereo", 10): (1, 1),
    ("stereo", 20): (1, 1),
    ("5.1", 10): (4, 2),
    ("5.1", 20): (6, 0),
    ("7.1", 10): (5, 3),
    ("7.1", 20): (8, 0),
}


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout[0]} at {layout[1]}")
def test_every_channel_is_in_its_place(client: Client, tmp_path: Path, layout: tuple[str, int]) -> None:
    name, mbps = layout
    answer = client.stream(
        desktop(client), audio=name, bitrate_kbps=mbps * 1000, width=640, height=360, fps=30
    )
    opus = answer["opus"]
    assert (opus["streams"], opus["coupled"]) == LAYOUTS[layout]
    assert opus["mapping"] == list(range(opus["channels"]))
    check_tones(client, opus, tmp_path / "sound")


def test_long_packets_unencrypted(client: Client, tmp_path: Path) -> None:
    """A client whose decoder is slow asks for packets of 10 ms."""
    options = {"audio_capabilities": SLOW_OPUS_DECODER, "encryption": ENCRYPTION_NONE}
    answer = client.stream(desktop(client), width=640, height=360, fps=30, **options)
    assert answer["opus"]["samples"] == 480
    check_tones(client, answer["opus"], tmp_path / "sound")


def check_tones(client: Client, opus: dict[str, int], packets: Path) -> None:
    client("wait", seconds=1.5)
    client("audio", path=str(packets))
    report = client("report")
    # Sound starts with the first ping, half a second late, and the core drops its first half second.
    assert report["audio_packets"] > 0.4 * 48_000 / opus["samples"]
    assert report["audio_lost"] == 0
    assert report["audio_stats"][3] == 0
    tones = [round(loudest_hz(channel), -1) for channel in decode_packets(packets, opus)]
    assert tones == list(TONE_FREQUENCIES_HZ[: opus["channels"]])
