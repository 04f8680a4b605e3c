"""ENet 1.3 datagrams, as they lie on the wire. Big-endian; no compression, no checksum.

    offset  size  field      meaning
    ------  ----  ---------  ------------------------------------------------------------------
         0     2  peer       bit 15: a sent time follows, bit 14: compressed, bits 13-12: session,
                             bits 11-0: the receiver's number for the sender, 0xFFF before it has one
         2     2  sent time  milliseconds modulo 65536, on any clock of the sender; acknowledgements echo it
         4     .  commands   1 to 32, back to back

Each command begins with the same four bytes:

         0     1  kind       bits 3-0: which command, bit 7: acknowledge this, bit 6: unsequenced
         1     1  channel    0xFF for commands that belong to the connection itself
         2     2  sequence   of the channel, counted by the commands that want an acknowledgement

The classes below give the rest: field order is wire order, and ``data`` is preceded by its length in bytes.
Facts from cgutman/enet, ``include/enet/protocol.h`` and ``protocol.c``; protocol/gamestream.md section 6.1.
"""

from collections.abc import Callable, Iterable
from enum import IntEnum, IntFlag
from struct import Struct
from struct import error as StructError  # noqa: N812 - the module names it like a variable
from typing import NamedTuple

from punktfunk.errors import LocalProtocolError, RemoteProtocolError

PEER_HEADER = Struct(">H")
SENT_TIME = Struct(">H")
COMMAND_HEADER = Struct(">BBH")
DATAGRAM_HEADER_BYTES = PEER_HEADER.size + SENT_TIME.size

NO_PEER_ID = 0xFFF
CONTROL_CHANNEL = 0xFF
COMMANDS_PER_DATAGRAM = 32
MINIMUM_MTU_BYTES, MAXIMUM_MTU_BYTES = 576, 4096
MINIMUM_WINDOW_BYTES, MAXIMUM_WINDOW_BYTES = 4096, 65536

_SENT_TIME_FLAG = 0x8000
_COMPRESSED_FLAG = 0x4000
_SESSION_SHIFT = 12
_KIND_MASK = 0x0F
# A sender fills a datagram of at least MINIMUM_MTU_BYTES with each fragment but the last (28 bytes of
# headers, 4 of checksum): more fragments than this rule allows are an attack on our memory.
_SMALLEST_FRAGMENT_BYTES = 512


class Kind(IntEnum):
    """Which command."""

    ACKNOWLEDGE = 1
    CONNECT = 2
    VERIFY_CONNECT = 3
    DISCONNECT = 4
    PING = 5
    SEND_RELIABLE = 6
    SEND_UNRELIABLE = 7
    SEND_FRAGMENT = 8
    SEND_UNSEQUENCED = 9
    BANDWIDTH_LIMIT = 10
    THROTTLE_CONFIGURE = 11
    SEND_UNRELIABLE_FRAGMENT = 12


class Flags(IntFlag):
    """The two high bits of the kind byte."""

    NONE = 0
    UNSEQUENCED = 0x40
    ACKNOWLEDGE = 0x80


class Acknowledge(NamedTuple):
    """The command with this channel and sequence arrived in the datagram with that sent time."""

    received_sequence: int
    received_sent_time: int


class Connect(NamedTuple):
    """First datagram of a client. Sessions 0xFF: none yet. ``connect_id`` is opaque, and comes back.

    ``incoming_bandwidth`` and ``outgoing_bandwidth`` are bytes per second, 0 for no limit.
    """

    peer_id: int
    incoming_session: int
    outgoing_session: int
    mtu_bytes: int
    window_bytes: int
    channel_count: int
    incoming_bandwidth: int
    outgoing_bandwidth: int
    throttle_interval_ms: int
    throttle_acceleration: int
    throttle_deceleration: int
    connect_id: int
    data: int


class VerifyConnect(NamedTuple):
    """The answer: sessions and the (smaller) mtu, window and channel count that the client shall use."""

    peer_id: int
    incoming_session: int
    outgoing_session: int
    mtu_bytes: int
    window_bytes: int
    channel_count: int
    incoming_bandwidth: int
    outgoing_bandwidth: int
    throttle_interval_ms: int
    throttle_acceleration: int
    throttle_deceleration: int
    connect_id: int


