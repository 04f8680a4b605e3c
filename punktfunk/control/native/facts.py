"""What the host knows of its end of the path to a client: interface, its speed, the route's MTU."""

import contextlib
import fcntl
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from punktfunk.wire.native.control import HostFacts, InterfaceKind

_CLASS: Final = Path("/sys/class/net")
_IP_MTU, _IPV6_MTU = 14, 24  # getsockopt on a connected socket; Python has no names for them
_MOST_MBPS: Final = (1 << 32) - 1
LEAST_MTU_BYTES: Final = 1280


def route_mtu_bytes(local_address: str, peer_address: str) -> int:
    """Ask the system how large a datagram to the peer may be; what every network carries if it cannot say."""
    family = socket.AF_INET6 if ip_address(peer_address).version == 6 else socket.AF_INET
    level, option = (
        (socket.IPPROTO_IPV6, _IPV6_MTU) if family == socket.AF_INET6 else (socket.IPPROTO_IP, _IP_MTU)
    )
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((local_address, 0))
        probe.connect((peer_address, 9))
        return int(probe.getsockopt(level, option))
    return LEAST_MTU_BYTES


def interface_of(local_address: str) -> str:
    """Name the interface that has this address; empty if none can be found."""
    wanted = ip_address(local_address)
    if wanted.is_loopback:
        return "lo"
    if wanted.version == 6:
        with contextlib.suppress(OSError):
            for line in Path("/proc/net/if_inet6").read_text(encoding="ascii").splitlines():
                fields = line.split()
                if fields and bytes.fromhex(fields[0]) == wanted.packed:
                    return fields[-1]
        return ""
    for _index, name in socket.if_nameindex():
        if _ipv4_of(name) == str(wanted):
            return name
    return ""


def _ipv4_of(name: str) -> str:
    request = name.encode()[:15].ljust(256, b"\0")
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return socket.inet_ntoa(fcntl.ioctl(probe.fileno(), 0x8915, request)[20:24])  # SIOCGIFADDR
    return ""


def host_facts(local_address: str, send_buffer_bytes: int, forced_profile: int) -> HostFacts:
    """Describe the way out for a client at ``local_address``; reads a few small files."""
    name = interface_of(local_address)
    folder = _CLASS / name
    kind, link_mbps = InterfaceKind.UNKNOWN, 0
    if name:
        wireless = (folder / "wireless").exists() or (folder / "phy80211").exists()
        wired = (folder / "device").exists()
        kind = InterfaceKind.WIFI if wireless else InterfaceKind.ETHERNET if wired else InterfaceKind.OTHER
        with contextlib.suppress(OSError, ValueError):
            link_mbps = max(0, int((folder / "speed").read_text(encoding="ascii")))
    return HostFacts(kind, min(link_mbps, _MOST_MBPS), send_buffer_bytes >> 10, forced_profile)
