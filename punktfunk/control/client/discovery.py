"""Hosts that announce themselves on this network: ``_punktfunk._udp`` by mDNS.

Nothing in an announcement is proven: anybody on the network may send any of it. It says where to knock, never
whom to trust. Source: punktfunk-1 section 2.11.
"""

import ipaddress
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from punktfunk.control.trust import tidy_name
from punktfunk.errors import EnvironmentProblem

SERVICE_TYPE: Final = "_punktfunk._udp.local."
PROTOCOL: Final = "punktfunk/1"
LOOK_S: Final = 2.5
QUIET_S: Final = 0.8
"""With a host found and nothing new for so long, nobody else is expected to answer."""

_OS_TOKEN: Final = re.compile(r"[a-z0-9._-]{1,32}")
_OS_TOKENS_MAX: Final = 5
_HOSTS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class FoundHost:
    """What an announcement claims. ``fingerprint`` is empty when it names none."""

    name: str
    address: str
    port: int
    fingerprint: str
    pairing_required: bool
    host_id: str
    mgmt_port: int
    os: str


def interpret(
    name: str,
    port: int,
    properties: Mapping[str, str],
    addresses: Sequence[str],
    own_addresses: Sequence[str],
    default_address: str | None = None,
) -> FoundHost | None:
    """Read an announcement; None if it is not for us: another protocol, or no IPv4 address."""
    if properties.get("proto", PROTOCOL) != PROTOCOL:
        return None
    if "1" not in (wire.strip() for wire in properties.get("wire", "1").split(",")):
        return None
    address = best_address(addresses, own_addresses, properties.get("addr", ""), default_address)
    if address is None or not 0 < port < 1 << 16:
        return None
    fingerprint = properties.get("fp", "").lower()
    return FoundHost(
        name=tidy_name(name) if name.strip() else address,
        address=address,
        port=port,
        fingerprint=fingerprint if re.fullmatch(r"[0-9a-f]{64}", fingerprint) else "",
        pairing_required=properties.get("pair", "required") != "optional",
        host_id=tidy_name(properties.get("id", "")) if properties.get("id") else "",
        mgmt_port=_port(properties.get("mgmt", "")),
        os=_os(properties.get("os", "")),
    )


def best_address(
    addresses: Sequence[str], own_addresses: Sequence[str], named: str, default_address: str | None
) -> str | None:
    """Choose among IPv4 addresses: nearest to ours, then the named one, then nearest the default route.

    "Nearest" is the longest common prefix. What remains equal is decided by the lowest address.
    """
    theirs = sorted({address for address in map(_ipv4, addresses) if address is not None})
    if not theirs:
        return None
    ours = [address for address in map(_ipv4, own_addresses) if address is not None]
    default = _ipv4(default_address) if default_address else None
    wanted = _ipv4(named)

    def rank(address: ipaddress.IPv4Address) -> tuple[int, bool, int, int]:
        near = max((_common_bits(address, own) for own in ours), default=0)
        near_default = _common_bits(address, default) if default is not None else 0
        return (-near, address != wanted, -near_default, int(address))

    return str(min(theirs, key=rank))


def look(seconds: float = LOOK_S, service_type: str = SERVICE_TYPE) -> list[FoundHost]:
    """Listen for announcements; blocks up to ``seconds``, less once hosts were found and all is quiet.

    EnvironmentProblem where the network cannot be listened to.
    """
    from zeroconf import Error, InterfaceChoice, IPVersion, ServiceBrowser, Zeroconf

    try:
        zeroconf = Zeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)
    except (Error, OSError, RuntimeError) as error:
        raise EnvironmentProblem(
            f"hosts cannot be looked for by mDNS: {error}", hint="Name the host: punktfunk connect ADDRESS"
        ) from error
    listener = _Listener()
    try:
        ServiceBrowser(zeroconf, service_type, listener)
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            time.sleep(0.05)
            if listener.names and time.monotonic() - listener.changed_s > QUIET_S:
                break
        own = own_addresses()
        found = []
        for name in sorted(listener.names)[:_HOSTS_MAX]:
            info = zeroconf.get_service_info(service_type, name, timeout=500)
            host = None if info is None else _read(name.removesuffix("." + service_type), info, own)
            if host is not None:
                found.append(host)
    finally:
        zeroconf.close()
    return found


def own_addresses() -> list[str]:
    """List the IPv4 addresses of this machine."""
    import ifaddr

    return [
        entry.ip for adapter in ifaddr.get_adapters() for entry in adapter.ips if isinstance(entry.ip, str)
    ]


class _Listener:
    """Collects names; zeroconf calls it from its own thread."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.changed_s = time.monotonic()

    def add_service(self, _zeroconf: Any, _type: str, name: str) -> None:
        self.names.add(name)
        self.changed_s = time.monotonic()

    def update_service(self, _zeroconf: Any, _type: str, name: str) -> None:
        self.add_service(_zeroconf, _type, name)

    def remove_service(self, _zeroconf: Any, _type: str, name: str) -> None:
        self.names.discard(name)


def _read(name: str, info: Any, own: Sequence[str]) -> FoundHost | None:
    from zeroconf import IPVersion

    properties = {
        key.decode("utf-8", "replace"): (value or b"").decode("utf-8", "replace")
        for key, value in info.properties.items()
    }
    return interpret(name, info.port or 0, properties, info.parsed_addresses(IPVersion.V4Only), own)


def _ipv4(text: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        return None


def _common_bits(one: ipaddress.IPv4Address, other: ipaddress.IPv4Address) -> int:
    return 32 - (int(one) ^ int(other)).bit_length()


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 1 << 16 else 0


def _os(text: str) -> str:
    tokens = [token for token in text.lower().split("/")[:_OS_TOKENS_MAX] if _OS_TOKEN.fullmatch(token)]
    return "/".join(tokens)
