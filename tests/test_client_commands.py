"""`connect`, `hosts` and `probe` on the command line, as far as no host takes part."""

import json
from dataclasses import replace

import pytest

from punktfunk.commands import connect as connecting
from punktfunk.commands.connect import Wishes, check_wishes, forget_host, list_hosts, parse_mode
from punktfunk.commands.probe import ProbeWishes, parse_place, probe
from punktfunk.control.client import discovery
from punktfunk.control.client.discovery import FoundHost
from punktfunk.control.client.known_hosts import KnownHosts, Trust
from punktfunk.errors import ConfigError, Misuse
from punktfunk.plan import Mode

FP = "ab" * 32


def test_modes_are_read():
    assert parse_mode("1920x1080@59.94") == Mode(1920, 1080, 59_940)
    assert parse_mode("1280X720") == parse_mode("1280x720@") == Mode(1280, 720, 60_000)


@pytest.mark.parametrize("text", ["", "1280", "x", "0x0@60", "1280x720@x", "99999x720@60", "1280x720@inf"])
def test_modes_that_are_none(text):
    with pytest.raises(Misuse, match="is no mode"):
        parse_mode(text)


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        (Wishes(codec=("vp9",)), "vp9"),
        (Wishes(headless=True, frames=-1), "negative"),
        (Wishes(frames=10), "for --headless"),
        (Wishes(verify=True), "for --headless"),
        (Wishes(mode="huge"), "is no mode"),
    ],
)
def test_wishes_that_cannot_be(wishes, words):
    with pytest.raises(Misuse, match=words):
        check_wishes(wishes)


def test_a_folder_is_no_recording(tmp_path):
    with pytest.raises(Misuse, match="is a folder"):
        check_wishes(Wishes(record=tmp_path))


def test_hosts_known_and_announced_are_listed(tmp_path, monkeypatch, capsys):
    found = FoundHost(
        "lounge", "10.0.0.7", 9777, "cd" * 32, pairing_required=True, host_id="", mgmt_port=0, os=""
    )
    monkeypatch.setattr(discovery, "look", lambda: [found])
    KnownHosts(tmp_path).pin(FP, "desk", "10.0.0.5", 9777, Trust.PIN)
    list_hosts(tmp_path, as_json=True)
    assert [(row["name"], row["trust"], row["here"]) for row in json.loads(capsys.readouterr().out)] == [
        ("desk", "pin", False), ("lounge", "none yet", True),
    ]  # fmt: skip
    list_hosts(tmp_path, as_json=False)
    assert "desk" in capsys.readouterr().out
    forget_host("desk", tmp_path)
    with pytest.raises(ConfigError):
        forget_host("desk", tmp_path)
    monkeypatch.setattr(discovery, "look", list)
    capsys.readouterr()
    list_hosts(tmp_path, as_json=False)
    assert "punktfunk serve" in capsys.readouterr().out


def test_a_pin_is_not_asked_for_without_a_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr(discovery, "look", list)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    connector = connecting.make_connector(Wishes(host="10.0.0.5", state=tmp_path, codec=("av1", "h264")))
    assert connector.target.fingerprint is None
    assert connector.options.preferred_codec.name == "AV1"


def test_places_in_a_film():
    quad = parse_place("10,20,640x360", "1280x720@60")
    assert quad.corners == ((10, 20), (650, 20), (650, 380), (10, 380))
    assert parse_place("0,0 9,1 8,7 1,6", "1280x720").corners == ((0, 0), (9, 1), (8, 7), (1, 6))
    for wrong in ("", "1,2", "1,2,3", "0,0 1,1 2,2", "a,b,1x1"):
        with pytest.raises(Misuse, match="is no place"):
            parse_place(wrong, "1280x720@60")


def test_a_probe_is_checked_before_it_is_run(tmp_path):
    wishes = ProbeWishes(Wishes(state=tmp_path))
    with pytest.raises(Misuse, match="--seconds"):
        probe(replace(wishes, seconds=0))
    with pytest.raises(Misuse, match="is a folder"):
        probe(replace(wishes, json_file=tmp_path))
    with pytest.raises(Misuse, match="live probes only"):
        probe(replace(wishes, recording=tmp_path / "film", plot_file=tmp_path / "a.png"))
