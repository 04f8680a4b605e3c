"""A session between processes, recorded, played back, and its frames explained: as a user reports a bad evening."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Host
from native_harness import clean_environment, connect, native_port

pytestmark = [pytest.mark.peer, pytest.mark.slow]  # half a minute: a session, its recording, and its replay


def punktfunk(*words: str) -> str:
    """A command that asks no host, as a user types it."""
    done = subprocess.run(
        [sys.executable, "-m", "punktfunk", *words],
        env=clean_environment(), text=True, capture_output=True, timeout=40, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_evening_is_recorded_replayed_and_explained(host: Host, tmp_path: Path) -> None:
    state, evening = tmp_path / "laptop", tmp_path / "evening.pfnet"
    pin = host.cli("pair", "--native").stdout.split()[1]
    place = f"{host.address}:{native_port(host)}"
    words = ("--seconds", "2", "--mode", "640x360@60")
    said = punktfunk("record", str(evening), place, "--pin", pin, *words, "--state", str(state))
    assert said.startswith("written:")
    played = punktfunk("replay", str(evening))
    assert "0 frames lost" in played
    digest = played.split()[-1]
    assert punktfunk("replay", str(evening), "--engine", "model", "--expect", digest) == played

    flight, trace = tmp_path / "client.json", tmp_path / "trace.json"
    connect(host, state, "--frames", "100", "--verify", "--flight", str(flight))
    found = json.loads(host.cli("why-late", "--json", "--save", str(tmp_path / "host.json")).stdout)
    assert found["frames"] > 60
    assert {"encode", "send"} <= set(found["usual_ns"])
    files = str(tmp_path / "host.json"), str(flight)
    joined = json.loads(punktfunk("why-late", *files, "--json", "--trace", str(trace)))
    assert {"encode", "send", "network", "reassembly", "decode"} <= set(joined["usual_ns"])
    assert 0 <= joined["usual_ns"]["network"] < 20_000_000
    assert joined["worst"][0]["words"]
    assert len(json.loads(trace.read_text("utf-8"))["traceEvents"]) > 500
