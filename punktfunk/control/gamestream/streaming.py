"""Run one stream: wait for its RTSP, start the threads, join them with the client, end it all.

    launched --RTSP PLAY--> threads run --ENet connect--> streaming --any end--> threads joined, keys released

Each wait has its limit (gamestream.md section 8).
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import trio

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.gamestream.control_stream import ControlPlane, send_feedback
from punktfunk.control.gamestream.media import MediaPlane
from punktfunk.control.gamestream.negotiate import Agreement
from punktfunk.control.gamestream.stream import Stream
from punktfunk.control.input.base import Injector, open_injector
from punktfunk.control.pipelines import running_audio, running_video, watch
from punktfunk.control.system.inhibit import inhibited
from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import Mode, RealtimePlan, VideoPlan
from punktfunk.realtime import AudioLink, Pipeline
from punktfunk.wire.gamestream.feedback import HdrMode, TerminationCode

logger = logging.getLogger(__name__)

RTSP_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 10

Report = Callable[[str], None]
ChangeMode = Callable[[Mode], Awaitable[VirtualOutput]]


@dataclass(frozen=True, slots=True)
class Planes:
    """The three planes that every stream of the host shares."""

    video: MediaPlane
    audio: MediaPlane
    control: ControlPlane


async def run_stream(
    stream: Stream, change_mode: ChangeMode, planes: Planes, realtime: RealtimePlan, report: Report
) -> None:
    """Run the stream to its end. Never raises for what a client, a display or an encoder does."""
    try:
        with trio.move_on_after(RTSP_TIMEOUT_S):
            await _first(stream.played, stream.ended)
        if stream.agreement is None or not stream.played.is_set():
            stream.end(f"the client did not come within {RTSP_TIMEOUT_S} s")
            return
        await _run_agreed(stream, stream.agreement, change_mode, planes, realtime, report)
    except* (PipelineFailed, EnvironmentProblem) as problems:
        reason = str(problems.exceptions[0])
        stream.failed = True
        stream.end(reason, termination_code=TerminationCode.FRAME_CONVERSION)
        report(f"stream {stream.number}: failed: {reason}")
    finally:
        stream.end("the host stopped", termination_code=TerminationCode.GRACEFUL)
        planes.control.forget(stream)


async def _run_agreed(
    stream: Stream,
    agreement: Agreement,
    change_mode: ChangeMode,
    planes: Planes,
    realtime: RealtimePlan,
    report: Report,
) -> None:
    output = await change_mode(agreement.mode)
    plan = VideoPlan(output.source, agreement.encode, agreement.send, realtime)
    video_socket = planes.video.socket_for(stream.peer.local_address)
    audio_socket = planes.audio.socket_for(stream.peer.local_address)
    async with AsyncExitStack() as stack:
        injector = await stack.enter_async_context(open_injector(output))
        pipeline = await stack.enter_async_context(running_video(plan, video_socket.socket.fileno()))
        sound = await stack.enter_async_context(running_audio(agreement.audio, audio_socket.socket.fileno()))
        report(f"stream {stream.number}: {await stack.enter_async_context(inhibited(output))}")
        stream.request_idr = pipeline.request_idr
        stack.enter_context(
            planes.video.route(
                stream.video_ping.encode(), stream.peer.address, video_socket, pipeline.set_destination
            )
        )
        stack.enter_context(
            planes.audio.route(
                stream.audio_ping.encode(), stream.peer.address, audio_socket, sound.set_destination
            )
        )
        report(describe_start(stream, agreement))
        await _until_the_end(stream, pipeline, sound, injector)
        report(describe_end(stream, pipeline, injector))


async def _until_the_end(stream: Stream, pipeline: Pipeline, sound: AudioLink, injector: Injector) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, pipeline)
        nursery.start_soon(watch, sound)
        nursery.start_soon(stream.input.deliver, injector)
        nursery.start_soon(_greet, stream)
        await stream.ended.wait()
        nursery.cancel_scope.cancel()
    # Before the threads stop: a key held down must not repeat while an encoder is closed.
    injector.release_all()


async def _greet(stream: Stream) -> None:
    """Wait for the control connection and send what a client expects first."""
    with trio.move_on_after(CONNECT_TIMEOUT_S) as waited:
        await stream.connected.wait()
    if waited.cancelled_caught:
        stream.end(f"no control connection within {CONNECT_TIMEOUT_S} s")
        return
    send_feedback(stream, HdrMode(enabled=False))


async def _first(*events: trio.Event) -> None:
    """Return as soon as one of the events is set."""
    async with trio.open_nursery() as nursery:
        for event in events:
            nursery.start_soon(partial(_wait_and_cancel, event, nursery.cancel_scope))


async def _wait_and_cancel(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def describe_start(stream: Stream, agreement: Agreement) -> str:
    """Return one line on what is streamed to whom."""
    encode, audio = agreement.encode, agreement.audio
    sealed = " encrypted" if agreement.send.encryption_key else ""
    return (
        f"stream {stream.number}: {agreement.mode} {encode.codec.value} by {encode.encoder_name} "
        f"{encode.bitrate_bps / 1e6:.1f} Mbit/s{sealed}, {audio.channel_count} channels, "
        f"to {stream.peer.name} at {stream.peer.address}"
    )


def describe_end(stream: Stream, pipeline: Pipeline, injector: Injector) -> str:
    """Return one line on how a stream went."""
    sent = pipeline.counters()
    unsupported = f", {sum(injector.unsupported.values())} input events without a device" * bool(
        injector.unsupported
    )
    return (
        f"stream {stream.number}: ended ({stream.end_reason}); {sent.get('frames', 0)} frames, "
        f"{sent.get('datagrams', 0)} datagrams, {stream.counts.idr_requests} key frames asked for, "
        f"{stream.input.received_count} input events{unsupported}"
    )
