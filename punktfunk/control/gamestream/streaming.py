"""Run one stream: wait for its RTSP, start the threads, join them with the client, end it all.

    launched --RTSP PLAY--> threads run --ENet connect--> streaming --any end--> threads joined, keys released

Each wait has its limit (gamestream.md section 8).
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import trio

from punktfunk.control.deep_colour import source_of_depth
from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.flight_log import FlightLog, follow
from punktfunk.control.gamestream.control_stream import ControlPlane, send_feedback
from punktfunk.control.gamestream.media import MediaPlane
from punktfunk.control.gamestream.negotiate import Agreement
from punktfunk.control.gamestream.pad_feedback import tell_client
from punktfunk.control.gamestream.stream import Stream, do_nothing
from punktfunk.control.input.base import Injector
from punktfunk.control.input.session import InputMeans, open_session_input
from punktfunk.control.pipelines import running_audio, running_video, watch
from punktfunk.control.problems import first_leaf, worded
from punktfunk.control.sound.desk import Listener, SoundDesk, heard
from punktfunk.control.system.inhibit import inhibited, locked_screen
from punktfunk.errors import PunktfunkError
from punktfunk.plan import AudioPlan, Mode, RealtimePlan, VideoPlan
from punktfunk.realtime import AudioLink, LiveSound, Pipeline, Placement
from punktfunk.wire.gamestream.audio import SAMPLE_RATE_HZ
from punktfunk.wire.gamestream.feedback import HdrMode, TerminationCode
from punktfunk.wire.gamestream.sdp import ClientFeature

logger = logging.getLogger(__name__)

RTSP_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 10
NOTES_S = 1

Report = Callable[[str], None]
ChangeMode = Callable[[Mode], Awaitable[VirtualOutput]]


@dataclass(frozen=True, slots=True)
class Planes:
    """The three planes that every stream of the host shares."""

    video: MediaPlane
    audio: MediaPlane
    control: ControlPlane
    flights: FlightLog = field(default_factory=FlightLog)
    input: InputMeans = field(default_factory=InputMeans)
    sounds: SoundDesk | None = None  # None, in tests: no desktop is heard


async def run_stream(
    stream: Stream, change_mode: ChangeMode, planes: Planes, realtime: RealtimePlan, report: Report
) -> None:
    """Run the stream to its end. Never raises for what a client, a display or an encoder does."""
    with planes.control.route(stream):
        try:
            agreement = await _wait_for_play(stream)
            output = await _fit_display(stream, agreement, change_mode, report) if agreement else None
            if agreement is not None and output is not None:
                await _run_agreed(stream, agreement, output, planes, realtime, report)
            elif agreement is None:
                report(f"stream {stream.number}: not started ({stream.end_reason})")
        except* (PunktfunkError, OSError) as problems:
            stream.failed = True
            _give_up(stream, worded(first_leaf(problems)), report)
        finally:
            stream.end("the host stopped", termination_code=TerminationCode.GRACEFUL)


async def _wait_for_play(stream: Stream) -> Agreement | None:
    """Return what was agreed as soon as the client says PLAY; None if the stream ended before."""
    with trio.move_on_after(RTSP_TIMEOUT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when, stream.ended, nursery.cancel_scope)
            await stream.played.wait()
            nursery.cancel_scope.cancel()
    if not stream.played.is_set():
        stream.end(f"the client did not come within {RTSP_TIMEOUT_S} s")
    return None if stream.ended.is_set() else stream.agreement


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _fit_display(
    stream: Stream, agreement: Agreement, change_mode: ChangeMode, report: Report
) -> VirtualOutput | None:
    """Give the display the agreed mode. A display that cannot ends the stream, not the app on it."""
    try:
        return await change_mode(agreement.mode)
    except PunktfunkError as problem:
        _give_up(stream, worded(problem), report)
        return None


def _give_up(stream: Stream, reason: str, report: Report) -> None:
    report(f"stream {stream.number}: failed: {reason}")
    stream.end(reason, termination_code=TerminationCode.FRAME_CONVERSION)


async def _run_agreed(
    stream: Stream,
    agreement: Agreement,
    output: VirtualOutput,
    planes: Planes,
    realtime: RealtimePlan,
    report: Report,
) -> None:
    source = source_of_depth(output, agreement.encode.bit_depth)
    plan = VideoPlan(source, agreement.encode, agreement.send, realtime)
    video_socket = planes.video.socket_for(stream.peer.local_address)
    audio_socket = planes.audio.socket_for(stream.peer.local_address)
    knows_payload = agreement.client_features & ClientFeature.SESSION_ID
    legacy_address = "" if knows_payload else stream.peer.address
    async with AsyncExitStack() as stack:
        # Routes first: audio pings have begun, and the next one is half a second away.
        to_video, to_audio = (
            stack.enter_context(plane.route(payload.encode(), local, legacy_address=legacy_address))
            for plane, payload, local in (
                (planes.video, stream.video_ping, video_socket),
                (planes.audio, stream.audio_ping, audio_socket),
            )
        )
        means = planes.input.told_to(lambda line: report(f"stream {stream.number}: {line}"))
        injector = await stack.enter_async_context(
            open_session_input(output, means, stream.peer.fingerprint, partial(tell_client, stream))
        )
        pipeline = await stack.enter_async_context(running_video(plan, video_socket.socket.fileno()))
        live = await stack.enter_async_context(
            _desktop_sound(stream, agreement.audio, output, planes, report)
        )
        sound = await stack.enter_async_context(
            running_audio(agreement.audio, audio_socket.socket.fileno(), *live)
        )
        stack.enter_context(to_video.followed_by(pipeline.set_destination))
        stack.enter_context(to_audio.followed_by(sound.set_destination))
        stack.callback(setattr, stream, "request_idr", do_nothing)
        stream.request_idr = pipeline.request_idr
        stack.callback(setattr, stream, "video", None)
        stream.video = pipeline
        report(describe_start(stream, agreement))
        for placement in (*pipeline.placements(), sound.placement()):
            if placement is not None:
                _note_placement(stream, placement, report)
        await _until_the_end(stream, pipeline, sound, injector, output, planes, report)
        report(describe_end(stream, pipeline, injector))


@asynccontextmanager
async def _desktop_sound(
    stream: Stream, plan: AudioPlan, output: VirtualOutput, planes: Planes, report: Report
) -> AsyncGenerator[list[LiveSound]]:
    """Own the sink that the desktop plays into; nothing where the sound is not the desktop's."""

    def tell(sentence: str) -> None:
        report(f"stream {stream.number}: {sentence}")

    listener = Listener(stream.peer.name, output.pipewire_remote)
    here = stream.launch.local_audio
    async with heard(
        *(planes.sounds, plan.source, listener, plan.channel_count, SAMPLE_RATE_HZ, tell), also_here=here
    ) as node:
        yield [] if node is None else [node.packets()]


