"""One session of punktfunk/1, from Welcome to its end: every task of it lives in one nursery here.

    Welcome, Start -> control, probes, access .. at once, and the show: display, pictures, input
    the connection closes, by whomever -> everything above ends -> keys released, threads joined
                                       -> the display lingers; after a deliberate quit it is gone

What a client asks for while it runs: ``steering``. What it sees: ``showing``. Who gets this far:
``admission``. Spec: punktfunk-1 sections 2.3 and 2.17.
"""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from punktfunk.control.adapt.budget import clamp_kbps
from punktfunk.control.flight_log import FlightLog
from punktfunk.control.input.session import InputMeans
from punktfunk.control.native.admission import Admitted
from punktfunk.control.native.audio import HostAudio
from punktfunk.control.native.desks import Desks
from punktfunk.control.native.facts import host_facts, route_mtu_bytes
from punktfunk.control.native.hands import Hands
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.native.negotiate import Agreement, negotiate
from punktfunk.control.native.probes import Probes
from punktfunk.control.native.punch import MediaSocket
from punktfunk.control.native.refusal import TurnedAway
from punktfunk.control.native.session_sound import SessionSound
from punktfunk.control.native.shards import ShardSize, fitting_shard_bytes
from punktfunk.control.native.showing import Parts, Show
from punktfunk.control.native.sound_terms import agree_on_sound
from punktfunk.control.native.steering import Steering, profile_of
from punktfunk.control.native.terms import MediaPlace, NativeOffer
from punktfunk.control.native.transfers import decline_transfers
from punktfunk.control.native.video import MakePipeline, Video
from punktfunk.control.native.voice import Voice, cut_sentence, is_quit, worded_end
from punktfunk.control.problems import first_leaf, worded
from punktfunk.control.quic.errors import CloseReason, QuicClosed
from punktfunk.control.sound.desk import SoundDesk
from punktfunk.errors import PunktfunkError, RemoteProtocolError
from punktfunk.realtime import Pipeline
from punktfunk.wire.native import control as wire
from punktfunk.wire.native.capabilities import FORCED_PROFILE_NONE, CloseCode, DeliveryFlag, VideoCap
from punktfunk.wire.native.extension import Extensions
from punktfunk.wire.native.handshake import Start, parse_start
from punktfunk.wire.native.welcome import build_welcome

if TYPE_CHECKING:
    from punktfunk.control.quic import QuicConnection
    from punktfunk.plan import Pacing

logger = logging.getLogger(__name__)

START_S: Final = 10.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SessionMeans:
    """What every session of the host uses."""

    offer: NativeOffer
    desks: Desks
    report: Report
    flights: FlightLog = field(default_factory=FlightLog)
    input: InputMeans = field(default_factory=InputMeans)
    sounds: SoundDesk | None = None  # None, in tests: no desktop is heard, no microphone is made
    make_pipeline: MakePipeline = Pipeline
    random_bytes: Callable[[int], bytes] = field(default=secrets.token_bytes)
    renew: Callable[[NativeOffer], Awaitable[NativeOffer]] | None = None

    async def renewed(self) -> "SessionMeans":
        """Return the means of a session that begins now: the desktop may be another than at the start."""
        if self.renew is None:
            await trio.lowlevel.checkpoint()
            return self
        return replace(self, offer=await self.renew(self.offer))


