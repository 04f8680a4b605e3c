"""Who holds our ports: read from /proc, so that an error can name the process instead of "address in use".

GameStream's ports lie at fixed distances from the HTTP port, the same for every host (Sunshine nvhttp.h,
rtsp.h and stream.h); punktfunk/1 has one port, and takes a free one for each session's video.
"""

import os
import pwd
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from punktfunk.errors import EnvironmentProblem

PORTS: tuple[tuple[str, str, int], ...] = (
    ("http", "tcp", 0),
    ("https", "tcp", -5),
    ("rtsp", "tcp", 21),
    ("video", "udp", 9),
    ("control", "udp", 10),
    ("audio", "udp", 11),
)
"""Purpose, protocol and distance from the HTTP port."""

MDNS_PORT = 5353
LISTENING = {"tcp": "0A", "udp": "07"}
"""State column of /proc/net: TCP_LISTEN, and what an unconnected UDP socket shows (net/tcp_states.h)."""

HOST_NAMES = frozenset(
    {"sunshine", "apollo", "punktfunk", "punktfunk-host", "wolf", "moonshine", "vibepollo"}
)
"""Streaming hosts that may hold these ports, as their processes are called."""

_SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process with a port of ours. ``process`` and ``pid`` are unknown for other users' processes."""

    protocol: str
    port: int
    purpose: str
    user: str
    process: str | None = None
    pid: int | None = None

    def __str__(self) -> str:
        who = f"{self.process} (process {self.pid})" if self.pid else f"a process of user {self.user}"
        return f"{self.purpose} port {self.port}/{self.protocol} is held by {who}"


@dataclass(frozen=True, slots=True)
class _Bound:
    protocol: str
    address: IPv4Address | IPv6Address
    port: int
    uid: int
    inode: int


def wanted_ports(base: int | None, native_port: int | None = None) -> dict[tuple[str, int], str]:
    """Protocol and port of everything a host listens on, with its purpose; None leaves a protocol out."""
    wanted: dict[tuple[str, int], str] = {}
    if base is not None:
        wanted |= {(protocol, base + distance): purpose for purpose, protocol, distance in PORTS}
    if native_port is not None:
        wanted["udp", native_port] = "punktfunk/1"
    return wanted


def port_holders(
    base: int | None, bind: Sequence[str], native_port: int | None = None, *, proc: Path = Path("/proc")
) -> list[Holder]:
    """List who holds a host's ports (``wanted_ports``) on the addresses ``bind``."""
    wanted = wanted_ports(base, native_port)
    addresses = [ip_address(address.partition("%")[0]) for address in bind]
    taken = [
        bound
        for bound in _bound_sockets(proc / "net")
        if (bound.protocol, bound.port) in wanted and any(_collide(bound.address, ours) for ours in addresses)
    ]
    owners = _owners({bound.inode for bound in taken}, proc)
    known = _known_hosts(proc) if len(owners) < len(taken) else {}
    holders = {
        Holder(
            bound.protocol,
            bound.port,
            wanted[bound.protocol, bound.port],
            _user_name(bound.uid),
            *(owners.get(bound.inode) or known.get(bound.uid) or (None, None)),
        )
        for bound in taken
    }
    return sorted(holders, key=lambda holder: (holder.port, holder.protocol, holder.pid or 0))


def refuse_held_ports(base: int | None, bind: Sequence[str], native_port: int | None = None) -> None:
    """Raise EnvironmentProblem naming every process that holds a port which the host needs."""
    holders = port_holders(base, bind, native_port)
    if holders:
        raise EnvironmentProblem("\n  ".join(map(str, holders)), hint=remedy(holders))


