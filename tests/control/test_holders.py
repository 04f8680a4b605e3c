import os
import socket
from contextlib import ExitStack
from ipaddress import ip_address

import pytest

from punktfunk.control.holders import PORTS, Holder, port_holders, refuse_held_ports, remedy
from punktfunk.errors import EnvironmentProblem

TCP = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
BASE = 47989


def row(address, port, state, uid=1000, inode=77):
    raw = ip_address(address).packed
    text = "".join(raw[start : start + 4][::-1].hex().upper() for start in range(0, len(raw), 4))
    return f"   0: {text}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1"


@pytest.fixture
def proc(tmp_path):
    """A /proc in which process 4242 is Sunshine."""
    (tmp_path / "net").mkdir()
    (tmp_path / "4242/fd").mkdir(parents=True)
    (tmp_path / "4242/fd/7").symlink_to("socket:[77]")
    (tmp_path / "4242/cmdline").write_bytes(b"/usr/bin/sunshine\0--flag\0")
    (tmp_path / "4242/comm").write_text("sunshine\n")

    def fill(**tables):
        for name, rows in tables.items():
            (tmp_path / "net" / name).write_text("\n".join([TCP, *rows, ""]))
        return tmp_path

    return fill


def test_sunshine_is_named_with_its_process_and_remedy(proc):
    (holder,) = port_holders(BASE, ["::"], proc=proc(tcp=[row("0.0.0.0", BASE, "0A")]))
    assert str(holder) == "http port 47989/tcp is held by sunshine (process 4242)"
    assert "systemctl --user disable --now sunshine" in remedy([holder])
    assert "kill 4242" in remedy([holder])


def test_each_port_of_the_host_is_looked_for(proc):
    tables = {
        "tcp6": [row("::", BASE + distance, "0A") for _, protocol, distance in PORTS if protocol == "tcp"],
        "udp": [
            row("0.0.0.0", BASE + distance, "07") for _, protocol, distance in PORTS if protocol == "udp"
        ],
    }
    found = port_holders(BASE, ["::"], proc=proc(**tables))
    assert {(holder.purpose, holder.port) for holder in found} == {
        (name, BASE + far) for name, _, far in PORTS
    }


def test_connections_and_other_ports_hold_nothing(proc):
    assert not port_holders(
        BASE,
        ["::"],
        proc=proc(
            tcp=[row("127.0.0.1", BASE, "01"), row("127.0.0.1", 80, "0A")], udp=[row("127.0.0.1", BASE, "07")]
        ),
    )


@pytest.mark.parametrize(
    ("theirs", "ours", "held"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("::", "127.0.0.1", True),
        ("127.0.0.1", "::", True),
        ("::1", "127.0.0.1", False),
        ("::1", "0.0.0.0", False),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("fe80::1", "fe80::1%eth0", True),
    ],
)
def test_only_addresses_that_collide_count(proc, theirs, ours, held):
    table = "tcp6" if ":" in theirs else "tcp"
    assert bool(port_holders(BASE, [ours], proc=proc(**{table: [row(theirs, BASE, "0A")]}))) is held


def test_another_users_process_is_known_by_its_user_only(proc):
    (holder,) = port_holders(BASE, ["::"], proc=proc(tcp=[row("0.0.0.0", BASE, "0A", uid=0, inode=78)]))
    assert str(holder) == "http port 47989/tcp is held by a process of user root"
    assert "ss -lptun" in remedy([holder])


def test_a_privileged_host_is_known_by_its_name_and_user(proc):
    """Sunshine has cap_sys_admin, so its descriptors are hidden; its name and user are not."""
    folder = proc(
        tcp=[
            row("0.0.0.0", BASE, "0A", uid=1000, inode=78),
            row("0.0.0.0", BASE - 5, "0A", uid=1001, inode=79),
        ]
    )
    (folder / "4242/status").write_text("Name:\tsunshine\nUid:\t1000\t1000\t1000\t1000\n")
    other, sunshine = port_holders(BASE, ["::"], proc=folder)
    assert (sunshine.process, sunshine.pid) == ("sunshine", 4242)
    assert other.pid is None


def test_a_python_program_is_known_by_its_script(proc):
    folder = proc(tcp=[row("0.0.0.0", BASE, "0A")])
    for words in (b"/opt/venv/bin/punktfunk\0serve\0", b"-m\0punktfunk\0serve\0"):
        (folder / "4242/cmdline").write_bytes(b"/opt/venv/bin/python3.11\0" + words)
        (holder,) = port_holders(BASE, ["::"], proc=folder)
        assert holder.process == "punktfunk"


def test_a_real_listener_of_this_process_is_found():
    with ExitStack() as stack:
        for _ in range(50):
            sock = stack.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            if 1029 <= port <= 65514:
                break
        sock.listen()
        (holder,) = [found for found in port_holders(port, ["127.0.0.1"]) if found.purpose == "http"]
        assert holder.pid == os.getpid()
        with pytest.raises(EnvironmentProblem, match=f"http port {port}/tcp is held by") as caught:
            refuse_held_ports(port, ["127.0.0.1"])
        assert f"kill {os.getpid()}" in caught.value.hint


def test_the_port_of_punktfunk_1_is_looked_for_where_it_is_wanted(proc):
    folder = proc(tcp=[row("0.0.0.0", BASE, "0A")], udp=[row("0.0.0.0", 9777, "07", uid=0, inode=78)])
    (holder,) = port_holders(None, ["::"], 9777, proc=folder)
    assert (holder.purpose, holder.port) == ("punktfunk/1", 9777)
    assert "PUNKTFUNK_NATIVE_PORT" in remedy([holder])
    assert len(port_holders(BASE, ["::"], 9777, proc=folder)) == 2
    assert len(port_holders(BASE, ["::"], proc=folder)) == 1


def test_free_ports_are_accepted(proc):
    assert port_holders(BASE, ["::"], proc=proc()) == []
    assert isinstance(remedy([Holder("tcp", BASE, "http", "root")]), str)
