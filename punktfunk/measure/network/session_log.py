"""Writes the packets of a running session into a recording, from the receiver's own log."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.network.recording import Facts, Writer, rows_of_log

if TYPE_CHECKING:
    from punktfunk.control.client.session import ClientSession

LOG_ROWS: Final = 1 << 16
"""Packets that the receiver keeps: half a second at 1.4 Gbit/s."""
_DRAIN_S: Final = 0.1


class SessionLog:
    """Records the first session that it is given, for ``seconds`` from its first packet; 0 never ends."""

    def __init__(self, path: Path, seconds: float = 0.0) -> None:
        self._path = path
        self._seconds = seconds
        self._taken = False
        self.row_count = 0
        self.overwritten_count = 0

    async def record(self, session: "ClientSession", done: Callable[[], object] | None = None) -> None:
        """Write what comes until cancelled, or until the time is over: then ``done`` is called."""
        if self._taken:
            return  # after a reconnect another key and other numbers hold: one recording is one session
        self._taken = True
        welcome = session.welcome
        settled = welcome.shard_bytes, welcome.data_max, int(welcome.fec_scheme), welcome.fec_percent
        facts = Facts(*settled, welcome.bitrate_kbps, max(1, welcome.refresh_hz))
        position = 0
        with Writer(self._path, facts) as writer:
            try:
                end_s = float("inf")
                while trio.current_time() < end_s:
                    await trio.sleep(_DRAIN_S)
                    position = self._drain(session, writer, position)
                    if self.row_count and self._seconds and end_s == float("inf"):
                        end_s = trio.current_time() + self._seconds
            finally:
                self._drain(session, writer, position)
        if done is not None:
            done()

    def _drain(self, session: "ClientSession", writer: Writer, position: int) -> int:
        rows, after = session.video.packets(position)
        writer.write(rows_of_log(rows))
        self.row_count = writer.row_count
        self.overwritten_count += after - position - len(rows)
        return after

    def check(self) -> None:
        """EnvironmentProblem where nothing was recorded."""
        if not self.row_count:
            raise EnvironmentProblem(
                "no video packet came, so nothing was recorded",
                hint="`punktfunk connect --headless --frames 60` shows whether video arrives at all.",
            )
