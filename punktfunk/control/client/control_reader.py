"""What the host says on the control stream and in datagrams, and to whom it goes.

Everything unknown is ignored (punktfunk-1 sections 2.5, 2.10 and 2.17).
"""

from typing import TYPE_CHECKING, Final

import trio

from punktfunk.wire.native.control import (
    AccessUpdate,
    AudioState,
    BitrateChanged,
    ClipOffer,
    ClipState,
    ClockEcho,
    ControlMessage,
    CursorShape,
    DeliveryChanged,
    HostFacts,
    LaunchOutcome,
    PadSlots,
    PipelineGap,
    ProbeResult,
    Reconfigured,
    ShardPayloadAck,
    ShardPayloadChanged,
    parse_control,
)
from punktfunk.wire.native.datagrams import (
    AudioFrame,
    HostTiming,
    PcmFrame,
    RedundantAudio,
    parse_datagram,
)
from punktfunk.wire.native.packet import MAX_SHARD_BYTES, MIN_SHARD_BYTES

if TYPE_CHECKING:
    from punktfunk.control.client.session import ClientSession

TIMINGS_KEPT: Final = 1024
OLDEST_STAMP_NS: Final = 1_000_000_000
"""An arrival longer ago says that the wall clock was set meanwhile."""

_FOR_OTHERS: Final = (
    AccessUpdate,
    AudioState,
    ClipOffer,
    ClipState,
    CursorShape,
    DeliveryChanged,
    HostFacts,
    LaunchOutcome,
    PadSlots,
)


async def read_control(session: "ClientSession") -> None:
    """Read control messages until the host ends the stream, which is the end of the session."""
    while True:
        payload = await session.messages.receive()
        if payload is None:
            return
        now_ns = _arrival_ns(session)
        message = parse_control(payload)
        if isinstance(message, ClockEcho):
            session.rounds.take_echo(message, now_ns)
        elif message is not None:
            take_control(session, message)


def _arrival_ns(session: "ClientSession") -> int:
    """When the message just read arrived, by the kernel's stamp: our own would also tell who held the GIL."""
    steady = session.clock.steady
    now_ns = steady.now_ns()
    stamp_ns = session.control_stream.received_ns
    arrived_ns = steady.of_realtime(stamp_ns) if stamp_ns else now_ns
    return arrived_ns if now_ns - OLDEST_STAMP_NS < arrived_ns <= now_ns else now_ns


def take_control(session: "ClientSession", message: ControlMessage) -> None:
    """Do what one message asks for."""
    match message:
        case Reconfigured():
            session.take_mode(message)
        case BitrateChanged(bitrate_kbps=kbps, reason=reason):
            session.take_bitrate(kbps, reason)
        case ShardPayloadChanged(shard_bytes=size):
            if MIN_SHARD_BYTES <= size <= MAX_SHARD_BYTES and not size % 2:
                session.shard_bytes = size
                session.post(ShardPayloadAck(size))
        case PipelineGap():
            session.frames.windows(lambda windows: windows.on_pipeline_gap())
        case ProbeResult():
            session.take_probe_result(message)
        case _ if isinstance(message, _FOR_OTHERS):
            session.news.put(message)
        case _:
            return


async def read_datagrams(session: "ClientSession") -> None:
    """Read datagrams until the connection ends."""
    while True:
        for datagram in await session.connection.receive_datagrams():
            take_datagram(session, datagram)
        await trio.lowlevel.checkpoint()


def take_datagram(session: "ClientSession", datagram: bytes) -> None:
    """Sort one datagram."""
    match value := parse_datagram(datagram):
        case AudioFrame(sequence=sequence, pts_ns=pts_ns, opus=opus):
            session.audio.put(sequence, pts_ns, opus)
            session.audio_came()
        case RedundantAudio(sequence=sequence, pts_ns=pts_ns, opus=opus, previous_opus=previous):
            session.audio.put(sequence, pts_ns, opus, previous=previous)
            session.audio_came()
        case PcmFrame(sequence=sequence, pts_ns=pts_ns, samples=samples):
            session.audio.put(sequence, pts_ns, samples, is_pcm=True)
            session.audio_came()
        case HostTiming():
            take_timing(session, value)
        case None:
            return
        case _:
            session.news.put(value)


def take_timing(session: "ClientSession", timing: HostTiming) -> None:
    """Keep what the host says about a frame, for as long as somebody may ask."""
    session.timings[timing.pts_ns] = timing
    while len(session.timings) > TIMINGS_KEPT:
        session.timings.popitem(last=False)
    session.frames.note_timing(timing)
