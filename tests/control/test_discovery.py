"""Names in mDNS, which addresses are announced, and a real browser that finds the host."""

import logging
import socket
import threading

import ifaddr
import pytest
import trio
import zeroconf
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.control import discovery
from punktfunk.control.discovery import (
    GAMESTREAM,
    NATIVE,
    Service,
    announced,
    announced_addresses,
    host_label,
    instance_label,
)
from punktfunk.control.native.advert import native_service

HOST_ID = "1a2b3c4d-0000-4000-8000-000000000000"


@given(st.text(st.sampled_from("aZ09-_. (é客\0"), max_size=100))
def test_labels_are_always_valid(name):
    for label in (instance_label(name), host_label(name, HOST_ID)):
        assert 0 < len(label) <= 63
        assert label.isascii()
        assert not label.startswith("-")
        assert not label.endswith("-")
        assert label.replace("-", "").isalnum()


def test_labels():
    assert instance_label("My desk (1)") == "My-desk-1"
    assert instance_label("客厅") == "punktfunk"
    assert host_label("My desk", HOST_ID) == "my-desk-punktfunk-1a2b3c4d"
    assert host_label("x" * 80, HOST_ID).endswith("-punktfunk-1a2b3c4d")


def test_announced_addresses(monkeypatch):
    adapters = [
        ifaddr.Adapter("lo", "lo", [ifaddr.IP("127.0.0.1", 8, "lo"), ifaddr.IP(("::1", 0, 0), 128, "lo")]),
        ifaddr.Adapter(
            "eth0", "eth0", [ifaddr.IP("192.168.1.5", 24, "a"), ifaddr.IP(("fe80::2%2", 0, 2), 64, "b")]
        ),
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
    assert announced_addresses(["::"]) == ["192.168.1.5", "fe80::2"]
    assert announced_addresses(["0.0.0.0"]) == ["192.168.1.5"]
    assert announced_addresses(["192.168.1.9", "fe80::9%eth1"]) == ["192.168.1.9", "fe80::9"]
    assert announced_addresses(["127.0.0.1"]) == ["127.0.0.1"]


@pytest.mark.trio
async def test_a_browser_finds_the_host():
    """As moonlight-python looks for hosts: by the service type, then address and port. Both services, once."""
    found, seen = threading.Event(), {}

    def watch(zeroconf, service_type, name, state_change):
        if state_change.name == "Added":
            seen[service_type] = name
            if len(seen) == 2:
                found.set()

    browser_host = zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    try:
        browser = zeroconf.ServiceBrowser(browser_host, [GAMESTREAM, NATIVE], handlers=[watch])
        services = [Service(GAMESTREAM, 47989), native_service(9777, "ab" * 32, HOST_ID, open_host=False)]
        async with announced("test desk", HOST_ID, services, ["127.0.0.1"]):
            assert await trio.to_thread.run_sync(found.wait, 10)
            info, native = [
                await trio.to_thread.run_sync(browser_host.get_service_info, kind, seen[kind], 3000)
                for kind in (GAMESTREAM, NATIVE)
            ]
        assert info.name == f"test-desk.{GAMESTREAM}"
        assert info.port == 47989
        assert info.addresses == [socket.inet_aton("127.0.0.1")]
        assert info.server == "test-desk-punktfunk-1a2b3c4d.local."
        assert native.port == 9777
        assert native.decoded_properties["fp"] == "ab" * 32
        assert native.decoded_properties["proto"] == "punktfunk/1"
        browser.cancel()
    finally:
        await trio.to_thread.run_sync(browser_host.close)


@pytest.mark.trio
async def test_addresses_that_change_are_announced_again(monkeypatch):
    made, finished = [], threading.Event()

    class Announcement:
        @classmethod
        def try_make(cls, *details):
            made.append(details[3])
            if len(made) == 3:
                return None  # refused once: it is tried again
            if len(made) == 4:
                finished.set()
            return cls()

        def withdraw(self):
            made.append("withdrawn")

    answers = [["a"], ["a"], [], ["b"]]
    monkeypatch.setattr(discovery, "_Announcement", Announcement)
    monkeypatch.setattr(discovery, "LOOK_AGAIN_S", 0.001)
    monkeypatch.setattr(
        discovery, "announced_addresses", lambda _: answers.pop(0) if len(answers) > 1 else answers[0]
    )
    async with announced("desk", HOST_ID, []):
        assert await trio.to_thread.run_sync(finished.wait, 10)
    assert made == [["a"], "withdrawn", ["b"], ["b"], "withdrawn"]


@pytest.mark.trio
async def test_no_network_is_not_fatal(monkeypatch, caplog):
    def refuse(*_arguments, **_options):
        raise OSError("no multicast here")

    monkeypatch.setattr("zeroconf.Zeroconf", refuse)
    assert discovery._Announcement.try_make("desk", HOST_ID, [Service(GAMESTREAM, 1)], ["10.0.0.1"]) is None
    assert "not announced" in caplog.text


def test_what_zeroconf_complains_about_comes_without_a_traceback(caplog):
    announcement = discovery._Announcement.try_make(
        "desk", HOST_ID, [Service(GAMESTREAM, 47989)], ["127.0.0.1"]
    )
    problem = (OSError, OSError("network is unreachable"), None)
    logging.getLogger("zeroconf").warning("Error with socket 22", exc_info=problem)
    if announcement is not None:
        announcement.withdraw()
    (complaint,) = [record for record in caplog.records if record.msg == "Error with socket 22"]
    assert complaint.exc_info is None
