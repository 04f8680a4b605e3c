"""UDP sockets: dual stack, hosts without IPv6, taken ports, and which socket serves whom."""

import errno
import socket

import pytest

from punktfunk.control import sockets
from punktfunk.control.sockets import (
    BoundSocket,
    bind_udp,
    bound_sockets,
    has_ipv6,
    pick,
    plain_address,
    resolve_bind,
)
from punktfunk.errors import EnvironmentProblem

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def send(family, target):
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"hello", target)


@needs_ipv6
def test_every_address_takes_both_families():
    with bind_udp("::", 0) as bound:
        port = bound.getsockname()[1]
        send(socket.AF_INET, ("127.0.0.1", port))
        send(socket.AF_INET6, ("::1", port))
        heard = {plain_address(bound.recvfrom(10)[1][0]) for _ in range(2)}
        assert heard == {"127.0.0.1", "::1"}
        with pytest.raises(BlockingIOError):
            bound.recvfrom(10)


@needs_ipv6
def test_one_ipv6_address_takes_ipv6_only():
    with bind_udp("::1", 0) as bound, bind_udp("127.0.0.1", bound.getsockname()[1]):
        assert bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_a_taken_port():
    with bind_udp("127.0.0.1", 0) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=f"127.0.0.1 port {port}") as problem:
            bind_udp("127.0.0.1", port)
        assert "punktfunk doctor" in problem.value.hint


def test_a_socket_of_a_family_that_the_kernel_lacks(monkeypatch):
    real = socket.socket

    def without_ipv6(family=socket.AF_INET, *rest, **more):
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *rest, **more)

    monkeypatch.setattr(sockets.socket, "socket", without_ipv6)
    assert not has_ipv6()
    assert resolve_bind(["::"]) == ["0.0.0.0"]
    assert resolve_bind([]) == ["0.0.0.0"]
    assert resolve_bind(["::", "0.0.0.0", "127.0.0.1"]) == ["0.0.0.0"]
    with pytest.raises(EnvironmentProblem, match="::1"):
        bind_udp("::1", 0)


@pytest.mark.parametrize(
    ("asked", "bound"),
    [
        ([], ["::"]),
        (["::"], ["::"]),
        (["::", "0.0.0.0"], ["::"]),
        (["192.0.2.1", "::", "2001:db8::1"], ["::"]),
        (["0.0.0.0", "192.0.2.1", "2001:db8::1"], ["0.0.0.0", "2001:db8::1"]),
        (["192.0.2.1", "192.0.2.1", "192.0.2.2"], ["192.0.2.1", "192.0.2.2"]),
    ],
)
def test_wildcards_stand_alone(monkeypatch, asked, bound):
    """Two sockets of which one covers the other cannot share a port."""
    monkeypatch.setattr(sockets, "has_ipv6", lambda: True)
    assert resolve_bind(asked) == bound


def test_other_errors_are_not_taken_for_missing_ipv6(monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "not here")

    monkeypatch.setattr(sockets.socket, "socket", refuse)
    with pytest.raises(PermissionError):
        has_ipv6()


@pytest.mark.parametrize(
    ("shown", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_addresses_have_one_form(shown, plain):
    assert plain_address(shown) == plain


@pytest.mark.parametrize(
    ("bind", "local", "serves"),
    [
        ("::", "192.0.2.1", True),
        ("::", "2001:db8::1", True),
        ("0.0.0.0", "192.0.2.1", True),
        ("0.0.0.0", "2001:db8::1", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("fe80::1%eth0", "fe80::1", True),
    ],
)
def test_who_is_served(bind, local, serves):
    with socket.socket() as any_socket:
        bound = BoundSocket(any_socket, bind)
        assert bound.serves(local) is serves
        if serves:
            assert pick([bound], local) is bound
        else:
            with pytest.raises(EnvironmentProblem):
                pick([bound], local)


def test_sockets_are_closed_on_every_way_out():
    with bound_sockets(["127.0.0.1", "127.0.0.2"], 0) as opened:
        assert [each.bind_address for each in opened] == ["127.0.0.1", "127.0.0.2"]
    assert all(each.socket.fileno() == -1 for each in opened)
    with bind_udp("127.0.0.2", 0) as holder:
        port = holder.getsockname()[1]
        # The first of the two must not stay open when the second cannot be bound.
        with pytest.raises(EnvironmentProblem), bound_sockets(["127.0.0.1", "127.0.0.2"], port):
            pass
        with bound_sockets(["127.0.0.1"], port):
            pass
