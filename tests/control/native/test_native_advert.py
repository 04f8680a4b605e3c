"""The TXT record of the announced host."""

import re

import pytest

from punktfunk.control.native import advert
from punktfunk.control.native.advert import native_service, os_tokens, outward_address

HOST_ID = "1a2b3c4d-0000-4000-8000-000000000000"


def test_keys(monkeypatch):
    macs = {"192.0.2.5": "02:00:00:00:00:01", "192.0.2.6": "00:00:00:00:00:00"}
    monkeypatch.setattr(advert, "mac_address", macs.__getitem__)
    monkeypatch.setattr(advert, "outward_address", lambda: "192.0.2.6")
    service = native_service(9777, "ab" * 32, HOST_ID, open_host=False)
    keys = dict(service.keys(["fe80::1", "192.0.2.5", "192.0.2.6"]))
    assert keys.pop("os").startswith("linux")
    assert keys == {
        "proto": "punktfunk/1",
        "fp": "ab" * 32,
        "pair": "required",
        "id": HOST_ID,
        "wire": "1",
        "mac": "02:00:00:00:00:01",
        "addr": "192.0.2.6",
    }
    assert "addr" not in service.keys(["192.0.2.5"])
    assert "mac" not in service.keys(["192.0.2.6"])
    assert native_service(9777, "ab" * 32, HOST_ID, open_host=True).keys([])["pair"] == "optional"


@pytest.mark.parametrize(
    ("release", "tokens"),
    [
        ({"ID": "debian", "VERSION_ID": "12"}, "linux/debian/12"),
        ({"ID": "My OS", "VERSION_ID": "1/2"}, "linux/my-os/1-2"),
        ({"ID": "x" * 50}, "linux/" + "x" * 32),
        ({}, "linux"),
    ],
)
def test_the_system_in_tokens(monkeypatch, release, tokens):
    monkeypatch.setattr(advert.platform, "freedesktop_os_release", lambda: release)
    assert os_tokens() == tokens


def test_a_machine_without_names_or_routes(monkeypatch):
    def fail(*_arguments):
        raise OSError

    monkeypatch.setattr(advert.platform, "freedesktop_os_release", fail)
    assert os_tokens() == "linux"
    assert re.fullmatch(r"(\d+\.){3}\d+|", outward_address())
