"""Whether a peer really moved to another address: it must have gone silent, look right, and answer there.

Anyone may write a peer's number and session (14 bits) into a datagram. So one from an unknown address is
dropped, and answered by a PING with 32 random bits if it carries a reliable command that this peer could
have sent next. Only an acknowledgement of just that PING, from that address, moves the peer, and only while
its old address is silent: Moonlight sends a message every 100 ms (ControlStream.c, ``lossStatsThreadFunc``),
so a running session cannot be taken away. Stock ENet drops a peer that moves; cgutman/enet believes every
datagram (``enet_protocol_handle_incoming_commands``).
"""

from dataclasses import dataclass

from punktfunk.wire.enet.commands import (
    CONTROL_CHANNEL,
    Acknowledge,
    Command,
    Datagram,
    Flags,
    Kind,
    Ping,
    build_command,
    build_datagram,
)
from punktfunk.wire.enet.events import Address

SILENCE_NS = 300_000_000
_PROBE_INTERVAL_NS = 100_000_000
_PROBE_LIFETIME_NS = 3_000_000_000
_CANDIDATE_LIMIT = 4


def address_key(address: Address) -> tuple[str, int, int]:
    """Give what tells one sender from another: host, port and scope, but not the IPv6 flow."""
    return address[0], address[1], address[3] if len(address) == 4 else 0


@dataclass(frozen=True, slots=True)
class _Probe:
    sequence: int
    sent_time: int
    sent_ns: int


class PathProbes:
    """Addresses that one peer may have moved to."""

    def __init__(self) -> None:
        self._probes: dict[tuple[str, int, int], _Probe] = {}

    def probe(
        self, address: Address, random_bytes: bytes, now_ns: int, peer_id: int, session: int
    ) -> bytes | None:
        """Build the PING for an address, from 4 random bytes; None if it had one just now."""
        key = address_key(address)
        known = self._probes.pop(key, None)
        if known is not None and now_ns - known.sent_ns < _PROBE_INTERVAL_NS:
            self._probes[key] = known
            return None
        if len(self._probes) >= _CANDIDATE_LIMIT:
            del self._probes[next(iter(self._probes))]
        sequence = int.from_bytes(random_bytes[:2])
        sent_time = int.from_bytes(random_bytes[2:4])
        self._probes[key] = _Probe(sequence, sent_time, now_ns)
        ping = Command(Kind.PING, Flags.ACKNOWLEDGE, CONTROL_CHANNEL, sequence, Ping())
        return build_datagram(peer_id, session, sent_time, [build_command(ping)])

    def is_answered(self, address: Address, datagram: Datagram, now_ns: int) -> bool:
        """Whether the datagram acknowledges the PING that went to this address."""
        probe = self._probes.get(address_key(address))
        if probe is None or now_ns - probe.sent_ns > _PROBE_LIFETIME_NS:
            return False
        wanted = Acknowledge(probe.sequence, probe.sent_time)
        return any(
            command.channel == CONTROL_CHANNEL and command.body == wanted
            for command in datagram.commands
            if command.kind is Kind.ACKNOWLEDGE
        )
