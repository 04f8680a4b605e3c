"""The client's small parts: announcements, known hosts, sound in order, clocks, words."""

import stat
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.adapt.clock_sync import Reading
from punktfunk.control.client.audio_queue import PACKETS_MAX, AudioQueue
from punktfunk.control.client.connector import check_fingerprint, choose, parse_place
from punktfunk.control.client.discovery import FoundHost, best_address, interpret
from punktfunk.control.client.endings import ConnectionEnded, explain
from punktfunk.control.client.host_clock import HostClock, SteadyClock
from punktfunk.control.client.known_hosts import KnownHosts, Trust
from punktfunk.control.client.pairing import check_pin
from punktfunk.errors import ConfigError, EnvironmentProblem, Misuse
from punktfunk.wire.native.capabilities import CloseCode

FP, OTHER = "ab" * 32, "cd" * 32
ADVERT = {"proto": "punktfunk/1", "fp": FP, "pair": "required", "mgmt": "47990", "os": "linux/Debian/13"}


def found(name="desk", address="192.168.1.5", fingerprint=FP) -> FoundHost:
    return FoundHost(name, address, 9777, fingerprint, pairing_required=True, host_id="", mgmt_port=0, os="")


def nobody() -> list[FoundHost]:
    return []


def looking(*hosts: FoundHost) -> Callable[[], list[FoundHost]]:
    return lambda: list(hosts)


def test_an_announcement_is_read():
    host = interpret("desk", 9777, ADVERT, ["192.168.1.5"], [])
    assert host == FoundHost(
        "desk",
        "192.168.1.5",
        9777,
        FP,
        pairing_required=True,
        host_id="",
        mgmt_port=47990,
        os="linux/debian/13",
    )
    assert interpret("desk", 9777, {}, ["192.168.1.5"], []) is not None  # an older host names nothing


@pytest.mark.parametrize(
    ("properties", "addresses"),
    [({"proto": "punktfunk/9"}, ["1.2.3.4"]), ({"wire": "2"}, ["1.2.3.4"]), ({}, ["fe80::1"]), ({}, [])],
)
def test_an_announcement_that_is_not_for_us(properties, addresses):
    assert interpret("desk", 9777, properties, addresses, []) is None


@settings(max_examples=30)
@given(
    st.dictionaries(st.sampled_from(["proto", "fp", "pair", "mgmt", "os", "wire", "addr", "id"]), st.text())
)
def test_whatever_is_announced_is_tame(properties):
    host = interpret("\x1b[31m", 9777, properties, ["10.0.0.1"], ["10.0.0.2"])
    if host is not None:
        assert len(host.fingerprint) in {0, 64}
        assert (host.name + host.os + host.host_id).isprintable()
        assert 0 <= host.mgmt_port < 1 << 16


def test_the_nearest_address_wins_then_the_named_one_then_the_lowest():
    theirs = ["10.1.0.9", "192.168.7.9", "172.16.0.9"]
    assert best_address(theirs, ["192.168.7.1"], "10.1.0.9", None) == "192.168.7.9"
    assert best_address(["10.0.0.9", "10.0.0.8"], [], "10.0.0.9", None) == "10.0.0.9"
    assert best_address(["10.0.0.9", "11.0.0.8"], [], "", "11.0.0.1") == "11.0.0.8"
    assert best_address(["10.0.0.9", "10.0.0.8"], [], "", None) == "10.0.0.8"


def test_pins_survive_and_stay_private(tmp_path):
    known = KnownHosts(tmp_path / "client", wall_clock=lambda: 1000)
    known.pin(FP, "desk", "192.168.1.5", 9777, Trust.PIN)
    again = KnownHosts(tmp_path / "client", wall_clock=lambda: 2000)
    assert again.find("DESK") == again.find(FP[:8]) == again.find("192.168.1.5:9777") == again.hosts()[0]
    assert stat.S_IMODE((tmp_path / "client" / "known-hosts.json").stat().st_mode) == 0o600
    moved = again.pin(FP, "desk", "192.168.1.6", 9777, Trust.FIRST_USE)
    assert (moved.trust, moved.address) == (Trust.PIN, "192.168.1.6")  # met again, trusted as before
    again.forget("desk")
    assert not known.hosts()
    with pytest.raises(ConfigError, match="No host"):
        known.forget("desk")


def test_a_newly_trusted_host_takes_the_place_of_the_old_one(tmp_path):
    known = KnownHosts(tmp_path)
    known.pin(FP, "desk", "192.168.1.5", 9777, Trust.PIN)
    known.pin(OTHER, "desk", "192.168.1.5", 9777, Trust.PIN)
    assert [host.fingerprint for host in known.hosts()] == [OTHER]
    known.pin(FP, "desk", "192.168.1.9", 9777, Trust.PIN)
    with pytest.raises(ConfigError, match="several hosts"):
        known.find("desk")


