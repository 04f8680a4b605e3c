"""Who may launch, resume and cancel: one app for each client, shown by one stream at a time.

    launch -> run (display made, app started) -> stream ... client leaves, run stays ... resume -> stream
    ... cancel

What a client is told of and may resume is its own run, else the newest that nobody looks at, whoever left it:
people begin on one device and go on with another. While another client streams, ``occupancy`` decides: a
display of its own, a takeover, or a refusal.

The three verbs take turns. A client that hangs up in the middle of one leaves nothing half done: a launch
that nobody waits for any more is ended. What a run is: ``runs``.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.apps import Catalogue
from punktfunk.control.gamestream.negotiate import HostOffer
from punktfunk.control.gamestream.runs import LaunchRefused, Means, Run
from punktfunk.control.gamestream.stream import MediaPorts, Peer, Stream
from punktfunk.control.occupancy import Occupied, Streaming
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
    sound: Callable[[], AudioSource]  # asked for every stream: the desktop may be another than at the start
    ports: MediaPorts


class Sessions:
    """Launch, resume and cancel for all clients of the host. :meth:`serve` must run meanwhile."""

    def __init__(self, catalogue: Catalogue, rules: SessionRules, means: Means) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self._means = means
        self._numbers = count(1)
        self._turn = trio.Lock()
        self._runs: list[Run] = []
        self._to_start, self._starting = trio.open_memory_channel[Run](1)

    async def serve(self) -> None:
        """Own every run until cancelled."""
        async with self._starting, trio.open_nursery() as nursery:
            async for run in self._starting:
                nursery.start_soon(run.hold)

    @property
    def runs(self) -> list[Run]:
        """The runs that go on, start or end, oldest first."""
        self._runs = [run for run in self._runs if not run.ended.is_set()]
        return self._runs

    @property
    def run(self) -> Run | None:
        """The newest run, if any."""
        return self.runs[-1] if self.runs else None

    def run_of(self, fingerprint: str) -> Run | None:
        """Find the run that a client is told of: its own, else one that it may go on with."""
        own = [run for run in self.runs if run.fingerprint == fingerprint]
        if own:
            return own[-1]
        others = [run for run in self.runs if not run.closing or self._rule != "own"]
        if self._rule == "own":
            others = [run for run in others if run.live_stream is None and run.started.is_set()]
        return others[-1] if others else None

    def app_id_for(self, fingerprint: str | None) -> int:
        """Return the number of the app that runs for that client; 0 if none does."""
        run = self.run if fingerprint is None else self.run_of(fingerprint)
        return run.app.app_id if run is not None else 0

    @property
    def current_app_id(self) -> int:
        """The newest app's number, 0 if none runs."""
        return self.app_id_for(None)

    def status(self) -> list[dict[str, str]]:
        """Describe every run in values that JSON knows; ``client`` is empty while nobody looks at it."""
        return [
            {
                "app": run.app.title,
                "client": run.live_stream.peer.name if run.live_stream is not None else "",
                "owner": run.owner,
            }
            for run in self.runs
        ]

    @property
    def streams(self) -> list[Stream]:
        """The streams that go on or are about to start."""
        return [run.live_stream for run in self.runs if run.live_stream is not None]

    @property
    def stream(self) -> Stream | None:
        """The newest stream that is going on or about to start, if any."""
        return self.streams[-1] if self.streams else None

    @property
    def video(self) -> "Pipeline | None":
        """The pipeline of the stream, while its threads run."""
        return self.stream.video if self.stream is not None else None

    def pending_for(self, address: str) -> Stream | None:
        """Find the stream whose RTSP conversation a client at ``address`` may continue."""
        for stream in reversed(self.streams):
            if not stream.played.is_set() and stream.peer.address == address:
                return stream
        return None

    async def launch(self, peer: Peer, request: LaunchRequest) -> None:
        """Start an app on a display of the client's size; LaunchRefused says why not."""
        app = self._catalogue.find(request.app_id) if request.app_id is not None else None
        if app is None:
            await trio.lowlevel.checkpoint()
            raise LaunchRefused(404, f"This host has no app with the number {request.app_id}.")
        self._check(request)
        async with self._turn:
            await self._let_end(self.run_of(peer.fingerprint))
            if (there := self.run_of(peer.fingerprint)) is not None:
                raise LaunchRefused(400, f"{there.app.title} is already running on this host.")
            await self._admit(peer)
            await self._means.occupancy.make_room()
            run = Run(app, peer.name, request.mode or DEFAULT_MODE, self._means, peer.fingerprint)
            starting = Streaming(
                peer.fingerprint, peer.name, lambda by: run.close(f"taken over by {by}"), run.ended
            )
            with self._means.occupancy.streaming(starting):
                await self._start(run)
                run.begin_stream(self._new_stream(peer, request))

    async def resume(self, peer: Peer, request: LaunchRequest) -> None:
        """Start a new stream of the running app, taking it over from the client that has it."""
        self._check(request)
        async with self._turn:
            run = self.run_of(peer.fingerprint)
            if run is None or run.closing:
                await trio.lowlevel.checkpoint()
                raise LaunchRefused(503, "No app is running that could be resumed.")
            await self._admit(peer)
            with trio.move_on_after(END_TIMEOUT_S) as patience:
                await run.end_stream(f"taken over by {peer.name}")
            if patience.cancelled_caught:
                raise LaunchRefused(503, "The stream before this one does not end.")
            run.begin_stream(self._new_stream(peer, request))

    async def cancel(self, fingerprint: str) -> None:
        """End the running app, its stream and its display; return when they are gone."""
        async with self._turn:
            run = self.run_of(fingerprint)
            if run is None:
                await trio.lowlevel.checkpoint()
                return
            self._check_owner(run, fingerprint)
            with trio.move_on_after(END_TIMEOUT_S):
                await run.wind_down("quit by the client")
                await run.ended.wait()
            if not run.ended.is_set():
                raise LaunchRefused(503, f"{run.app.title} is still ending.")

    def _check(self, request: LaunchRequest) -> None:
        if self._rules.offer.encryption == "always" and not request.can_encrypt_rtsp:
            raise LaunchRefused(403, "This host wants encryption, which this client is too old for.")

    @property
    def _rule(self) -> str:
        return self._means.occupancy.second_client

    async def _admit(self, peer: Peer) -> None:
        """Let a client stream beside those who do, or instead of them, or not, as the settings say."""
        try:
            await self._means.occupancy.admit(peer.fingerprint, peer.name)
        except Occupied as problem:
            raise LaunchRefused(400, str(problem)) from problem

    def _check_owner(self, run: Run, fingerprint: str) -> None:
        """Refuse to end a run that another client is using, where the settings say so."""
        stream = run.live_stream
        if stream is not None and stream.peer.fingerprint != fingerprint and self._rule == "refuse":
            raise LaunchRefused(400, f"{stream.peer.name} is streaming from this host.")

    async def _let_end(self, run: Run | None) -> None:
        """Wait for a run that is ending already."""
        if run is None or not run.closing:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(END_TIMEOUT_S):
            await run.ended.wait()

    async def _start(self, run: Run) -> None:
        """Start the run; when this returns it can be streamed, or LaunchRefused says why it cannot."""
        await self._to_start.send(run)
        self._runs.append(run)
        try:
            with trio.move_on_after(START_TIMEOUT_S) as patience:
                await run.started.wait()
        except BaseException:
            run.close("its client hung up")  # nobody would ever come to stream it
            raise
        if patience.cancelled_caught:
            run.close("it did not start in time")
            await self._let_end(run)
            raise LaunchRefused(503, f"{run.app.title} did not start within {START_TIMEOUT_S} s.")
        if run.failure:
            raise LaunchRefused(503, run.failure)

    def _new_stream(self, peer: Peer, request: LaunchRequest) -> Stream:
        rules = self._rules
        return Stream(next(self._numbers), peer, request, rules.offer, rules.sound(), rules.ports)