class Session:
    """One admitted client; :meth:`run` is its whole life. ``done`` is set when nothing of it is left."""

    def __init__(
        self,
        number: int,
        connection: "QuicConnection",
        messages: MessageStream,
        admitted: Admitted,
        means: SessionMeans,
    ) -> None:
        self.number = number
        self.admitted = admitted
        self.done = trio.Event()
        self._connection = connection
        self._messages = messages
        self._means = means
        self._parts: Parts | None = None
        self._voice = Voice(messages, number, means.report)
        self._show = Show(number, connection, admitted, self._voice, means.desks, means.input)
        self._sounds = SessionSound(means.sounds, admitted.name, self._show.pipewire_remote, self._voice.tell)
        self._began_s = trio.current_time()
        self._changes = trio.open_memory_channel[tuple[int | None, "Pacing | None"]](8)

    # -- from outside

    @property
    def fingerprint(self) -> str | None:
        """Whose session it is; None for a client without an identity."""
        return self.admitted.fingerprint

    def end(self, code: CloseCode, sentence: str) -> None:
        """Close with a code of the protocol and a sentence for the client's user."""
        self._connection.close(code, cut_sentence(sentence))

    def status(self) -> dict[str, Any]:
        """Describe the session in values that JSON knows."""
        told: dict[str, Any] = {
            "number": self.number,
            "client": self.admitted.name,
            "address": self._connection.remote_address[0],
            "seconds": round(trio.current_time() - self._began_s),
            **self._show.status(),
            **self._sounds.status(),
        }
        if (parts := self._parts) is not None:
            told |= {
                "mode": str(parts.video.mode),
                "codec": parts.agreement.codec.value,
                "cipher": parts.agreement.cipher.value,
                "bitrate_kbps": parts.video.budget_kbps,
                "encoder_kbps": parts.video.encoder_bps // 1000,
                "fec_percent": parts.video.fec_percent,
                "shard_bytes": parts.video.shard_bytes,
                "loss_ppm": parts.steering.loss_ppm,
            }
        return told

    # -- life

    async def run(self) -> None:
        """Live; raises nothing for what the client, its display or an encoder does."""
        linger, problem = True, ""
        try:
            await self._run()
        except* QuicClosed:
            pass
        except* TurnedAway as refusals:
            refusal = first_leaf(refusals)
            assert isinstance(refusal, TurnedAway)
            problem = str(refusal)
            self.end(refusal.code, problem)
        except* (PunktfunkError, OSError) as problems:
            problem = worded(first_leaf(problems))
            # Its display or its threads broke: coming back to them would only break again.
            linger = False
            self.end(CloseCode.SETUP_FAILED, problem)
        finally:
            if (reason := self._connection.closed_reason) is None:
                self._connection.close(0, "The host has stopped.")
            self._show.release(
                linger=linger and self.fingerprint is not None and not is_quit(reason),
                dropped=reason is not None and reason.timed_out,
            )
            self._means.report(self._describe_end(problem, reason))
            self.done.set()

    async def _run(self) -> None:
        connection, access = self._connection, self.admitted.access
        local, remote = connection.local_address[0], connection.remote_address[0]
        media = MediaSocket(local, remote)
        try:
            agreement = negotiate(
                self.admitted.hello,
                self._means.offer,
                MediaPlace(local, media.port),
                agree_on_sound(
                    self.admitted.hello,
                    clamp_kbps(self.admitted.hello.bitrate_kbps),
                    connection.datagram_bytes_max,
                    allow_pcm=self._means.offer.pcm,
                ),
                (access.grants, access.expires_in_s),
                self._means.random_bytes,
            )
            start = await self._shake_hands(agreement)
            self._means.report(self._describe_start(agreement))
            parts = self._parts = self._assemble(agreement, start, media)
            with self._means.flights.recording(self.admitted.name) as self._show.flight:
                await self._stream(parts)
        finally:
            media.close()

    async def _shake_hands(self, agreement: Agreement) -> Start:
        with trio.move_on_after(START_S):
            await self._messages.send(build_welcome(agreement.welcome))
            payload = await self._messages.receive()
            if payload is None:
                raise RemoteProtocolError("the control stream ended where Start belongs")
            return parse_start(payload)
        raise TurnedAway(CloseCode.SETUP_FAILED, f"The client did not start within {START_S:.0f} s.")

    def _assemble(self, agreement: Agreement, start: Start, media: MediaSocket) -> Parts:
        means, access, hello = self._means, self.admitted.access, self.admitted.hello
        extensions = start.extensions or Extensions()
        local = self._connection.local_address[0]
        hands = Hands(
            access,
            agreement.welcome.gamepad,
            hear=self._sounds.microphone.hear,
            arrived_ns=self._newest_arrived_ns,
        )
        video = Video(
            agreement,
            media.socket.fileno(),
            means.offer.realtime,
            self._show,
            make_pipeline=means.make_pipeline,
        )
        probes = Probes(video, self._voice.say, allowed=bool(hello.video_caps & VideoCap.PROBE_SEQUENCE))
        path_max = fitting_shard_bytes(route_mtu_bytes(local, media.peer_address), 6 if ":" in local else 4)
        shards = ShardSize(agreement.welcome.shard_bytes, hello.shard_bytes_max, path_max)
        steering = Steering(
            agreement,
            access,
            video,
            hands,
            probes,
            shards,
            self._voice.say,
            reads_reason=extensions.reads_reason,
            reads_delivery=extensions.delivery_profile is not None,
            forced_pacing=means.offer.forced_pacing,
        )
        steering.send_otherwise = self._send_otherwise
        if extensions.delivery_profile is not None:
            video.pacing = steering.pacing_for(extensions.delivery_profile)
        return Parts(agreement, start, media, hands, video, probes, steering)

    async def _stream(self, parts: Parts) -> None:
        flags = parts.start.extensions.delivery_flags if parts.start.extensions else 0
        self._connection.on_datagram = parts.hands.take_datagram
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_closed, nursery.cancel_scope)
            nursery.start_soon(parts.media.run)
            nursery.start_soon(self._read_control, parts.steering)
            nursery.start_soon(self._voice.say_first_words)
            nursery.start_soon(self._keep_access, parts.hands)
            nursery.start_soon(parts.probes.serve, parts.video.running)
            nursery.start_soon(self._change_sender, parts.video)
            nursery.start_soon(decline_transfers, self._connection)
            if flags & DeliveryFlag.FACTS:
                nursery.start_soon(self._say_facts, parts.media)
            if flags & DeliveryFlag.DIAGNOSTIC:
                nursery.start_soon(self._show.run_without, parts)
            else:
                self._sounds.audio = self._sound(parts.agreement)
                nursery.start_soon(self._sounds.audio.run)
                nursery.start_soon(self._sounds.microphone.run)
                nursery.start_soon(self._show.run, parts)

    def _sound(self, agreement: Agreement) -> HostAudio:
        source, voice = self._means.offer.sound, self._voice
        return HostAudio(
            *(self._connection, agreement.audio, source),
            say=voice.say_in_time,
            tell=voice.tell,
            desktop=self._sounds.desktop,
        )

    # -- tasks

    async def _until_closed(self, scope: trio.CancelScope) -> None:
        await self._connection.wait_closed()
        scope.cancel()

    async def _read_control(self, steering: Steering) -> None:
        """Read until the stream ends, which ends the session: no client closes it before."""
        while (payload := await self._messages.receive()) is not None:
            # The kernel's stamp where there is one: ours would also tell how long the interpreter was busy.
            received_ns = getattr(self._messages.stream, "received_ns", 0) or time.time_ns()
            message = wire.parse_control(payload)
            if isinstance(message, wire.ClockProbe):
                await self._voice.echo(message, received_ns)
            elif message is not None:
                await steering.take(message)
        self._connection.close(0, "the control stream ended")

    async def _say_facts(self, media: MediaSocket) -> None:
        """Tell a client that asked what the host knows of its end of the path."""
        offer = self._means.offer
        forced = int(profile_of(offer.pacing)) if offer.forced_pacing else FORCED_PROFILE_NONE
        local = self._connection.local_address[0]
        facts = await trio.to_thread.run_sync(host_facts, local, media.send_buffer_bytes, forced)
        await self._voice.say_in_time(facts)

    async def _keep_access(self, hands: Hands) -> None:
        """Tell the client of its rights; where they end, so does the session."""
        access = self.admitted.access
        narrowed = partial(self._sounds.narrowed, access, hands.release_all)
        sentence = await access.keep(self._voice.say_in_time, narrowed=narrowed)
        self.end(CloseCode.ACCESS_EXPIRED, sentence)

    async def _change_sender(self, video: Video) -> None:
        async for shard_bytes, pacing in self._changes[1]:
            if shard_bytes is not None and shard_bytes < video.shard_bytes:
                await self._voice.say(wire.ShardPayloadChanged(shard_bytes))  # shrinking waits for no answer
            await video.send_otherwise(shard_bytes=shard_bytes, pacing=pacing)

    def _send_otherwise(self, shard_bytes: int | None, pacing: "Pacing | None") -> None:
        try:
            self._changes[0].send_nowait((shard_bytes, pacing))
        except trio.WouldBlock:
            logger.warning("session=%d sender changes too often", self.number)

    def _newest_arrived_ns(self) -> int:
        """CLOCK_MONOTONIC of the newest datagram's arrival in the kernel; 0 where that is unknown."""
        received_ns = self._connection.received_ns
        return time.monotonic_ns() - (time.time_ns() - received_ns) if received_ns else 0

    # -- words

    def _describe_start(self, agreement: Agreement) -> str:
        welcome = agreement.welcome
        return (
            f"session {self.number}: {agreement.mode} {agreement.codec.value} by {agreement.encoder_name} "
            f"{agreement.budget_kbps / 1000:.1f} Mbit/s {agreement.cipher.value}, {welcome.fec_scheme.name} "
            f"{agreement.fec_percent} %, to {self.admitted.name} at {self._connection.remote_address[0]}"
        )

    def _describe_end(self, problem: str, reason: CloseReason | None) -> str:
        counts = self._parts.steering.counts if self._parts is not None else {}
        asked = counts.get("RequestKeyframe", 0) + counts.get("RfiRequest", 0)
        refused = sum(self.admitted.access.refused.values())
        return (
            f"session {self.number}: ended ({problem or worded_end(reason)}); "
            f"{self._show.frame_count} frames, {asked} key frames asked for"
            + f", {refused} events refused"
            * bool(refused)
        )
