"""The first message of a connection, and whether its sender comes in (punktfunk-1 sections 2.4 and 2.17).

PairRequest                        pairing, and the connection ends
Hello  of another wire version     0x67
       without certificate         0x63, unless the host is open
       of a device not paired      held for approval; with all grants on an open host
       with a launch, no grant     0x6A
       else                        admitted
anything else                      0x68
"""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from punktfunk.control.complaints import Complaints
from punktfunk.control.native.access import Access
from punktfunk.control.native.approval import ApprovalDesk
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.native.pairing import Connection, NativePairing
from punktfunk.control.native.refusal import TurnedAway
from punktfunk.control.trust import ClientBook, ClientKind, PairedClient, tidy_name
from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.native.capabilities import WIRE_VERSION, CloseCode, Grant
from punktfunk.wire.native.handshake import Hello
from punktfunk.wire.native.pairing import parse_opening

logger = logging.getLogger(__name__)


class HoldableConnection(Connection, Protocol):
    """A connection whose end also ends the wait for approval."""

    def raising_when_closed(self) -> AbstractContextManager[None]:
        """Cancel the block and raise QuicClosed when the connection ends."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A client that may begin a session. ``client`` is None for one that only an open host lets in."""

    client: PairedClient | None
    fingerprint: str | None
    name: str
    hello: Hello
    access: Access


class FrontDesk:
    """Decides for every connection of one host. Open hosts let everyone in, by explicit setting only."""

    def __init__(
        self, book: ClientBook, pairing: NativePairing, approval: ApprovalDesk, *, open_host: bool = False
    ) -> None:
        self._book = book
        self._pairing = pairing
        self._approval = approval
        self._stranger = Grant.ALL if open_host else None
        self.complaints = Complaints(logger)

    async def admit(
        self,
        connection: HoldableConnection,
        messages: MessageStream,
        first: bytes,
        *,
        parked: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    ) -> Admitted | None:
        """Let the client in, or pair it, or turn it away; without a session (None) the connection is closed.

        ``first`` is the first payload of the control stream. ``parked`` surrounds the wait for approval: give
        the session's slot back in it, and take one again at its end. Raises QuicClosed if the client leaves.
        """
        address = connection.remote_address[0]
        try:
            opening = parse_opening(first)
            if isinstance(opening, Hello):
                return await self._admit(connection, opening, parked)
            await self._pairing.serve(connection, messages, opening)
        except TurnedAway as refusal:
            self.complaints.note(refusal.code.name.lower(), peer=address, reason=refusal)
            connection.close(refusal.code, str(refusal))
        except RemoteProtocolError as error:
            self.complaints.note("first message", peer=address, reason=error)
            connection.close(CloseCode.SETUP_FAILED, f"The host could not read the first message: {error}.")
        return None

    async def _admit(
        self,
        connection: HoldableConnection,
        hello: Hello,
        parked: Callable[[], AbstractAsyncContextManager[None]],
    ) -> Admitted:
        if hello.wire_version != WIRE_VERSION:
            raise TurnedAway(
                CloseCode.WIRE_VERSION,
                f"This host speaks version {WIRE_VERSION} of punktfunk/1, the client version "
                f"{hello.wire_version}. Update the older of the two.",
            )
        fingerprint = connection.peer_fingerprint
        name = tidy_name(hello.name or "", otherwise=f"device at {connection.remote_address[0]}")
        client = None if fingerprint is None else self._book.admitted(fingerprint, ClientKind.NATIVE)
        if client is None and not self._lets_strangers_in(fingerprint):
            if fingerprint is None:
                raise TurnedAway(
                    CloseCode.NO_IDENTITY,
                    "This host is for paired devices, and the client showed no certificate.",
                )
            client = await self._wait_for_approval(connection, fingerprint, name, parked)
        access = Access(self._book, fingerprint, stranger=self._stranger)
        if client is not None:
            await self._book.note_seen(client)
            name = client.name
        if hello.launch_id and not access.allows_grant(Grant.LAUNCH):
            raise TurnedAway(
                CloseCode.LAUNCH_NOT_ALLOWED,
                "This device may not launch anything here; connect without, or ask the host's owner.",
            )
        return Admitted(client, fingerprint, name, hello, access)

    def _lets_strangers_in(self, fingerprint: str | None) -> bool:
        """Tell whether somebody unknown comes in; a device whose time is over is none."""
        known = None if fingerprint is None else self._book.known(fingerprint)
        return self._stranger is not None and (known is None or ClientKind.NATIVE not in known.kinds)

    async def _wait_for_approval(
        self,
        connection: HoldableConnection,
        fingerprint: str,
        name: str,
        parked: Callable[[], AbstractAsyncContextManager[None]],
    ) -> PairedClient:
        async with parked():
            with connection.raising_when_closed():
                return await self._approval.wait(fingerprint, name, connection.remote_address[0])
        raise AssertionError("the wait ends by an answer or an exception")
