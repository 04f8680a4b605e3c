"""The one app that runs on this host, its display, and the one stream that shows it.

    launch -> run (display made, app started) -> stream ... client leaves, run stays ... resume -> stream
    ... cancel

A run outlives its streams, so that a client can come back to its game; it ends with ``cancel``, when its
app ends, when its display breaks, or when nobody came back in time. A stream never outlives its run.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import trio

from punktfunk.control.apps import App, Catalogue, run_app
from punktfunk.control.displays.base import DisplayBackend, VirtualOutput
from punktfunk.control.gamestream.negotiate import HostOffer
from punktfunk.control.gamestream.stream import MediaPorts, Peer, Stream
from punktfunk.control.gamestream.streaming import Planes, run_stream
from punktfunk.errors import EnvironmentProblem, PunktfunkError
from punktfunk.plan import AudioSource, Mode
from punktfunk.wire.gamestream.feedback import TerminationCode
from punktfunk.wire.gamestream.launch import LaunchRequest

logger = logging.getLogger(__name__)

DEFAULT_MODE = Mode(1280, 720, 60_000)
"""For a client that names no mode."""
START_TIMEOUT_S = 25
"""For display and app to come up: clients wait 60 s or longer for a launch."""
END_TIMEOUT_S = 30

Report = Callable[[str], None]


class LaunchRefused(PunktfunkError):
    """A launch, resume or cancel that cannot be; ``status`` is GameStream's ``status_code``."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class SessionRules:
    """What the settings say about sessions."""

    offer: HostOffer
    sound: AudioSource
    ports: MediaPorts
    takeover: bool
    resume_timeout_s: float
    log_folder: Path


@dataclass(eq=False)
class Run:
    """A running app with its display. ``stream`` is the latest stream; it may have ended."""

    app: App
    owner: str
    mode: Mode
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    idle: trio.CancelScope = field(default_factory=trio.CancelScope)
    started: trio.Event = field(default_factory=trio.Event)
    ended: trio.Event = field(default_factory=trio.Event)
    output: VirtualOutput | None = None
    nursery: trio.Nursery | None = None
    stream: Stream | None = None
    stream_done: trio.Event | None = None
    failure: str = ""


