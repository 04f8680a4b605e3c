"""Who may launch, resume and cancel: one app at a time, shown by one stream at a time.

    launch -> run (display made, app started) -> stream ... client leaves, run stays ... resume -> stream
    ... cancel

The three verbs take turns. A client that hangs up in the middle of one leaves nothing half done: a launch
that nobody waits for any more is ended. What a run is: ``runs``.
"""

import logging
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.apps import Catalogue
from punktfunk.control.gamestream.negotiate import HostOffer
from punktfunk.control.gamestream.runs import LaunchRefused, Means, Run
from punktfunk.control.gamestream.stream import MediaPorts, Peer, Stream
from punktfunk.plan import AudioSource, Mode
from punktfunk.wire.gamestream.launch import LaunchRequest

if TYPE_CHECKING:
    from punktfunk.realtime import Pipeline

__all__ = ["LaunchRefused", "SessionRules", "Sessions"]

logger = logging.getLogger(__name__)

DEFAULT_MODE: Final = Mode(1280, 720, 60_000)
"""For a client that names no mode."""
START_TIMEOUT_S: Final = 45
"""For display, preparations and app to come up: clients wait 60 s or longer for a launch."""
END_TIMEOUT_S: Final = 25
"""For a stream and a run to end: clients wait 30 s for a resume or cancel."""


@dataclass(frozen=True, slots=True)
class SessionRules:
    """What the settings say about sessions."""

    offer: HostOffer
    sound: AudioSource
    ports: MediaPorts
    takeover: bool


class Sessions:
    """Launch, resume and cancel for all clients of the host. :meth:`serve` must run meanwhile."""

    def __init__(self, catalogue: Catalogue, rules: SessionRules, means: Means) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self._means = means
        self._numbers = count(1)
        self._turn = trio.Lock()
        self._run: Run | None = None
        self._to_start, self._starting = trio.open_memory_channel[Run](1)

    async def serve(self) -> None:
        """Own every run until cancelled."""
        async with self._starting, trio.open_nursery() as nursery:
            async for run in self._starting:
                nursery.start_soon(run.hold)

    @property
    def run(self) -> Run | None:
        """The run that goes on, starts or ends, if any."""
        return None if self._run is None or self._run.ended.is_set() else self._run

    @property
    def current_app_id(self) -> int:
        """The running app's number, 0 if none runs."""
        return self.run.app.app_id if self.run is not None else 0

    @property
    def stream(self) -> Stream | None:
        """The stream that is going on or about to start, if any."""
        return self.run.live_stream if self.run is not None else None

    @property
    def video(self) -> "Pipeline | None":
        """The pipeline of the stream, while its threads run."""
        return self.stream.video if self.stream is not None else None

    def pending_for(self, address: str) -> Stream | None:
        """Find the stream whose RTSP conversation a client at ``address`` may continue."""
        stream = self.stream
        if stream is None or stream.played.is_set() or stream.peer.address != address:
            return None
        return stream

    async def launch(self, peer: Peer, request: LaunchRequest) -> None:
        """Start an app on a display of the client's size; LaunchRefused says why not."""
        app = self._catalogue.find(request.app_id) if request.app_id is not None else None
        if app is None:
            await trio.lowlevel.checkpoint()
            raise LaunchRefused(404, f"This host has no app with the number {request.app_id}.")
        self._check(request)
        async with self._turn:
            await self._let_end()
            if self.run is not None:
                raise LaunchRefused(400, f"{self.run.app.title} is already running on this host.")
            run = Run(app, peer.name, request.mode or DEFAULT_MODE, self._means)
            await self._start(run)
            run.begin_stream(self._new_stream(peer, request))

    async def resume(self, peer: Peer, request: LaunchRequest) -> None:
        """Start a new stream of the running app, taking it over from the client that has it."""
        self._check(request)
        async with self._turn:
            run = self.run
            if run is None or run.closing:
                await trio.lowlevel.checkpoint()
                raise LaunchRefused(503, "No app is running that could be resumed.")
            self._check_owner(peer.fingerprint)
            with trio.move_on_after(END_TIMEOUT_S) as patience:
                await run.end_stream(f"taken over by {peer.name}")
            if patience.cancelled_caught:
                raise LaunchRefused(503, "The stream before this one does not end.")
            run.begin_stream(self._new_stream(peer, request))

    async def cancel(self, fingerprint: str) -> None:
        """End the running app, its stream and its display; return when they are gone."""
        async with self._turn:
            run = self.run
            if run is None:
                await trio.lowlevel.checkpoint()
                return
            self._check_owner(fingerprint)
            with trio.move_on_after(END_TIMEOUT_S):
                await run.wind_down("quit by the client")
                await run.ended.wait()
            if not run.ended.is_set():
                raise LaunchRefused(503, f"{run.app.title} is still ending.")

    def _check(self, request: LaunchRequest) -> None:
        if self._rules.offer.encryption == "always" and not request.can_encrypt_rtsp:
            raise LaunchRefused(403, "This host wants encryption, which this client is too old for.")

    def _check_owner(self, fingerprint: str) -> None:
        """Refuse to take a stream from a client that is using it, where the settings say so."""
        stream = self.stream
        if stream is not None and stream.peer.fingerprint != fingerprint and not self._rules.takeover:
            raise LaunchRefused(400, f"{stream.peer.name} is streaming from this host.")

    async def _let_end(self) -> None:
        """Wait for a run that is ending already."""
        run = self.run
        if run is None or not run.closing:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(END_TIMEOUT_S):
            await run.ended.wait()

    async def _start(self, run: Run) -> None:
        """Start the run; when this returns it can be streamed, or LaunchRefused says why it cannot."""
        await self._to_start.send(run)
        self._run = run
        try:
            with trio.move_on_after(START_TIMEOUT_S) as patience:
                await run.started.wait()
        except BaseException:
            run.close("its client hung up")  # nobody would ever come to stream it
            raise
        if patience.cancelled_caught:
            run.close("it did not start in time")
            await self._let_end()
            raise LaunchRefused(503, f"{run.app.title} did not start within {START_TIMEOUT_S} s.")
        if run.failure:
            raise LaunchRefused(503, run.failure)

    def _new_stream(self, peer: Peer, request: LaunchRequest) -> Stream:
        rules = self._rules
        return Stream(next(self._numbers), peer, request, rules.offer, rules.sound, rules.ports)
