"""A researcher's variants in a running stream, and a stock core that loses a datagram of every frame meanwhile.

So every frame needs its parity, whoever made it.
"""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from harness import AlteredHost, Client, paired
from lab_folder import examples, lab_folder, write
from pictures import check_pictures, desktop, missing
from relay import OneOfEachFrame, Relay, nothing

from punktfunk.control import admin_client
from punktfunk.control.admin_client import HostRefused
from punktfunk.paths import admin_socket
from punktfunk.realtime import check_variant

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

FRAMES = 20


def lab(host: AlteredHost, *words: str) -> str:
    """Run a verb as a person does."""
    done = subprocess.run(
        [sys.executable, "-m", "punktfunk", "lab", *words],
        env=host.environment, text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(host: AlteredHost, verb: str, **request: str) -> dict[str, Any]:
    return admin_client.call(admin_socket(host.state), {"verb": verb, **request})


def made(host: AlteredHost) -> Counter[tuple[str, str]]:
    """How many of the last frames were made by which FEC variant and pacer."""
    frames = ask(host, "lab.frames")["frames"]
    assert all(frame["bytes"] > 0 and frame["first_ns"] >= frame["encoded_ns"] for frame in frames)
    return Counter((frame["fec"], frame["pace"]) for frame in frames)


def test_a_stream_takes_variants_and_gives_them_back(tmp_path: Path) -> None:
    folder = lab_folder("peer")
    for name, text in examples().items():
        write(folder, name, text)
    with AlteredHost(tmp_path, ALTERED_PICTURE="busy") as host, paired(tmp_path, host, "paired"):
        for kind, name in (("fec8", "horner"), ("pace", "eager")):
            assert list(check_variant(folder, kind, name, seed=1))
        with pytest.raises(HostRefused, match="no stream is running"):
            ask(host, "lab.swap", kind="fec8", name="horner", folder=str(folder))
        with (
            Relay(host.address, "127.0.0.2", host.port, encrypted=False) as relay,
            Client(tmp_path / "paired", host, relay.relay) as client,
        ):
            client.stream(desktop(client), bitrate_kbps=20_000, encryption=0, rtsp_encrypted=False)
            relay.drop = OneOfEachFrame()
            for kind, name in (
                ("fec8", "horner"), ("pace", "eager"), ("pace", "default"), ("fec8", "default"),
            ):  # fmt: skip
                assert ask(host, "lab.swap", kind=kind, name=name, folder=str(folder))["name"] == name
                assert client("wait", frames=FRAMES, seconds=10)["frames"] >= FRAMES
            assert set(made(host)) == {
                ("default", "default"), ("horner", "default"), ("horner", "eager"),
            }  # fmt: skip
            for kind in ("fec16", "seal", "decode"):
                with pytest.raises(HostRefused, match=r"has no variant of|uses no"):
                    ask(host, "lab.swap", kind=kind, name="default", folder=str(folder))
            words = ("fec8=horner", "--live", "--seconds", "2", "--turn", "0.07", "--folder", str(folder))
            assert "encoded to first datagram" in lab(host, "compare", *words, "--state", str(host.state))
            assert made(host)["horner", "default"] > FRAMES
            relay.drop = nothing
            client("wait", frames=10, seconds=5)
            report = client("report")
            client("stop")
            client("quit")
    assert missing(report["frames"]) == []
    assert relay.dropped > 4 * FRAMES
    check_pictures(report, at_least=5 * FRAMES, late=15)