class Sessions:
    """Launch, resume and cancel for all clients of the host."""

    def __init__(
        self,
        nursery: trio.Nursery,
        backend: DisplayBackend,
        catalogue: Catalogue,
        rules: SessionRules,
        report: Report,
    ) -> None:
        self._nursery = nursery
        self._backend = backend
        self._catalogue = catalogue
        self._rules = rules
        self._report = report
        self._numbers = count(1)
        self._turn = trio.Lock()  # launch, resume and cancel one at a time
        self.planes: Planes | None = None
        self.run: Run | None = None

    @property
    def current_app_id(self) -> int:
        """The running app's id, 0 if none runs."""
        return self.run.app.app_id if self.run is not None else 0

    @property
    def stream(self) -> Stream | None:
        """The stream that is going on or about to start, if any."""
        run = self.run
        if run is None or run.stream is None or run.stream.ended.is_set():
            return None
        return run.stream

    def pending_for(self, address: str) -> Stream | None:
        """Find the stream whose RTSP conversation a client at ``address`` may continue."""
        stream = self.stream
        return stream if stream is not None and stream.peer.address == address else None

    async def launch(self, peer: Peer, request: LaunchRequest) -> None:
        """Start an app on a display of the client's size; LaunchRefused says why not."""
        async with self._turn:
            app = self._catalogue.find(request.app_id) if request.app_id is not None else None
            if app is None:
                raise LaunchRefused(404, f"This host has no app with the number {request.app_id}.")
            if self.run is not None:
                raise LaunchRefused(400, f"{self.run.app.title} is already running on this host.")
            self._check(request)
            await self._start_run(Run(app, peer.name, request.mode or DEFAULT_MODE))
            self._start_stream(peer, request)

    async def resume(self, peer: Peer, request: LaunchRequest) -> None:
        """Start a new stream of the running app, taking it over from the client that has it."""
        async with self._turn:
            if self.run is None:
                raise LaunchRefused(503, "No app is running that could be resumed.")
            self._check(request)
            stream = self.stream
            if stream is not None:
                if stream.peer.fingerprint != peer.fingerprint and not self._rules.takeover:
                    raise LaunchRefused(400, f"{stream.peer.name} is streaming from this host.")
                stream.end(f"taken over by {peer.name}", termination_code=TerminationCode.GRACEFUL)
            if self.run.stream_done is not None:
                with trio.move_on_after(END_TIMEOUT_S):
                    await self.run.stream_done.wait()
            self._start_stream(peer, request)

    async def cancel(self) -> None:
        """End the running app, its stream and its display; return when they are gone."""
        async with self._turn:
            await self._end_run("quit by the client")

    def _check(self, request: LaunchRequest) -> None:
        if self._rules.offer.encryption == "always" and not request.can_encrypt_rtsp:
            raise LaunchRefused(403, "This host wants encryption, which this client is too old for.")

    async def _end_run(self, reason: str) -> None:
        run = self.run
        if run is None:
            return
        if run.stream is not None:
            run.stream.end(reason, termination_code=TerminationCode.GRACEFUL)
        if run.stream_done is not None:
            with trio.move_on_after(END_TIMEOUT_S):
                await run.stream_done.wait()
        run.scope.cancel()
        with trio.move_on_after(END_TIMEOUT_S):
            await run.ended.wait()

    # -- runs

    async def _start_run(self, run: Run) -> None:
        self.run = run
        self._nursery.start_soon(self._own_run, run)
        with trio.move_on_after(START_TIMEOUT_S):
            await run.started.wait()
        if not run.started.is_set():
            run.failure = f"{run.app.title} did not start within {START_TIMEOUT_S} s"
            run.scope.cancel()
            await run.ended.wait()
        if run.failure:
            raise LaunchRefused(503, run.failure)

    async def _own_run(self, run: Run) -> None:
        """Hold display and app for as long as the run lasts; failures end the run, never the host."""
        try:
            with run.scope:
                async with self._backend.create(run.mode, run.owner) as output:
                    run.output = output
                    log_path = self._rules.log_folder / "app.log"
                    async with run_app(run.app, output.environment, log_path) as process:
                        await self._hold(run, process)
        except* EnvironmentProblem as problems:
            problem = problems.exceptions[0]
            run.failure = f"{problem} {getattr(problem, 'hint', '')}".strip()
            self._report(f"{run.app.title}: {run.failure}")
        finally:
            if self.run is run:
                self.run = None
            run.started.set()
            run.ended.set()
            logger.info("run ended app=%s", run.app.title)

    async def _hold(self, run: Run, process: trio.Process | None) -> None:
        async with trio.open_nursery() as nursery:
            run.nursery = nursery
            run.started.set()
            self._report(
                f"{run.app.title} started for {run.owner} on {run.output.name if run.output else '?'}"
            )
            if process is not None:
                nursery.start_soon(self._end_with_app, run, process)
            with run.idle:
                await trio.sleep_forever()
            self._report(f"{run.app.title}: nobody came back within {self._rules.resume_timeout_s:.0f} s")
            nursery.cancel_scope.cancel()

    async def _end_with_app(self, run: Run, process: trio.Process) -> None:
        status = await process.wait()
        self._report(f"{run.app.title} ended by itself (status {status})")
        if run.stream is not None:
            run.stream.end(f"{run.app.title} ended", termination_code=TerminationCode.GRACEFUL)
            if run.stream_done is not None:
                await run.stream_done.wait()
        run.scope.cancel()

    # -- streams

    def _start_stream(self, peer: Peer, request: LaunchRequest) -> None:
        run = self.run
        if run is None or run.nursery is None or run.scope.cancel_called:
            raise LaunchRefused(503, "The app ended while the stream was starting.")
        rules = self._rules
        run.stream = Stream(next(self._numbers), peer, request, rules.offer, rules.sound, rules.ports)
        run.stream_done = trio.Event()
        run.idle.deadline = math.inf
        run.nursery.start_soon(self._own_stream, run, run.stream, run.stream_done)

    async def _own_stream(self, run: Run, stream: Stream, done: trio.Event) -> None:
        async def change_mode(mode: Mode) -> VirtualOutput:
            assert run.output is not None
            if run.output.mode != mode:
                run.output = await self._backend.change_mode(run.output, mode)
            return run.output

        assert self.planes is not None
        try:
            await run_stream(stream, change_mode, self.planes, self._rules.offer.realtime, self._report)
        finally:
            run.idle.deadline = trio.current_time() + self._rules.resume_timeout_s
            if stream.failed:
                # Its display or its threads broke: coming back to them would only break again.
                self._report(f"{run.app.title}: ended with its stream ({stream.end_reason})")
                run.scope.cancel()
            done.set()
