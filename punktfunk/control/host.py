"""The running host: what lives as long as it does, and the order of its start and end.

    lock, state -> ports -> display backend -> listeners -> (encoders, kernels, in the background) -> ready

Listeners open before encoders and kernels are ready, so that the host can be found and paired at once; a
launch waits, and is told what for. The first SIGINT or SIGTERM cancels the nursery; everything unwinds from
there.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from punktfunk import __version__, paths
from punktfunk.control.admin import AdminDesk, serve_admin
from punktfunk.control.apps import Catalogue, end_leftovers, load_catalogue
from punktfunk.control.chosen import app_spec, input_means, sending_cpu, sound, sound_desk
from punktfunk.control.deep_colour import deep_colour
from punktfunk.control.desktop.opening import Picture, opened_picture
from punktfunk.control.discovery import GAMESTREAM, Service, announced
from punktfunk.control.displays.reclaim import reclaim
from punktfunk.control.encoders import choose_encoders
from punktfunk.control.flight_log import FlightLog
from punktfunk.control.gamestream.http import make_app
from punktfunk.control.gamestream.http_server import serve_http
from punktfunk.control.gamestream.negotiate import HostOffer, codec_modes
from punktfunk.control.gamestream.opening import open_planes, open_rtsp
from punktfunk.control.gamestream.pairing_desk import PairingDesk
from punktfunk.control.gamestream.runs import Means
from punktfunk.control.gamestream.service import GameStreamService, HostFacts
from punktfunk.control.gamestream.sessions import SessionRules, Sessions
from punktfunk.control.gamestream.stream import MediaPorts
from punktfunk.control.gamestream.tls import build_server_context
from punktfunk.control.identity import Identity, load_identity
from punktfunk.control.kernels import warm_kernels
from punktfunk.control.lab import LabDesk
from punktfunk.control.listeners import open_tcp
from punktfunk.control.lock import state_lock
from punktfunk.control.native.advert import native_service
from punktfunk.control.native.door import NativeDoor, open_door
from punktfunk.control.native.opening import begin_sessions
from punktfunk.control.native.service import NativeService
from punktfunk.control.native.verbs import switched_off
from punktfunk.control.occupancy import Occupancy
from punktfunk.control.pairing_prompt import PairingAnnouncer, read_pins
from punktfunk.control.problems import first_leaf
from punktfunk.control.readiness import Readiness
from punktfunk.control.sockets import BoundSocket, bound_sockets, resolve_bind
from punktfunk.control.system.garbage import set_aside_what_stays
from punktfunk.control.system.journal import Journal
from punktfunk.control.trust import ClientBook, PairedClient, end_expired
from punktfunk.errors import ConfigError, PunktfunkError
from punktfunk.plan import Codec, Pacing, RealtimePlan
from punktfunk.realtime import prepare_process
from punktfunk.wire.gamestream.feedback import TerminationCode

if TYPE_CHECKING:
    from punktfunk.config import Settings

logger = logging.getLogger(__name__)

Report = Callable[[str], None]


async def serve(settings: "Settings", *, report: Report) -> signal.Signals | None:
    """Run the host until SIGINT, SIGTERM or ``stop``; ``report`` gets one line for each event.

    Returns the signal that ended it, None after ``stop``. Raises EnvironmentProblem or ConfigError, with a
    hint, if the host cannot start.
    """
    prepare_process()
    try:
        received = await _serve_until_signalled(settings, report)
    except BaseExceptionGroup as group:
        if group.split(PunktfunkError)[1] is not None:
            raise
        raise first_leaf(group) from None
    report("stopped")
    return received


async def _serve_until_signalled(settings: "Settings", report: Report) -> signal.Signals | None:
    received: list[signal.Signals] = []
    # The receiver opens before anything starts: a signal in the gap would kill us.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_on_first, signals, nursery.cancel_scope, received, report)
            await _Host(settings, report, nursery.cancel_scope).run()
            nursery.cancel_scope.cancel()
    return received[0] if received else None


async def _cancel_on_first(
    signals: Any, scope: trio.CancelScope, received: list[signal.Signals], report: Report
) -> None:
    number = signal.Signals(await anext(signals))
    signal.signal(number, signal.SIG_DFL)  # the second one kills
    received.append(number)
    report(f"stopping: {number.name}")
    scope.cancel()


@dataclass(frozen=True, slots=True)
class _State:
    """What the state folder holds, loaded."""

    identity: Identity
    book: ClientBook
    catalogue: Catalogue
    door: NativeDoor | None  # None: punktfunk/1 is switched off


class _Host:
    """Implements ``admin.AdminHost``."""

    def __init__(self, settings: "Settings", report: Report, scope: trio.CancelScope) -> None:
        self._settings = settings
        self._report = report
        self._scope = scope
        self._readiness = Readiness()
        self._bind = resolve_bind(settings.bind)
        self._sessions: Sessions | None = None
        self._picture: Picture | None = None
        self._native: NativeService | None = None
        self._flights = FlightLog()
        self._sounds = sound_desk(settings)
        self._input = input_means(settings)
        self._occupancy = Occupancy(settings.second_client, settings.display_limit)

    # -- admin.AdminHost

    def status(self) -> Mapping[str, Any]:
        """Describe the host and its session, in values that JSON knows."""
        sessions = self._sessions
        run, stream = (sessions.run, sessions.stream) if sessions is not None else (None, None)
        return {
            "version": __version__,
            "name": self._settings.name,
            "pid": os.getpid(),
            "port": self._settings.port,
            "ready": self._readiness.ready.is_set(),
            "waiting_for": "" if self._readiness.ready.is_set() else self._readiness.waiting_for,
            "display": self._picture.backend.name if self._picture is not None else "",
            "session": self._picture.status() if self._picture is not None else None,
            "app": run.app.title if run is not None else "",
            "client": stream.peer.name if stream is not None else "",
            "gamestream": sessions.status() if sessions is not None else [],
            "sound": self._sounds.status(),
            "native": self._native.status() if self._native is not None else None,
        }

    def stop(self) -> None:
        """Begin to end gracefully."""
        self._report("stopping: asked to by `stop`")
        self._scope.cancel()

    async def client_removed(self, client: PairedClient) -> None:
        """End the stream of a client that is no longer paired, or whose time is over."""
        await trio.lowlevel.checkpoint()
        for stream in self._sessions.streams if self._sessions is not None else ():
            if stream.peer.fingerprint == client.fingerprint:
                stream.end("the client is not paired any more", termination_code=TerminationCode.GRACEFUL)

    # -- life

    async def run(self) -> None:
        """Hold everything until cancelled."""
        settings, report = self._settings, self._report
        if not (settings.native or settings.gamestream):
            raise ConfigError(
                "native and gamestream are both off: nothing is served", hint="Set one to true."
            )
        paths.make_private_folder(settings.state)
        with state_lock(settings.state):
            runtime = paths.make_private_folder(paths.runtime_folder(settings.state))
            state = await trio.to_thread.run_sync(self._load_state)
            for line in await reclaim(Journal(runtime)):
                report(line)
            await end_leftovers()
            async with AsyncExitStack() as stack:
                sockets = [stack.enter_context(bound_sockets(self._bind, p)) for p in self._udp_ports()]
                tcp = [stack.enter_context(_listening(self._bind, p)) for p in self._tcp_ports()]
                quic = [stack.enter_context(bound_sockets(self._bind, p)) for p in self._native_ports()]
                self._announce_start()
                self._picture = await stack.enter_async_context(opened_picture(settings, runtime, report))
                nursery = await stack.enter_async_context(_quiet_nursery())
                await self._open_listeners(nursery, state, service := self._service(state), tcp)
                if state.door is not None:
                    await self._open_native(nursery, state.door, quic[0])
                # Found by clients at once: whoever starts an app too early is told what the host waits for.
                async with self._announced(state):
                    await self._become_ready(nursery, state, service, sockets, tcp)
                    await trio.sleep_forever()

    def _load_state(self) -> _State:
        settings = self._settings
        book = ClientBook(settings.state)
        return _State(
            load_identity(settings.state),
            book,
            load_catalogue(settings.state, [app_spec(app) for app in settings.apps]),
            open_door(settings.state, book, open_host=settings.native_open, report=self._report)
            if settings.native
            else None,
        )

    def _udp_ports(self) -> tuple[int, ...]:
        base = self._settings.port
        return (base + 9, base + 10, base + 11) if self._settings.gamestream else ()

    def _tcp_ports(self) -> tuple[int, ...]:
        base = self._settings.port
        return (base, base - 5, base + 21) if self._settings.gamestream else ()

    def _native_ports(self) -> tuple[int, ...]:
        return (self._settings.native_port,) if self._settings.native else ()

    def _announce_start(self) -> None:
        settings, report = self._settings, self._report
        report(f"punktfunk {__version__}: {settings.name}, on {', '.join(self._bind)}")
        tcp, udp = sorted(self._tcp_ports()), (*self._udp_ports(), *self._native_ports())
        report(f"ports: TCP {' '.join(map(str, tcp)) or 'none'}, UDP {' '.join(map(str, udp))}")

    def _service(self, state: _State) -> GameStreamService:
        base = self._settings.port
        facts = HostFacts(self._settings.name, state.identity.host_id, base, base - 5, base + 21)
        return GameStreamService(facts, state.catalogue, self._readiness, state.book)

    async def _open_listeners(
        self,
        nursery: trio.Nursery,
        state: _State,
        service: GameStreamService,
        tcp: Sequence[Sequence[trio.SocketListener]],
    ) -> None:
        announcer = PairingAnnouncer(self._report)
        desk = PairingDesk(state.identity, state.book, notify=announcer.note)
        if tcp:
            app = make_app(service, desk, state.book)
            nursery.start_soon(serve_http, app, tcp[0], tcp[1], build_server_context(state.identity))
        lab = LabDesk(lambda: self._sessions.video if self._sessions else None)
        more = (state.door.verbs if state.door else switched_off()) | self._flights.verbs()
        admin = AdminDesk(self, desk, state.book, state.catalogue, lab, more)
        await nursery.start(serve_admin, paths.admin_socket(self._settings.state), admin)
        nursery.start_soon(read_pins, sys.stdin, admin, self._report)
        nursery.start_soon(end_expired, state.book, self.client_removed)

    async def _become_ready(
        self,
        nursery: trio.Nursery,
        state: _State,
        service: GameStreamService,
        sockets: Sequence[Sequence[BoundSocket]],
        tcp: Sequence[Sequence[trio.SocketListener]],
    ) -> None:
        """Find encoders, warm the kernels, then let sessions begin."""
        settings, report, readiness = self._settings, self._report, self._readiness
        async with trio.open_nursery() as preparing:  # side by side: a first start takes a while
            preparing.start_soon(nursery.start, partial(warm_kernels, readiness, report))
            encoders = await choose_encoders(settings, report)
        assert self._picture is not None
        realtime = RealtimePlan(sending_cpu(settings.realtime_cpu), settings.realtime_priority)
        if self._native is not None:
            begin_sessions(
                *(nursery, self._native, settings, self._picture.backend, state.catalogue, encoders),
                *(realtime, report, self._flights, self._occupancy, self._sounds, self._input),
            )
        if settings.gamestream:
            await self._begin_gamestream(nursery, state, service, sockets, tcp[2], encoders, realtime)
        set_aside_what_stays()
        readiness.ready.set()
        chosen = ["Moonlight"] * settings.gamestream + ["punktfunk connect"] * settings.native
        report(f"ready: choose this host in {' or '.join(chosen)}")

    async def _begin_gamestream(
        self,
        nursery: trio.Nursery,
        state: _State,
        service: GameStreamService,
        sockets: Sequence[Sequence[BoundSocket]],
        rtsp: Sequence[trio.SocketListener],
        encoders: Mapping[Codec, str],
        realtime: RealtimePlan,
    ) -> None:
        settings, report = self._settings, self._report
        assert self._picture is not None
        deep, pacing = deep_colour(encoders, self._picture.backend), Pacing(settings.pacing)
        offer = HostOffer(encoders, settings.fec_percent, pacing, settings.encryption, realtime, deep)
        ports = MediaPorts(settings.port + 9, settings.port + 10, settings.port + 11)
        backend = self._picture.backend
        rules = SessionRules(offer, lambda: sound(settings.audio, backend.name), ports)
        means = Means(
            backend=backend,
            planes=await open_planes(nursery, sockets, self._flights, self._sounds, self._input),
            realtime=offer.realtime,
            resume_timeout_s=settings.resume_timeout_s,
            log_folder=settings.state,
            report=report,
            linger_s=settings.linger_s,
            occupancy=self._occupancy,
        )
        sessions = Sessions(state.catalogue, rules, means)
        nursery.start_soon(sessions.serve)
        open_rtsp(nursery, sessions, rtsp)
        self._sessions = service.sessions = sessions
        service.codec_modes = codec_modes(offer)

    async def _open_native(
        self, nursery: trio.Nursery, door: NativeDoor, sockets: Sequence[BoundSocket]
    ) -> None:
        count = self._settings.native_sessions
        self._native = NativeService(door.identity, door.front, self._readiness, session_count=count)
        await nursery.start(self._native.run, sockets)

    def _announced(self, state: _State) -> Any:
        settings, host_id = self._settings, state.identity.host_id
        if not settings.discovery:
            return nullcontext()
        services = [Service(GAMESTREAM, settings.port)] * settings.gamestream
        if state.door is not None:
            fingerprint, is_open = state.door.identity.fingerprint, settings.native_open
            services.append(native_service(settings.native_port, fingerprint, host_id, open_host=is_open))
        return announced(settings.name, host_id, services, self._bind)


@contextmanager
def _listening(addresses: Sequence[str], port: int) -> Iterator[list[trio.SocketListener]]:
    """Own the listeners: a start that fails before they are served must close them too."""
    listeners = open_tcp(addresses, port)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.socket.close()


@asynccontextmanager
async def _quiet_nursery() -> Any:
    """Open a nursery whose children end with the block."""
    async with trio.open_nursery() as nursery:
        yield nursery
        nursery.cancel_scope.cancel()
