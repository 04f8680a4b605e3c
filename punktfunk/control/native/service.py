"""The service of punktfunk/1: connections in, sessions out.

    connection -> control stream -> first message -> admission -> free slot -> session

A slot is taken last: whoever is not admitted yet, be it a stranger who waits for approval or one who says
nothing, holds none, and a device that comes back takes its own session's. A full host keeps its peer waiting.
Spec: punktfunk-1 sections 2.2 and 2.17, where the slot comes first.
"""

import logging
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import trio

from punktfunk.control.complaints import Complaints
from punktfunk.control.native.admission import Admitted, FrontDesk
from punktfunk.control.native.identity import NativeIdentity
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.native.session import Session, SessionMeans
from punktfunk.control.quic import QuicConfig, QuicConnection, QuicServer, serve_quic
from punktfunk.wire.native.capabilities import ALPN, CloseCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punktfunk.control.readiness import Readiness
    from punktfunk.control.sockets import BoundSocket

logger = logging.getLogger(__name__)

OPENING_S: Final = 10.0
"""For the control stream, and again for the first message on it."""
GRACE_S: Final = 1.5
READY_S: Final = 60.0
REACHABLE: Final = 0
"""Code of a connection that was only made to see whether the host answers."""


class NativeService:
    """Serves all clients of the host. ``means`` appear when encoders and kernels are ready."""

    def __init__(
        self, identity: NativeIdentity, front: FrontDesk, readiness: "Readiness", *, session_count: int = 4
    ) -> None:
        self.means: SessionMeans | None = None
        self.server: QuicServer | None = None
        self._identity = identity
        self._front = front
        self._readiness = readiness
        self._slots = trio.Semaphore(session_count, max_value=session_count)
        self._numbers = count(1)
        self._sessions: dict[int, Session] = {}
        self._complaints = Complaints(logger)

    @property
    def sessions(self) -> list[Session]:
        """List the sessions that go on, oldest first."""
        return list(self._sessions.values())

    def status(self) -> list[dict[str, Any]]:
        """Describe sessions, and displays that wait for their client to come back."""
        told = [session.status() for session in self.sessions]
        if self.means is not None:
            told += [
                {"client": desk.name, "app": desk.app.title, "waiting": True}
                for desk in self.means.desks.living()
                if desk.user is None
            ]
        return told

    async def run(
        self,
        sockets: "Sequence[BoundSocket]",
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; the sockets stay the caller's."""
        config = QuicConfig(
            alpn=(ALPN,),
            certificate=self._identity.certificate,
            private_key=self._identity.private_key,
        )
        async with trio.open_nursery() as nursery:
            self.server = await nursery.start(serve_quic, sockets, config, self.handle)
            task_status.started()

    async def handle(self, connection: QuicConnection) -> None:
        """Serve one connection to its end; QuicClosed where its peer leaves early."""
        messages, first = await self._open_control(connection)
        if messages is None or first is None:
            return
        admitted = await self._front.admit(connection, messages, first)
        if admitted is None or (means := await self._means(connection)) is None:
            return
        await self._supersede(admitted)
        means = await means.renewed()
        with connection.raising_when_closed():
            await self._slots.acquire()
        session = Session(next(self._numbers), connection, messages, admitted, means)
        self._sessions[session.number] = session
        try:
            await session.run()
        finally:
            del self._sessions[session.number]
            self._slots.release()

    async def _open_control(self, connection: QuicConnection) -> tuple[MessageStream | None, bytes | None]:
        """Wait for the control stream and the first message on it."""
        messages: MessageStream | None = None
        first: bytes | None = None
        with trio.move_on_after(OPENING_S):
            messages = MessageStream(await connection.accept_stream())
        if messages is not None:
            with trio.move_on_after(OPENING_S):
                first = await messages.receive()
        if first is None:
            self._complaints.note("silent", peer=connection.remote_address[0])
            connection.close(CloseCode.SETUP_FAILED, f"Nothing was asked for within {OPENING_S:.0f} s.")
        return messages, first

    async def _means(self, connection: QuicConnection) -> SessionMeans | None:
        """Wait until the host can stream; a client that comes too early is told what it waits for."""
        with connection.raising_when_closed(), trio.move_on_after(READY_S):
            await self._readiness.ready.wait()
        if self.means is None:
            waiting = self._readiness.waiting_for or "its start"
            connection.close(
                CloseCode.SETUP_FAILED, f"The host is not ready yet ({waiting}); try again soon."
            )
        return self.means

    async def _supersede(self, admitted: Admitted) -> None:
        """End an older session of the same device: one that dropped is often back before we notice."""
        for session in self.sessions:
            if admitted.fingerprint is not None and session.fingerprint == admitted.fingerprint:
                session.end(CloseCode.SUPERSEDED, "This device has connected again from elsewhere.")
                with trio.move_on_after(GRACE_S):
                    await session.done.wait()
