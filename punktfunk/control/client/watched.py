"""A window's session for a measured time, and what became of each of its frames."""

from collections.abc import Awaitable, Callable

import trio

from punktfunk.control.client.headless import Take
from punktfunk.control.client.reconnect import SessionFactory, keep_connected
from punktfunk.control.client.session import ClientSession
from punktfunk.control.client.setup import CODECS
from punktfunk.realtime import FrameRow

GATHER_S = 0.5


class Watched:
    """``keep`` stands in for ``keep_connected`` and ends after ``seconds`` of pictures."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.takes: list[Take] = []
        self.presented: list[dict[int, int]] = []
        """CLOCK_MONOTONIC of each frame on the screen, by frame index, for each take."""

    async def keep(
        self,
        session_factory: SessionFactory,
        use: Callable[[ClientSession], Awaitable[None]],
        report: Callable[[str], None],
    ) -> None:
        """Keep connected until the time is over."""
        over = trio.Event()

        async def use_and_watch(session: ClientSession) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, session, over)
                await use(session)
                nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:

            async def end() -> None:
                await over.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(end)
            await keep_connected(session_factory, use_and_watch, report)
            nursery.cancel_scope.cancel()

    async def _watch(self, session: ClientSession, over: trio.Event) -> None:
        take = Take(session.host, session.mode, CODECS[session.welcome.codec].value, welcome=session.welcome)
        take.capture_ns, take.clock_known = session.capture_ns, session.clock_offset_ns is not None
        presented: dict[int, int] = {}
        self.takes.append(take)
        self.presented.append(presented)
        session.frames.on_presented = presented.__setitem__
        try:
            with trio.move_on_after(self._seconds):
                while True:
                    take.timings.update(session.timings)
                    await trio.sleep(GATHER_S)
        finally:
            take.mode, take.statistics = session.mode, session.statistics()
            take.rows = rows_of(session)
        over.set()


def rows_of(session: ClientSession) -> list[FrameRow]:
    """Read the session's flight as rows."""
    recording = session.frames.flight.recording()
    at = {name: number for number, name in enumerate(recording["columns"])}
    return [
        FrameRow(
            frame_index=row[at["frame_index"]],
            pts_ns=row[at["pts_ns"]],
            user_flags=row[at["user_flags"]],
            unit_bytes=0,
            packet_count=row[at["packets"]],
            recovered_count=row[at["recovered"]],
            data_count=row[at["data_packets"]],
            first_ns=row[at["first_ns"]],
            complete_ns=row[at["complete_ns"]],
            decoded_ns=row[at["decoded_ns"]],
        )
        for row in recording["rows"]
    ]