def remedy(holders: Iterable[Holder]) -> str:
    """Say how to get the ports back from these processes, or how to do without."""
    holders = list(holders)
    names = {holder.process or "" for holder in holders}
    pids = sorted({holder.pid for holder in holders if holder.pid})
    if any("sunshine" in name.lower() or "apollo" in name.lower() for name in names):
        stop = (
            "Another GameStream host runs here. Stop it: `systemctl --user disable --now sunshine` "
            f"(or kill {' '.join(map(str, pids))})"
        )
    elif pids:
        stop = f"Stop it: kill {' '.join(map(str, pids))}"
    else:
        stop = "Find it with `sudo ss -lptun` and stop it"
    if all(holder.purpose == "punktfunk/1" for holder in holders):
        return f"{stop}; or choose another port, such as PUNKTFUNK_NATIVE_PORT=9787."
    return f"{stop}; or choose other ports, such as --port 48989 with its own --state folder."


def _bound_sockets(net: Path) -> list[_Bound]:
    """Read listening TCP and unconnected UDP sockets from /proc/net (proc(5))."""
    found: list[_Bound] = []
    for protocol, listening in LISTENING.items():
        for table in (protocol, f"{protocol}6"):
            try:
                lines = (net / table).read_text("ascii").splitlines()[1:]
            except OSError:  # a kernel without IPv6 has no tcp6
                continue
            for line in lines:
                columns = line.split()
                if columns[3] != listening:
                    continue
                address, _, port = columns[1].partition(":")
                found.append(
                    _Bound(protocol, _parse_hex(address), int(port, 16), int(columns[7]), int(columns[9]))
                )
    return found


def _parse_hex(text: str) -> IPv4Address | IPv6Address:
    """Undo the kernel's ``%08X`` of each 32-bit word, which is little-endian on every machine we run on."""
    raw = b"".join(bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    address = ip_address(raw)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _collide(theirs: IPv4Address | IPv6Address, ours: IPv4Address | IPv6Address) -> bool:
    """Tell whether both binds want the same packets; ``::`` takes IPv4 too."""
    if theirs == ours or (theirs.is_unspecified and theirs.version == 6):
        return True
    if ours.is_unspecified and ours.version == 6:
        return True
    return theirs.version == ours.version and (theirs.is_unspecified or ours.is_unspecified)


def _owners(inodes: set[int], proc: Path) -> dict[int, tuple[str, int]]:
    """Find name and pid of the process behind each socket inode, where we may look."""
    found: dict[int, tuple[str, int]] = {}
    if not inodes:
        return found
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):  # another user's process, or one that ended meanwhile
            for inode in inodes & _socket_inodes(folder / "fd"):
                found[inode] = (_process_name(folder), int(folder.name))
    return found


def _known_hosts(proc: Path) -> dict[int, tuple[str, int]]:
    """Find GameStream hosts by their names: user id -> name and pid.

    The kernel shows nobody the descriptors of a process with more capabilities than the one who asks, and
    Sunshine is installed with cap_sys_admin. Who runs as the socket's user under such a name is the holder.
    """
    found: dict[int, tuple[str, int]] = {}
    for folder in proc.iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and (name := _process_name(folder)).lower() in HOST_NAMES:
                found[_user_id(folder)] = (name, int(folder.name))
    return found


def _user_id(folder: Path) -> int:
    """Effective user of a process. Not the owner of its files: that is root for privileged programs."""
    lines = (folder / "status").read_text("ascii", "replace").splitlines()
    return next((int(line.split()[2]) for line in lines if line.startswith("Uid:")), -1)


def _socket_inodes(descriptors: Path) -> set[int]:
    found = set()
    for entry in descriptors.iterdir():
        with suppress(OSError):  # closed meanwhile, as the descriptor of this very listing is
            if match := _SOCKET_LINK.fullmatch(str(entry.readlink())):
                found.add(int(match[1]))
    return found


def _process_name(folder: Path) -> str:
    """Name a process as people know it: what a Python interpreter runs rather than the interpreter."""
    words = (folder / "cmdline").read_bytes().split(b"\0")
    names = [os.path.basename(os.fsdecode(word)) for word in words[:3] if word]  # noqa: PTH119 -- no file
    if len(names) > 1 and names[0].startswith("python"):
        return names[-1] if names[1] == "-m" else names[1]
    return names[0] if names else (folder / "comm").read_text("utf-8", "replace").strip()


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