class Disconnect(NamedTuple):
    """The end, with a number for the application."""

    reason: int


class Ping(NamedTuple):
    """Nothing but a wish for an acknowledgement."""


class SendReliable(NamedTuple):
    """A whole message that arrives once and in order."""

    data: bytes


class SendUnreliable(NamedTuple):
    """A whole message that may be lost, and is dropped when a later one arrived first."""

    unreliable_sequence: int
    data: bytes


class SendFragment(NamedTuple):
    """One piece of a message; ``start_sequence`` is the number of the first piece."""

    start_sequence: int
    fragment_count: int
    fragment_number: int
    total_bytes: int
    offset_bytes: int
    data: bytes


class SendUnsequenced(NamedTuple):
    """A whole message that may be lost and overtaken; ``group`` weeds out duplicates."""

    group: int
    data: bytes


class BandwidthLimit(NamedTuple):
    """New limits in bytes per second, 0 for none."""

    incoming_bandwidth: int
    outgoing_bandwidth: int


class ThrottleConfigure(NamedTuple):
    """How the receiver shall thin out its unreliable messages."""

    interval_ms: int
    acceleration: int
    deceleration: int


Body = (
    Acknowledge
    | Connect
    | VerifyConnect
    | Disconnect
    | Ping
    | SendReliable
    | SendUnreliable
    | SendFragment
    | SendUnsequenced
    | BandwidthLimit
    | ThrottleConfigure
)


class Command(NamedTuple):
    """One command with its four leading bytes."""

    kind: Kind
    flags: Flags
    channel: int
    sequence: int
    body: Body


class Datagram(NamedTuple):
    """A whole datagram; ``sent_time`` is None where the sender left it out."""

    peer_id: int
    session: int
    sent_time: int | None
    commands: tuple[Command, ...]


class _Layout(NamedTuple):
    body: Callable[..., Body]
    struct: Struct
    length_index: int | None = None  # which value of the struct is the length of the data that follows


_LAYOUTS = {
    Kind.ACKNOWLEDGE: _Layout(Acknowledge, Struct(">HH")),
    Kind.CONNECT: _Layout(Connect, Struct(">HBB10I")),
    Kind.VERIFY_CONNECT: _Layout(VerifyConnect, Struct(">HBB9I")),
    Kind.DISCONNECT: _Layout(Disconnect, Struct(">I")),
    Kind.PING: _Layout(Ping, Struct(">")),
    Kind.SEND_RELIABLE: _Layout(SendReliable, Struct(">H"), 0),
    Kind.SEND_UNRELIABLE: _Layout(SendUnreliable, Struct(">HH"), 1),
    Kind.SEND_FRAGMENT: _Layout(SendFragment, Struct(">HHIIII"), 1),
    Kind.SEND_UNSEQUENCED: _Layout(SendUnsequenced, Struct(">HH"), 1),
    Kind.BANDWIDTH_LIMIT: _Layout(BandwidthLimit, Struct(">II")),
    Kind.THROTTLE_CONFIGURE: _Layout(ThrottleConfigure, Struct(">III")),
    Kind.SEND_UNRELIABLE_FRAGMENT: _Layout(SendFragment, Struct(">HHIIII"), 1),
}
FRAGMENT_HEADER_BYTES = COMMAND_HEADER.size + _LAYOUTS[Kind.SEND_FRAGMENT].struct.size


