"""Asking the route for its queues: real answers of this machine, and those of queues that it does not have."""

import os
import socket
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.realtime import txtime
from punktfunk.realtime.txtime import TxTime, judge, messages, offer, queue_kinds, route_interface

LOOPBACK = socket.if_nametoindex("lo")
NEWQDISC = 36


def queue_message(interface: int, kind: str, parent: int) -> bytes:
    """RTM_NEWQDISC as the kernel writes it: tcmsg, then TCA_KIND and an attribute that nobody asked for."""
    attributes = b""
    for number, value in ((1, kind.encode() + b"\0"), (2, b"\1\2\3\4\5")):
        attributes += struct.pack("=HH", 4 + len(value), number) + value.ljust(-(-len(value) // 4) * 4, b"\0")
    body = struct.pack("=B3xiIII", 0, interface, 0x80010000, parent, 2) + attributes
    return struct.pack("=IHHII", 16 + len(body), NEWQDISC, 2, 1, 0) + body


DONE = struct.pack("=IHHIIi", 20, 3, 2, 1, 0, 0)


@pytest.mark.parametrize(
    ("kinds", "useful", "words"),
    [
        (["fq"], True, "fq"),
        (["mq", "fq", "fq", "fq"], True, "fq"),
        (["fq", "ingress", "clsact"], True, "fq"),
        (["mq", "fq", "fq_codel"], False, "fq_codel"),
        (["fq_codel"], False, "knows no times"),
        (["htb", "fq"], False, "htb"),
        (["etf"], False, "drops"),
        (["ingress"], False, "no queue"),
        ([], False, "no queue"),
    ],
)
def test_only_fq_is_useful(kinds: list[str], *, useful: bool, words: str) -> None:
    verdict = judge(kinds)
    assert verdict.useful == useful
    assert words in verdict.reason


def test_answers_of_queues_that_this_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card with two hardware queues behind another interface, in two pieces, as a dump comes."""
    pieces = [
        queue_message(LOOPBACK + 1, "htb", 0xFFFFFFFF) + queue_message(LOOPBACK, "mq", 0xFFFFFFFF),
        queue_message(LOOPBACK, "fq", 0x80010001) + queue_message(LOOPBACK, "fq", 0x80010002) + DONE,
    ]
    link, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(txtime.socket, "socket", lambda *_: link)
    for piece in pieces:
        other.send(piece)
    assert queue_kinds(LOOPBACK) == ["mq", "fq", "fq"]
    other.close()


def test_a_socket_is_told_when_the_queue_is_fq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(txtime, "queue_kinds", lambda _interface: ["fq"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        assert sending.getsockopt(socket.SOL_SOCKET, 61, 8) == struct.pack("=ii", 0, 0)
        assert offer(sending.fileno(), "127.0.0.1").useful
        assert sending.getsockopt(socket.SOL_SOCKET, 61, 8) == struct.pack("=ii", 1, 0)
    refused = offer(sending.fileno(), "127.0.0.1")
    assert not refused.useful
    assert os.strerror(9) in refused.reason


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "::1%lo"])
def test_loopback_has_no_queue_that_keeps_times(host: str) -> None:
    try:
        assert route_interface(host) == LOOPBACK
    except OSError:
        pytest.skip(f"no route to {host}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        assert not offer(sending.fileno(), host).useful
        assert not offer(sending.fileno(), "fe80::1", LOOPBACK).useful


def test_an_error_of_the_kernel_is_an_os_error() -> None:
    error = struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -101)
    with pytest.raises(OSError, match="unreachable"):
        messages(error, NEWQDISC)


@given(st.binary(max_size=200))
def test_no_answer_breaks_the_reader(data: bytes) -> None:
    try:
        bodies, ended = messages(data, NEWQDISC)
    except OSError:
        return
    assert all(txtime._attributes(body) is not None for body in bodies)
    assert isinstance(ended, bool)


IN_A_NAMESPACE = """
import socket, subprocess
from punktfunk.realtime.txtime import offer, queue_kinds, route_interface
for line in ("link set lo up", "link add pf0 type veth peer name pf1", "addr add 192.0.2.1/24 dev pf0",
             "addr add 2001:db8::1/64 dev pf0 nodad", "link set pf0 up", "link set pf1 up"):
    subprocess.run(["ip", *line.split()], check=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
    pf0 = socket.if_nametoindex("pf0")
    assert route_interface("192.0.2.2") == route_interface("2001:db8::2") == pf0
    assert route_interface("::ffff:192.0.2.2") == pf0
    assert queue_kinds(pf0) == ["noqueue"]
    subprocess.run("tc qdisc add dev pf0 root tbf rate 10mbit burst 32k limit 100k".split(), check=True)
    subprocess.run("tc qdisc add dev pf0 ingress".split(), check=True)
    assert sorted(queue_kinds(pf0)) == ["ingress", "tbf"]
    print(offer(sending.fileno(), "192.0.2.2").reason)
    print(offer(sending.fileno(), "198.51.100.1").reason)
    if subprocess.run("tc qdisc replace dev pf0 root fq".split(), stderr=subprocess.DEVNULL).returncode == 0:
        assert offer(sending.fileno(), "2001:db8::2").useful
"""


def test_routes_and_queues_of_a_namespace_of_our_own() -> None:
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", IN_A_NAMESPACE]
    try:
        if subprocess.run([*command[:4], "tc", "qdisc"], capture_output=True, check=False).returncode:
            pytest.skip("network namespaces are not for us here")
    except FileNotFoundError:
        pytest.skip("no unshare here")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == [
        "the route's queue is tbf, which knows no times",
        f"times of departure cannot be had: {os.strerror(101)}",
    ], run.stderr


def test_a_reason_is_always_there() -> None:
    assert isinstance(offer(-1, "127.0.0.1"), TxTime)
