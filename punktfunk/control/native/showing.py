"""The part of a session that has a picture: the client's display, its input, and the video of it.

punch -> line stands (a client that measures its rate may begin) -> display, app -> pictures, input
Reconfigure -> another mode of the display -> another pipeline -> PipelineGap, or the promise corrected
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import trio

from punktfunk.control.deep_colour import source_of_depth
from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.input.session import InputMeans, open_session_input
from punktfunk.control.native.admission import Admitted
from punktfunk.control.native.desks import Desk, Desks, find_app
from punktfunk.control.native.hands import Hands
from punktfunk.control.native.negotiate import Agreement
from punktfunk.control.native.pad_voice import PadVoice
from punktfunk.control.native.pointer import PointerVoice
from punktfunk.control.native.probes import Probes
from punktfunk.control.native.punch import MediaSocket
from punktfunk.control.native.refusal import TurnedAway
from punktfunk.control.native.steering import Steering
from punktfunk.control.native.video import Rebuilt, Video, filler
from punktfunk.control.native.voice import Voice, cut_sentence, launch_outcome, timing_of
from punktfunk.control.occupancy import Occupied, Streaming
from punktfunk.control.problems import worded
from punktfunk.control.system.inhibit import inhibited, locked_screen
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode
from punktfunk.wire.native.capabilities import CloseCode, HostCap, VideoCap
from punktfunk.wire.native.control import PadSlots, PipelineGap
from punktfunk.wire.native.datagrams import build_datagram
from punktfunk.wire.native.handshake import Start

if TYPE_CHECKING:
    from punktfunk.control.flight import HostFlight
    from punktfunk.control.quic import QuicConnection
    from punktfunk.realtime import SentFrame

TEND_S: Final = 1.0
NO_VIDEO_S: Final = 4.0


@dataclass(slots=True)
class Parts:
    """What the tasks of one session share."""

    agreement: Agreement
    start: Start
    media: MediaSocket
    hands: Hands
    video: Video
    probes: Probes
    steering: Steering


class Show:
    """Shows a client its display; ``video.Watcher``. ``desk`` is None until there is one."""

    def __init__(
        self,
        number: int,
        connection: "QuicConnection",
        admitted: Admitted,
        voice: Voice,
        desks: Desks,
        input_means: InputMeans | None = None,
    ) -> None:
        self.desk: Desk | None = None
        self.frame_count = 0
        self.pictures = trio.Event()
        """Set with the session's first pipeline that has pictures."""
        self._connection = connection
        self._admitted = admitted
        self._voice = voice
        self._desks = desks
        self._input = (input_means or InputMeans()).told_to(voice.tell)
        self._pad_voice = PadVoice(connection.send_datagram)
        self._owner = admitted.fingerprint or f"session {number}"
        self._timed = bool(admitted.hello.video_caps & VideoCap.HOST_TIMING)
        self._built = trio.Event()
        self._gone = trio.Event()
        self._heir_of: list[str] = []
        self._steering: Steering | None = None
        self._video: Video | None = None
        self._hands: Hands | None = None
        self.flight: HostFlight | None = None
        self._pointer: PointerVoice | None = None
        self._shown = trio.Event()
        self._pipewire_remote = ""

    async def pipewire_remote(self) -> str:
        """Wait for the display; return the output's ``pipewire_remote``."""
        await self._shown.wait()
        return self._pipewire_remote

    async def run(self, parts: Parts) -> None:
        """Find the client's socket, make its display, then stream pictures and take input."""
        self._steering, self._video, self._hands = parts.steering, parts.video, parts.hands
        occupancy, name = self._desks.means.occupancy, self._admitted.name
        try:
            self._heir_of = await occupancy.admit(self._owner, name)
        except Occupied as problem:
            raise TurnedAway(CloseCode.BUSY, str(problem)) from problem
        with occupancy.streaming(Streaming(self._owner, name, self._leave, self._gone)):
            await self._show(parts)

    def _leave(self, newcomer: str) -> None:
        self._connection.close(CloseCode.SUPERSEDED, cut_sentence(f"{newcomer} has taken over this host."))

    async def _show(self, parts: Parts) -> None:
        video, hello, mode = parts.video, self._admitted.hello, parts.agreement.mode
        async with trio.open_nursery() as nursery:
            await parts.media.find_destination(parts.start.media_port)
            parts.media.followed_by(video.set_destination)
            ramp = hello.bitrate_kbps == 0 and bool(hello.video_caps & VideoCap.PROBE_SEQUENCE)
            if ramp:  # such a client finds its rate while its display is being made
                nursery.start_soon(video.run, filler(mode))
                await video.running.wait()
            desk = await self._take_desk(mode)
            output = desk.output
            self._pipewire_remote = output.pipewire_remote
            self._shown.set()
            async with open_session_input(output, self._input, self._owner, self._pad_voice.tell) as injector:
                injector.pads.on_slots = lambda mask: nursery.start_soon(
                    self._voice.say_in_time, PadSlots(mask)
                )
                nursery.start_soon(self._pad_voice.run)
                if parts.agreement.welcome.host_caps & HostCap.CURSOR:
                    self._pointer = parts.steering.pointer = self._pointer_voice(video)
                    nursery.start_soon(self._pointer.run)
                nursery.start_soon(parts.hands.deliver, injector)
                nursery.start_soon(self._keep_awake, output)
                nursery.start_soon(self._end_with_app, desk)
                nursery.start_soon(self._follow_modes, desk, parts)
                source = source_of_depth(output, parts.agreement.bit_depth)
                if ramp:
                    video.show(source)
                else:
                    nursery.start_soon(video.run, source)
                await self._built.wait()
                await self._correct(video.mode, parts.steering)
                parts.probes.pictures_flow = True
                self.pictures.set()
                await self._tend(parts)

    def _pointer_voice(self, video: Video) -> PointerVoice:
        say, send_datagram = self._voice.say_in_time, self._connection.send_datagram
        return PointerVoice(video.beside.pointer, say, send_datagram)

    async def run_without(self, parts: Parts) -> None:
        """Be a diagnostic session: the line stands, and no picture is made."""
        await parts.media.find_destination(parts.start.media_port)
        parts.media.followed_by(parts.video.set_destination)
        await parts.video.run(filler(parts.agreement.mode))

    def release(self, *, linger: bool, dropped: bool = False) -> None:
        """Let go of the display: it waits for its client, or goes at once."""
        if self.desk is not None:
            self._desks.release(self.desk, self._admitted, linger=linger, dropped=dropped)
        self._gone.set()

    def status(self) -> dict[str, Any]:
        """Describe it in values that JSON knows."""
        return {
            "app": self.desk.app.title if self.desk is not None else "",
            "frames": self.frame_count,
            "input_p50_us": self._hands.latency_us(50) if self._hands is not None else 0,
            "input_p99_us": self._hands.latency_us(99) if self._hands is not None else 0,
        }

    async def _take_desk(self, mode: Mode) -> Desk:
        desks, hello, name = self._desks, self._admitted.hello, self._admitted.name
        app = find_app(desks.means.catalogue, hello.launch_id) if hello.launch_id else None
        # The value of its admission stands for the session: no two sessions share one.
        desk, adopted = await desks.take(self._owner, name, app, mode, self._admitted, heir_of=self._heir_of)
        self.desk = desk
        if hello.launch_id:
            title, found = desk.app.title, app is not None
            outcome = launch_outcome(hello.launch_id, title, found=found, adopted=adopted)
            await self._voice.say_in_time(outcome)
        return desk

    async def _end_with_app(self, desk: Desk) -> None:
        await desk.app_ended.wait()
        self._connection.close(CloseCode.APP_EXITED, f"{desk.app.title} has ended.")

    async def _keep_awake(self, output: VirtualOutput) -> None:
        """Beside the stream, as a bus that does not answer must not delay it."""
        async with inhibited(output) as inhibition:
            self._voice.tell(str(inhibition))
            if lock := await locked_screen(output):
                self._voice.tell(lock)
            await trio.sleep_forever()

    async def _follow_modes(self, desk: Desk, parts: Parts) -> None:
        """Build what was promised, the newest wish first; correct promises that could not be kept."""
        video, steering = parts.video, parts.steering
        await self.pictures.wait()
        while True:
            mode = await steering.next_mode()
            try:
                output = await desk.change_mode(mode)
            except EnvironmentProblem as problem:
                self._voice.tell(f"stays at {video.mode}: {worded(problem)}")
            else:
                self._built = trio.Event()
                video.show(source_of_depth(output, parts.agreement.bit_depth))
                await self._built.wait()
                if video.mode != output.mode:  # the encoder refused it: the display goes back too
                    await desk.change_mode(video.mode)
            await self._correct(video.mode, steering)

    async def _correct(self, mode: Mode, steering: Steering) -> None:
        """Tell the client what it got, where that is not what it was promised: say, a refresh of 60 Hz."""
        correction = steering.modes.built(mode, more=steering.mode_pending)
        if correction is not None:
            self._voice.tell(f"gets {mode}, which is not what it was promised")
            await self._voice.say(correction)

    async def _tend(self, parts: Parts) -> None:
        """Look after the stream once a second."""
        began_s, complained = trio.current_time(), False
        while True:
            await trio.sleep(TEND_S)
            await parts.steering.tend()
            for note in parts.video.beside.take_notes():
                self._voice.tell(note)
            silent = parts.steering.reported and not parts.steering.packets_received
            if silent and not complained and trio.current_time() - began_s > NO_VIDEO_S:
                complained = True
                port = parts.media.port
                self._voice.tell(
                    f"no video reaches {self._admitted.name}: does a firewall drop UDP from port {port}?"
                )

    # -- video.Watcher

    def frames_sent(self, frames: "list[SentFrame]") -> None:
        """Tell the client how long each frame took here."""
        self.frame_count += len(frames)
        if self._steering is not None:
            self._steering.frames_sent(frames)
        if self.flight is not None and self._video is not None:
            self.flight.note_sent(
                frames,
                parity_percent=self._video.fec_percent,
                send_thread=self._video.send_thread_id,
            )
        if self._pointer is not None and frames:
            self._pointer.frame_left()
        if self._timed:
            for frame in frames:
                self._connection.send_datagram(build_datagram(timing_of(frame)))

    async def rebuilt(self, outcome: Rebuilt) -> None:
        """Take the outcome of a build."""
        assert self._steering is not None
        if outcome.problem:
            self._voice.tell(f"stays at {outcome.mode}: {outcome.problem}")
        else:
            self._steering.started()
            if not outcome.first:
                gap_ms = outcome.gap_ns // 1_000_000
                self._voice.tell(f"shows {outcome.mode} now (nothing flowed for {gap_ms} ms)")
                await self._voice.say(PipelineGap(gap_ms))
        self._built.set()
