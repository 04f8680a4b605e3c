"""What the ENet machine tells its owner, and the limits that the owner gives it. Values only."""

from dataclasses import dataclass
from enum import Enum
from typing import NewType

Address = tuple[str, int] | tuple[str, int, int, int]
"""As `socket.recvfrom` gives it: (host, port) or (host, port, flow info, scope)."""

PeerId = NewType("PeerId", int)
"""Names one connection and is never used again, unlike the 12 bit number on the wire."""


class Delivery(Enum):
    """How a message travels."""

    RELIABLE = "reliable"  # once, in the order of its channel
    UNRELIABLE = "unreliable"  # perhaps; dropped when a later one of its channel arrived first
    UNSEQUENCED = "unsequenced"  # perhaps, in any order


class Reason(Enum):
    """Why a connection is over."""

    REMOTE = "remote"  # the peer said so
    LOCAL = "local"  # we said so, and the peer knows
    TIMEOUT = "timeout"  # the peer fell silent
    REFUSED = "refused"  # the peer did not want our connection


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection stands. ``connect_data`` is what the client sent with its CONNECT."""

    peer: PeerId
    connect_data: int
    address: Address


@dataclass(frozen=True, slots=True)
class Received:
    """A whole message arrived."""

    peer: PeerId
    channel: int
    payload: bytes
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """The peer goes on from another address, and has proved that it receives there."""

    peer: PeerId
    address: Address


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection is over; ``data`` is the peer's number if ``reason`` is REMOTE or REFUSED, else 0."""

    peer: PeerId
    data: int
    reason: Reason


Event = Connected | Received | AddressChanged | Disconnected


@dataclass(frozen=True, slots=True)
class HostConfig:
    """What one machine holds at most. Every table and queue of the machine has its bound here."""

    accepts: bool = True  # False: only connections that we open
    peer_limit: int = 8  # connections that stand, or that we are opening
    half_open_limit: int = 128  # clients that have not yet answered our VERIFY; the oldest makes room
    half_open_limit_per_host: int = 16
    channel_limit: int = 48
    mtu_bytes: int = 900  # cgutman/enet's default; stock ENet's 1392 comes down to it
    message_limit_bytes: int = 65_536
    waiting_limit_bytes: int = (
        262_144  # per peer: messages that wait for an earlier one, unfinished fragments
    )
    send_limit_bytes: int = 1_048_576  # per peer: messages that wait for the window
    timeout_ns: int = 10_000_000_000  # an unanswered peer is gone
    half_open_timeout_ns: int = 5_000_000_000
    closing_timeout_ns: int = 2_000_000_000  # to flush and to have DISCONNECT acknowledged
    ping_interval_ns: int = 500_000_000
