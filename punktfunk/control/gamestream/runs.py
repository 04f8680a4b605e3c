"""A running app with its display, and the stream that shows it now.

    display made -> app started -> stream ... idle ... stream ... -> app ended, display gone

A run outlives its streams, so that a client can come back to its game; a stream never outlives its run. From
the moment that a run begins to end it takes no new stream. Who may begin and end what: ``sessions``.
"""

import logging
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio

from punktfunk.control.apps import App, run_app
from punktfunk.control.displays.base import DisplayBackend, VirtualOutput, find_terminal
from punktfunk.control.displays.spawned import SpawnedSway
from punktfunk.control.gamestream.stream import Stream
from punktfunk.control.gamestream.streaming import Planes, run_stream
from punktfunk.control.occupancy import Occupancy, Shown, Streaming
from punktfunk.control.problems import first_leaf, worded
from punktfunk.errors import PunktfunkError
from punktfunk.plan import Mode, RealtimePlan
from punktfunk.wire.gamestream.feedback import TerminationCode

logger = logging.getLogger(__name__)

Report = Callable[[str], None]


BARE = {SpawnedSway.name, "wlroots", "hyprland-own", "gamescope", "session-sway", "session-gamescope"}
"""Backends whose desktop is empty until somebody starts a program; a gamescope gives no picture before."""


class LaunchRefused(PunktfunkError):
    """A launch, resume or cancel that cannot be; ``status`` is GameStream's ``status_code``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Means:
    """What every run of the host uses.

    resume_timeout_s   how long a run waits for a client that left; ``linger_s`` for one that dropped
    """

    backend: DisplayBackend
    planes: Planes
    realtime: RealtimePlan
    resume_timeout_s: float
    log_folder: Path
    report: Report
    linger_s: float | None = None
    occupancy: Occupancy = field(default_factory=Occupancy)


class Run:
    """One app on its display. Events: ``started`` (both are there, or never will be) and ``ended`` (gone)."""

    def __init__(self, app: App, owner: str, mode: Mode, means: Means, fingerprint: str = "") -> None:
        self.app = app
        self.owner = owner
        self.fingerprint = fingerprint
        """Of the client that shows it, or did last."""
        self.stream: Stream | None = None
        """The latest stream; it may have ended."""
        self.started = trio.Event()
        self.ended = trio.Event()
        self.closing = False
        self.failure = ""
        self._mode = mode
        self._means = means
        self._scope = trio.CancelScope()
        self._idle = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._output: VirtualOutput | None = None
        self._mode_unsure = False
        self._stream_done = trio.Event()
        self._stream_done.set()
        self._waits_s = means.resume_timeout_s
        self._shown = Shown(
            app.title,
            self._waits,
            lambda: self.close("its place was wanted"),
            self.ended,
        )

    @property
    def live_stream(self) -> Stream | None:
        """The stream that goes on or is about to start, if any."""
        return None if self.stream is None or self.stream.ended.is_set() else self.stream

    def _waits(self) -> bool:
        """Tell whether it was streamed and is not any more."""
        return self.stream is not None and self._stream_done.is_set()

    async def hold(self) -> None:
        """Own display and app for as long as the run lasts; failures end the run, never the host."""
        title, means = self.app.title, self._means
        try:
            with self._scope, means.occupancy.display(self._shown):
                async with means.backend.create(self._mode, self.owner) as self._output:
                    for note in self._output.notes:
                        means.report(f"display: {note}")
                    log_path = means.log_folder / "app.log"
                    app = furnished(self.app, self._output)
                    async with run_app(app, self._output.environment, log_path) as process:
                        await self._stay(process if self.app.spec.command else None)
        except* (PunktfunkError, OSError) as problems:
            self.failure = worded(first_leaf(problems))
            means.report(f"{title}: {self.failure}")
        finally:
            self.closing = True
            self.started.set()
            self.ended.set()
            logger.info("run ended app=%r", title)

    def close(self, reason: str) -> None:
        """Begin to end at once, whatever goes on."""
        self.closing = True
        if self.stream is not None:
            self.stream.end(reason, termination_code=TerminationCode.GRACEFUL)
        self._scope.cancel()

    async def wind_down(self, reason: str) -> None:
        """End the stream, so that its client learns why, and then the run; returns while the run unwinds."""
        self.closing = True
        try:
            await self.end_stream(reason)
        finally:
            self.close(reason)

    async def end_stream(self, reason: str) -> None:
        """End the stream, if there is one, and return when its threads are gone."""
        if self.stream is not None:
            self.stream.end(reason, termination_code=TerminationCode.GRACEFUL)
        await self._stream_done.wait()

    def begin_stream(self, stream: Stream) -> None:
        """Show the run in a new stream; the one before must be done. LaunchRefused if the run is ending."""
        if self.closing or self._nursery is None or not self._stream_done.is_set():
            raise LaunchRefused(503, f"{self.app.title} ended while the stream was starting.")
        self.stream = stream
        self.owner, self.fingerprint = stream.peer.name, stream.peer.fingerprint
        done = self._stream_done = trio.Event()
        self._idle.deadline = math.inf
        client = Streaming(
            stream.peer.fingerprint,
            stream.peer.name,
            lambda newcomer: stream.end(
                f"taken over by {newcomer}", termination_code=TerminationCode.GRACEFUL
            ),
            done,
        )
        stack = ExitStack()
        stack.callback(done.set)
        stack.enter_context(self._means.occupancy.streaming(client))
        self._nursery.start_soon(self._own_stream, stream, stack)

    async def _stay(self, process: trio.Process | None) -> None:
        report = self._means.report
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self.started.set()
            report(
                f"{self.app.title} started for {self.owner} on {self._output.name if self._output else '?'}"
            )
            if process is not None:
                nursery.start_soon(self._end_with_app, process)
            with self._idle:
                await trio.sleep_forever()
            report(f"{self.app.title}: nobody came back within {self._waits_s:.0f} s")
            self.close("nobody came back")

    async def _end_with_app(self, process: trio.Process) -> None:
        status = await process.wait()
        self._means.report(f"{self.app.title} ended by itself (status {status})")
        await self.wind_down(f"{self.app.title} ended")

    async def _own_stream(self, stream: Stream, counted: ExitStack) -> None:
        means = self._means
        with counted:
            try:
                await run_stream(stream, self._change_mode, means.planes, means.realtime, means.report)
            finally:
                self._waits_s = means.resume_timeout_s
                if stream.dropped and means.linger_s is not None:
                    self._waits_s = means.linger_s
                self._idle.deadline = trio.current_time() + self._waits_s
                if stream.failed:
                    # Its display or its threads broke: coming back to them would only break again.
                    means.report(f"{self.app.title}: ended with its stream")
                    self.close(stream.end_reason)

    async def _change_mode(self, mode: Mode) -> VirtualOutput:
        assert self._output is not None
        if self._output.mode != mode or self._mode_unsure:
            self._mode_unsure = True  # until it has worked: half a change leaves either mode
            known = self._output.notes
            self._output = await self._means.backend.change_mode(self._output, mode)
            self._mode_unsure = False
            for note in self._output.notes:
                if note not in known:
                    self._means.report(f"display: {note}")
        return self._output


def furnished(app: App, output: VirtualOutput) -> App:
    """Give the bare desktop of a session that we spawned a terminal: somebody on a phone sees what to do.

    Unlike an app's own command, the terminal may be closed without ending anything.
    """
    terminal = find_terminal() if output.backend in BARE else None
    if app.spec.command or terminal is None:
        return app
    return replace(app, spec=replace(app.spec, command=terminal))