async def _until_the_end(
    stream: Stream,
    pipeline: Pipeline,
    sound: AudioLink,
    injector: Injector,
    output: VirtualOutput,
    planes: Planes,
    report: Report,
) -> None:
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, pipeline)
            nursery.start_soon(_record, stream, pipeline, planes.flights)
            nursery.start_soon(watch, sound)
            nursery.start_soon(_tell_notes, stream, pipeline, report)
            nursery.start_soon(stream.input.deliver, injector)
            nursery.start_soon(_greet, stream)
            nursery.start_soon(_hold_rights, stream, injector)
            nursery.start_soon(_keep_awake, stream, output, report)
            await stream.ended.wait()
            nursery.cancel_scope.cancel()
    finally:
        # Before the threads stop, which takes a while: a key held down must not repeat meanwhile, and the
        # client need not wait to be told.
        injector.release_all()
        if stream.ended.is_set():
            planes.control.forget(stream)


async def _record(stream: Stream, pipeline: Pipeline, flights: FlightLog) -> None:
    """Keep the times of the stream's frames for `punktfunk why-late`."""
    percent = stream.agreement.send.fec_percent if stream.agreement else 0
    with flights.recording(stream.peer.name) as flight:
        await follow(flight, pipeline, percent)


async def _tell_notes(stream: Stream, pipeline: Pipeline, report: Report) -> None:
    """Report what capture noted: which way pictures take, and when that changes."""
    while True:
        for note in pipeline.beside.take_notes():
            report(f"stream {stream.number}: {note}")
        await trio.sleep(NOTES_S)


async def _greet(stream: Stream) -> None:
    """Wait for the control connection and send what a client expects first."""
    with trio.move_on_after(CONNECT_TIMEOUT_S):
        await stream.connected.wait()
    if stream.connected.is_set():
        agreed = stream.agreement
        send_feedback(stream, HdrMode(enabled=agreed is not None and agreed.encode.bit_depth == 10))
    else:
        stream.end(f"no control connection within {CONNECT_TIMEOUT_S} s")


async def _hold_rights(stream: Stream, injector: Injector) -> None:
    """Let go of what is held when a right to it is taken away, and end with the client's time."""
    if stream.peer.access is None:
        return

    async def tell_nobody(_update: object) -> None:
        """GameStream has no words for this."""

    reason = await stream.peer.access.keep(tell_nobody, narrowed=injector.release_all)
    stream.end(reason, termination_code=TerminationCode.GRACEFUL)


async def _keep_awake(stream: Stream, output: VirtualOutput, report: Report) -> None:
    """Beside the stream, as a bus that does not answer must not delay it."""
    async with inhibited(output) as inhibition:
        report(f"stream {stream.number}: {inhibition}")
        if lock := await locked_screen(output):
            report(f"stream {stream.number}: {lock}")
        await trio.sleep_forever()


def describe_start(stream: Stream, agreement: Agreement) -> str:
    """Return one line on what is streamed to whom."""
    encode, audio = agreement.encode, agreement.audio
    sealed = " encrypted" if agreement.send.encryption_key else ""
    deep = " HDR10" * (encode.bit_depth == 10) + " 4:4:4" * encode.chroma_444
    return (
        f"stream {stream.number}: {agreement.mode} {encode.codec.value}{deep} by {encode.encoder_name} "
        f"{encode.bitrate_bps / 1e6:.1f} Mbit/s{sealed}, {audio.channel_count} channels, "
        f"to {stream.peer.name} at {stream.peer.address}"
    )


def _note_placement(stream: Stream, placement: Placement, report: Report) -> None:
    """Log where a thread runs. That pf-send got less than it asked for can be felt, so people are told."""
    logger.info("stream=%d %s", stream.number, placement)
    if placement.reason and placement.thread_name == "pf-send":
        report(f"stream {stream.number}: sending has no realtime priority ({placement.reason})")


def describe_end(stream: Stream, pipeline: Pipeline, injector: Injector) -> str:
    """Return one line on how a stream went."""
    sent = pipeline.counters()
    unsupported = f", {sum(injector.unsupported.values())} input events without a device" * bool(
        injector.unsupported
    )
    return (
        f"stream {stream.number}: ended ({stream.end_reason}); {sent.get('frames', 0)} frames, "
        f"{sent.get('datagrams', 0)} datagrams, {stream.counts.idr_requests} key frames asked for, "
        f"{stream.counts.damaged_blocks} damaged blocks, "
        f"{stream.input.received_count} input events{unsupported}"
    )
