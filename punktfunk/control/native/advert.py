"""What ``_punktfunk._udp`` says of this host: its TXT keys. Nothing of it is proven, or to be trusted.

    proto  punktfunk/1                        wire  1: the only version we speak
    fp     our certificate's SHA-256 in hex   pair  required, or optional on an open host
    id     the host's UUID                    mac   hardware addresses that wake it, joined by commas
    os     linux/debian/12                    addr  the address towards the default route

``mgmt`` is left out: there is no management service. Spec: punktfunk-1 section 2.11.
"""

import platform
import re
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from ipaddress import ip_address
from typing import Final

from punktfunk.control.discovery import NATIVE, Service
from punktfunk.control.gamestream.service import mac_address
from punktfunk.wire.gamestream.serverinfo import NO_MAC

PROTOCOL: Final = "punktfunk/1"
WIRE: Final = "1"
MAXIMUM_MACS: Final = 4
"""One TXT string holds 255 bytes."""
MAXIMUM_TOKENS: Final = 5
MAXIMUM_TOKEN_BYTES: Final = 32
ELSEWHERE: Final = ("192.0.2.1", 9)
"""An address that leads out by the default route (RFC 5737); nothing is ever sent there."""
_UNFIT: Final = re.compile(r"[^a-z0-9._-]+")


def native_service(port: int, fingerprint: str, host_id: str, *, open_host: bool) -> Service:
    """Make the service that is announced."""
    fixed = {
        "proto": PROTOCOL,
        "fp": fingerprint,
        "pair": "optional" if open_host else "required",
        "id": host_id,
        "os": os_tokens(),
        "wire": WIRE,
    }
    return Service(NATIVE, port, partial(_keys, fixed))


def _keys(fixed: Mapping[str, str], addresses: Sequence[str]) -> Mapping[str, str]:
    ipv4 = [address for address in addresses if ip_address(address).version == 4]
    keys = dict(fixed)
    found = dict.fromkeys(mac_address(address) for address in ipv4)
    macs = [mac for mac in found if mac != NO_MAC][:MAXIMUM_MACS]
    if macs:
        keys["mac"] = ",".join(macs)
    outward = outward_address()
    if outward in ipv4:
        keys["addr"] = outward
    return keys


def os_tokens() -> str:
    """Name the system in at most five tokens of ``[a-z0-9._-]``, joined by slashes."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    words = ["linux", release.get("ID", ""), release.get("VERSION_ID", "")]
    tokens = [_UNFIT.sub("-", word.lower()).strip("-")[:MAXIMUM_TOKEN_BYTES] for word in words]
    return "/".join([token for token in tokens if token][:MAXIMUM_TOKENS])


def outward_address() -> str:
    """Return our IPv4 address towards the default route; nothing where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)  # of a datagram socket: it only looks at the routes
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
        return address