def parse_datagram(data: bytes) -> Datagram:
    """Read a datagram whole or not at all; bad bytes raise RemoteProtocolError and nothing else."""
    if not PEER_HEADER.size < len(data) <= MAXIMUM_MTU_BYTES:
        raise RemoteProtocolError(f"{len(data)} bytes are no ENet datagram (3 to {MAXIMUM_MTU_BYTES})")
    (head,) = PEER_HEADER.unpack_from(data)
    if head & _COMPRESSED_FLAG:
        raise RemoteProtocolError("compressed ENet datagram, but compression was never agreed")
    position = PEER_HEADER.size
    sent_time: int | None = None
    if head & _SENT_TIME_FLAG:
        if len(data) < DATAGRAM_HEADER_BYTES:
            raise RemoteProtocolError("ENet datagram ends inside its sent time")
        (sent_time,) = SENT_TIME.unpack_from(data, position)
        position = DATAGRAM_HEADER_BYTES
    commands: list[Command] = []
    while position < len(data):
        if len(commands) == COMMANDS_PER_DATAGRAM:
            raise RemoteProtocolError(f"more than {COMMANDS_PER_DATAGRAM} ENet commands in a datagram")
        command, position = _parse_command(data, position)
        if command.flags & Flags.ACKNOWLEDGE and sent_time is None:
            raise RemoteProtocolError(f"{command.kind.name} wants an acknowledgement but gives no sent time")
        commands.append(command)
    if not commands:
        raise RemoteProtocolError("ENet datagram without a command")
    return Datagram(head & NO_PEER_ID, (head >> _SESSION_SHIFT) & 3, sent_time, tuple(commands))


def _parse_command(data: bytes, position: int) -> tuple[Command, int]:
    if len(data) - position < COMMAND_HEADER.size:
        raise RemoteProtocolError("ENet datagram ends inside a command header")
    kind_byte, channel, sequence = COMMAND_HEADER.unpack_from(data, position)
    position += COMMAND_HEADER.size
    try:
        kind = Kind(kind_byte & _KIND_MASK)
    except ValueError:
        raise RemoteProtocolError(f"unknown ENet command {kind_byte & _KIND_MASK}") from None
    layout = _LAYOUTS[kind]
    if len(data) - position < layout.struct.size:
        raise RemoteProtocolError(f"ENet datagram ends inside {kind.name}")
    values: list[int | bytes] = list(layout.struct.unpack_from(data, position))
    position += layout.struct.size
    if layout.length_index is not None:
        length_bytes = int(values.pop(layout.length_index))
        if len(data) - position < length_bytes:
            raise RemoteProtocolError(
                f"{kind.name} of {length_bytes} bytes, {len(data) - position} are there"
            )
        values.append(data[position : position + length_bytes])
        position += length_bytes
    body = layout.body(*values)
    if isinstance(body, SendFragment):
        _check_fragment(body)
    return Command(kind, Flags(kind_byte & ~_KIND_MASK & 0xC0), channel, sequence, body), position


def _check_fragment(fragment: SendFragment) -> None:
    most = fragment.total_bytes // _SMALLEST_FRAGMENT_BYTES + 1
    if not 0 <= fragment.fragment_number < fragment.fragment_count <= most:
        raise RemoteProtocolError(
            f"fragment {fragment.fragment_number} of {fragment.fragment_count}, {fragment.total_bytes} bytes"
        )
    end_bytes = fragment.offset_bytes + len(fragment.data)
    if not fragment.data or end_bytes > fragment.total_bytes:
        raise RemoteProtocolError(
            f"fragment from {fragment.offset_bytes} to {end_bytes} in {fragment.total_bytes} bytes"
        )


def build_command(command: Command) -> bytes:
    """Write one command; a value that does not fit its field raises LocalProtocolError."""
    layout = _LAYOUTS[command.kind]
    values: list[int | bytes] = list(command.body)
    data = b""
    if layout.length_index is not None:
        data = bytes(values.pop())
        values.insert(layout.length_index, len(data))
    try:
        head = COMMAND_HEADER.pack(command.kind | command.flags, command.channel, command.sequence)
        return head + layout.struct.pack(*values) + data
    except StructError as problem:
        raise LocalProtocolError(f"{command} does not fit the wire: {problem}") from None


def build_datagram(peer_id: int, session: int, sent_time: int | None, commands: Iterable[bytes]) -> bytes:
    """Write a datagram around commands from `build_command`.

    The session is left out before the receiver gave the sender a number, as in cgutman/enet ``protocol.c``,
    ``enet_protocol_send_outgoing_commands``.
    """
    head = peer_id if peer_id == NO_PEER_ID else peer_id | session << _SESSION_SHIFT
    if sent_time is None:
        return PEER_HEADER.pack(head) + b"".join(commands)
    return PEER_HEADER.pack(head | _SENT_TIME_FLAG) + SENT_TIME.pack(sent_time) + b"".join(commands)