def test_a_host_is_chosen(tmp_path):
    known = KnownHosts(tmp_path)
    assert choose(None, known, looking(found())).fingerprint is None  # an announcement makes no pin
    known.pin(FP, "desk", "192.168.1.4", 9777, Trust.PIN)
    assert choose(None, known, looking(found())).address == "192.168.1.5"
    assert choose(None, known, looking(found())).fingerprint == FP
    assert choose("desk", known, nobody).address == "192.168.1.4"
    assert choose(None, known, nobody).address == "192.168.1.4"
    assert choose("lounge", known, looking(found("Lounge", fingerprint=OTHER))).fingerprint is None
    assert choose("10.0.0.1:1234", known, nobody).port == 1234
    with pytest.raises(Misuse, match="several hosts"):
        choose(None, known, looking(found(), found("other", "192.168.1.6")))
    known.forget("desk")
    with pytest.raises(EnvironmentProblem, match="announces itself"):
        choose(None, known, nobody)


@pytest.mark.parametrize(
    ("text", "place"),
    [("desk", ("desk", 9777)), ("1.2.3.4:99", ("1.2.3.4", 99)), ("[fe80::1]:99", ("fe80::1", 99)), ("fe80::1", ("fe80::1", 9777))],
)  # fmt: skip
def test_places(text, place):
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["", "desk:", "desk:x", "desk:99999", ":9", "desk:0"])
def test_places_that_are_none(text):
    with pytest.raises(Misuse):
        parse_place(text)


def test_pins_and_fingerprints_are_checked_before_the_network():
    assert check_pin(" 12 34") == "1234"
    assert check_fingerprint("AB:" * 32) == FP
    for wrong in ("", "123", "12345", "12a4", "\u0661\u0662\u0663\u0664"):
        with pytest.raises(Misuse):
            check_pin(wrong)
    with pytest.raises(Misuse):
        check_fingerprint("abc")


def test_sound_is_put_in_order_and_restored():
    queue = AudioQueue()
    queue.put(1, 0, b"a")
    queue.put(3, 10_000_000, b"c", previous=b"b")  # 2 is restored
    queue.put(2, 5_000_000, b"b")  # late
    queue.put(6, 25_000_000, b"f")  # 4 and 5 are gone
    assert [(p.sequence, p.missing, p.restored) for p in queue.take()] == [
        (1, 0, False), (2, 0, True), (3, 0, False), (6, 2, False),
    ]  # fmt: skip
    assert (queue.late_count, queue.missing_count, queue.restored_count) == (1, 2, 1)
    queue.put(100_000, 0, b"x")  # a new beginning, no loss of a hundred thousand
    assert queue.take()[0].missing == 0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.binary(max_size=4)), max_size=200))
def test_sound_is_bounded(packets):
    queue = AudioQueue()
    for sequence, previous in packets:
        queue.put(sequence, 0, b"x", previous=previous)
    assert len(queue) <= PACKETS_MAX


def test_host_times_become_ours():
    clock = HostClock(SteadyClock(1_000_000_000_000), Reading(rtt_ns=200_000, offset_ns=5_000_000), 0)
    host_ns = 1_000_000_000_000 + 5_000_000 + 77
    assert clock.local_ns(host_ns) == 77
    assert clock.latency_ns(host_ns, 1077) == 1000
    assert clock.latency_ns(host_ns, 0) is None  # before it was captured
    clock.begin(None, 0)
    assert clock.latency_ns(host_ns, 77) is None  # no clock in common


def test_the_steady_clock_takes_stamps_of_the_wall_clock():
    import time

    steady = SteadyClock.measure()
    before_ns = steady.now_ns()
    stamp_ns = steady.of_realtime(time.time_ns())
    assert before_ns - 1_000_000 < stamp_ns < steady.now_ns() + 1_000_000


@pytest.mark.parametrize("code", [code for code in CloseCode if code is not CloseCode.TRANSFER_CANCELLED])
def test_every_close_code_says_what_to_do(code):
    ending = explain("desk", code, "\x1b[2J because")
    assert isinstance(ending, ConnectionEnded)
    assert ending.hint.endswith(".")
    assert "\x1b" not in str(ending)
    assert str(ending).endswith("because")


def test_only_a_lost_network_is_tried_again():
    assert explain("desk", None, timed_out=True).again
    assert explain("desk", 0).again
    assert not explain("desk", CloseCode.DENIED).again
    assert not explain("desk", 0x7777).again
