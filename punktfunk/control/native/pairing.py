"""Pairing by the PIN that the host shows: one guess, proved by SPAKE2 (punktfunk-1 section 2.4).

    device -> host   PairRequest    its name, SPAKE2 element A
    host             no certificate, too soon, no PIN, PIN of another device: refused, in this order
    host             element B and the shared key; a malformed element fails here and does not spend the PIN
    host             spends the PIN
    host -> device   PairChallenge  element B, our confirmation: the device checks it before it proves itself
    device -> host   PairProof      its confirmation
    host             stores the device
    host -> device   PairResult     ok only if the device is stored

A wrong PIN shows as a device that goes away instead of proving. Whoever holds our challenge can test one PIN
only, and has spent it.
"""

import logging
from collections.abc import Callable
from hmac import compare_digest
from typing import Final, Protocol

import trio

from punktfunk.control.native.arming import Arm, ArmingDesk
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.native.refusal import TurnedAway
from punktfunk.control.native.spake import answer
from punktfunk.control.quic.errors import CloseReason, QuicClosed, StreamReset
from punktfunk.control.trust import ClientBook, tidy_name
from punktfunk.errors import PunktfunkError, RemoteProtocolError
from punktfunk.wire.native.capabilities import CloseCode
from punktfunk.wire.native.pairing import (
    LABEL_CLIENT,
    LABEL_HOST,
    PairChallenge,
    PairProof,
    PairRequest,
    PairResult,
    build_pairing,
    confirmation,
    parse_pairing,
)

logger = logging.getLogger(__name__)

STEP_S: Final = 60.0
FAREWELL_S: Final = 5.0
EXCHANGES_AT_ONCE: Final = 2
"""Each holds the GIL for tens of milliseconds, in a thread of its own."""
CLOSED_WELL: Final = 0

WRONG_PIN: Final = "the device did not prove that it knows the PIN: it was probably typed wrongly"


class Connection(Protocol):
    """What is needed of a QUIC connection."""

    @property
    def peer_fingerprint(self) -> str | None:
        """SHA-256 of the peer's certificate in hex; None without one."""

    @property
    def remote_address(self) -> tuple[str, int]:
        """Where the peer is."""

    def close(self, code: int = 0, text: str = "") -> None:
        """Close at once."""

    async def wait_closed(self) -> CloseReason:
        """Wait for the end."""


class NativePairing:
    """Answers requests to pair, each on its own connection. ``report`` gets lines for people."""

    def __init__(
        self, book: ClientBook, arming: ArmingDesk, host_fingerprint: str, *, report: Callable[[str], None]
    ) -> None:
        self._book = book
        self._arming = arming
        self._host_fingerprint = bytes.fromhex(host_fingerprint)
        self._report = report
        self._limiter = trio.CapacityLimiter(EXCHANGES_AT_ONCE)

    async def serve(self, connection: Connection, messages: MessageStream, request: PairRequest) -> None:
        """Pair one device, or raise TurnedAway; afterwards the connection is closed or about to be."""
        fingerprint, arm = self._admit(connection)
        element, key = await self._exchange(arm, request.element, fingerprint)
        if not self._arming.spend(arm):
            raise _not_armed()
        identities = bytes.fromhex(fingerprint), self._host_fingerprint
        address = connection.remote_address[0]
        try:
            with trio.fail_after(STEP_S):
                ours = confirmation(LABEL_HOST, key, *identities)
                await messages.send(build_pairing(PairChallenge(element, ours)))
            proved = await self._proved(messages, confirmation(LABEL_CLIENT, key, *identities))
            stored = proved and await self._store(arm, fingerprint, request.name, address)
            if not proved:
                arm.end(WRONG_PIN)
            with trio.fail_after(STEP_S):
                await messages.send(build_pairing(PairResult(stored)))
            messages.send_eof()
            with trio.move_on_after(FAREWELL_S):
                await connection.wait_closed()
            connection.close(CLOSED_WELL, "pairing done")
        except (QuicClosed, StreamReset, trio.TooSlowError):
            arm.end(WRONG_PIN)
            connection.close(CloseCode.SETUP_FAILED, "Pairing took too long.")
        finally:
            arm.end("pairing was interrupted")
            if not arm.paired:
                self._report(f"pairing: the device at {address} failed: {arm.outcome}")

    def _admit(self, connection: Connection) -> tuple[str, Arm]:
        fingerprint = connection.peer_fingerprint
        if fingerprint is None:
            raise TurnedAway(
                CloseCode.NO_IDENTITY, "This client showed no certificate, so it cannot be paired."
            )
        if not self._arming.charge():
            raise TurnedAway(
                CloseCode.RATE_LIMITED,
                "Another request to pair came just before. Try again in a few seconds.",
            )
        arm = self._arming.current()
        if arm is None:
            raise _not_armed()
        if arm.fingerprint and not compare_digest(arm.fingerprint, fingerprint):
            raise TurnedAway(CloseCode.BOUND_TO_OTHER, "The host's PIN is meant for another device.")
        return fingerprint, arm

    async def _exchange(self, arm: Arm, element: bytes, fingerprint: str) -> tuple[bytes, bytes]:
        try:
            return await trio.to_thread.run_sync(
                answer,
                arm.pin,
                element,
                bytes.fromhex(fingerprint),
                self._host_fingerprint,
                limiter=self._limiter,
            )
        except RemoteProtocolError as error:
            raise TurnedAway(CloseCode.SETUP_FAILED, f"Pairing failed: {error}.") from error

    async def _proved(self, messages: MessageStream, expected: bytes) -> bool:
        with trio.fail_after(STEP_S):
            payload = await messages.receive()
        try:
            proof = parse_pairing(payload) if payload is not None else None
        except RemoteProtocolError:
            return False
        return isinstance(proof, PairProof) and compare_digest(proof.confirmation, expected)

    async def _store(self, arm: Arm, fingerprint: str, name: str, address: str) -> bool:
        """Store the device. Shielded: a device must not be half paired."""
        end_s = int(self._book.wall_clock()) + arm.access_s if arm.access_s else 0
        shown = tidy_name(name, otherwise=f"device at {address}")
        with trio.CancelScope(shield=True):
            try:
                client = await self._book.add_native(
                    fingerprint, shown, grants=arm.grants, expires_at_s=end_s
                )
            except PunktfunkError as error:
                arm.end(f"{error} {error.hint}".strip())
                return False
        arm.end(client.name, paired=True)
        logger.info("paired address=%s fingerprint=%s", address, fingerprint[:16])
        self._report(f"paired: {client.name} at {address}")
        return True


def _not_armed() -> TurnedAway:
    return TurnedAway(
        CloseCode.NOT_ARMED, "The host shows no PIN now. Let its owner run: punktfunk pair --native"
    )
