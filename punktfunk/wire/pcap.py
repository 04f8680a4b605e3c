"""Capture files, pcap and pcapng, down to the UDP datagrams in them.

pcap: a header of 24 bytes (magic, version, zone, accuracy, longest packet, link type), then for each packet
16 bytes (seconds, fraction, captured length, original length) and its bytes. The magic says byte order, and
whether the fraction counts micro- or nanoseconds.

pcapng: blocks of u32 type, u32 length, body, length again, padded to 4 bytes. Section Header 0x0A0D0D0A
(byte order), Interface Description 1 (link type, resolution of time), Enhanced Packet 6, Simple Packet 3;
others are skipped.

Links: Ethernet (with VLAN tags), Linux cooked 1 and 2, raw IP, BSD loopback. Fragments, TCP and what was cut
in capturing make no datagram. Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, RFC 791, 8200, 768.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Final, NamedTuple

from punktfunk.errors import RemoteProtocolError

MAX_PACKET_BYTES: Final = 1 << 18
MAX_BLOCK_BYTES: Final = 1 << 20

_PCAP_MAGICS: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_INTERFACE, _SIMPLE, _ENHANCED = 1, 3, 6
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_TIME_OPTION: Final = 9

_UDP: Final = 17
_V4, _V6 = 0x0800, 0x86DD
_VLANS: Final = (0x8100, 0x88A8)

Read = Callable[[int], bytes]
"""Give up to so many bytes of the file, fewer at its end."""


class Captured(NamedTuple):
    """One packet: when, over which kind of link (LINKTYPE number), its bytes."""

    time_ns: int
    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class UdpDatagram:
    """One datagram with its addresses as text."""

    source: tuple[str, int]
    destination: tuple[str, int]
    payload: bytes


def read_capture(read: Read) -> Iterator[Captured]:
    """Give the packets of a capture file; RemoteProtocolError if it is none, or its structure ends.

    A file that stops in the midst of a packet, as of a capture that is still running, ends there quietly.
    """
    magic = read(4)
    if magic in _PCAP_MAGICS:
        yield from _read_pcap(read, *_PCAP_MAGICS[magic])
    elif magic == _SECTION:
        yield from _read_pcapng(read)
    else:
        raise RemoteProtocolError(f"no capture file: it begins with {magic.hex(' ') or 'nothing'}")


def _read_pcap(read: Read, order: str, unit_ns: int) -> Iterator[Captured]:
    header, row = Struct(order + "HHiIII"), Struct(order + "IIII")
    start = read(header.size)
    if len(start) < header.size:
        raise RemoteProtocolError("the capture file ends in its header")
    link = header.unpack(start)[5] & 0x0FFFFFFF
    while len(start := read(row.size)) == row.size:
        seconds, fraction, count, _ = row.unpack(start)
        if count > MAX_PACKET_BYTES:
            raise RemoteProtocolError(f"a captured packet of {count} bytes")
        data = read(count)
        if len(data) < count:
            return
        yield Captured(seconds * 10**9 + fraction * unit_ns, link, data)


def _read_pcapng(read: Read) -> Iterator[Captured]:
    order = "<"
    kind_bytes = _SECTION
    interfaces: list[tuple[int, int]] = []
    while len(kind_bytes) == 4:
        head = read(4)
        if kind_bytes == _SECTION:
            mark = read(4)
            if mark not in _ORDERS:
                raise RemoteProtocolError(f"pcapng section with byte order {mark.hex(' ')}")
            order, interfaces = _ORDERS[mark], []
        word = Struct(order + "I")
        if len(head) < 4:
            return
        (kind,), (length,) = word.unpack(kind_bytes), word.unpack(head)
        taken = 12 if kind_bytes == _SECTION else 8
        if not taken + 4 <= length <= MAX_BLOCK_BYTES or length % 4:
            raise RemoteProtocolError(f"pcapng block of {length} bytes")
        body = read(length - taken)
        if len(body) < length - taken:
            return
        if kind == _INTERFACE and len(body) >= 12:
            interfaces.append(_read_interface(order, body))
        elif kind in (_ENHANCED, _SIMPLE):
            packet = _read_packet(order, kind, body, interfaces)
            if packet is not None:
                yield packet
        kind_bytes = read(4)


def _read_interface(order: str, body: bytes) -> tuple[int, int]:
    """Link type, and units of time in a second."""
    (link,) = Struct(order + "H").unpack_from(body)
    option = Struct(order + "HH")
    at, per_second = 8, 10**6
    while at + option.size <= len(body) - 4:
        code, count = option.unpack_from(body, at)
        at += option.size
        if code == _TIME_OPTION and count >= 1 and at < len(body):
            value = body[at]
            per_second = 2 ** (value & 0x3F) if value & 0x80 else 10 ** min(value, 12)
        at += count + -count % 4
    return link, per_second


def _read_packet(order: str, kind: int, body: bytes, interfaces: list[tuple[int, int]]) -> Captured | None:
    try:
        if kind == _SIMPLE:
            (count,) = Struct(order + "I").unpack_from(body)
            link = interfaces[0][0]
            return Captured(0, link, body[4 : 4 + min(count, len(body) - 8)])
        number, high, low, count, _ = Struct(order + "IIIII").unpack_from(body)
        link, per_second = interfaces[number]
    except (StructError, IndexError):
        return None
    if count > len(body) - 24:
        return None
    return Captured((high << 32 | low) * 10**9 // per_second, link, body[20 : 20 + count])


def parse_udp(packet: Captured) -> UdpDatagram | None:
    """Give the UDP datagram of a packet; None if it carries none that is whole. Raises nothing."""
    try:
        return _parse_ip(*_strip_link(packet.link, packet.data))
    except (StructError, IndexError):
        return None


def _strip_link(link: int, data: bytes) -> tuple[int, bytes]:
    """EtherType and what follows the link's header."""
    match link:
        case 1:
            at = 12
            while int.from_bytes(data[at : at + 2], "big") in _VLANS and at < 24:
                at += 4
            return int.from_bytes(data[at : at + 2], "big"), data[at + 2 :]
        case 113:
            return int.from_bytes(data[14:16], "big"), data[16:]
        case 276:
            return int.from_bytes(data[:2], "big"), data[20:]
        case 0 | 108:
            data = data[4:]
        case 101 | 12 | 14 | 228 | 229:
            pass
        case _:
            return 0, b""
    return (_V4 if data[0] >> 4 == 4 else _V6), data


def _parse_ip(kind: int, data: bytes) -> UdpDatagram | None:
    if kind == _V4 and data[0] >> 4 == 4:
        length = (data[0] & 15) * 4
        flags = int.from_bytes(data[6:8], "big")
        if data[9] != _UDP or flags & 0x3FFF:  # more fragments, or not the first one
            return None
        source, destination = str(IPv4Address(data[12:16])), str(IPv4Address(data[16:20]))
    elif kind == _V6 and data[0] >> 4 == 6 and data[6] == _UDP:
        length = 40
        source, destination = str(IPv6Address(data[8:24])), str(IPv6Address(data[24:40]))
    else:
        return None
    source_port, destination_port, count, _ = Struct(">HHHH").unpack_from(data, length)
    payload = data[length + 8 : length + count]
    if count < 8 or len(payload) != count - 8:
        return None
    return UdpDatagram((source, source_port), (destination, destination_port), payload)
