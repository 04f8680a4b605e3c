"""A client without a window: takes frames, checks and stamps them, records what arrives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from punktfunk.control.client.reconnect import SessionFactory, keep_connected
from punktfunk.control.client.session import ClientSession
from punktfunk.control.client.setup import CODECS
from punktfunk.control.client.window.plans import decode_plan
from punktfunk.errors import PunktfunkError
from punktfunk.plan import Mode
from punktfunk.realtime import FrameInspector, FrameRow, PlainReader, Recorder, open_video_decoder
from punktfunk.wire.native.capabilities import AudioCodec
from punktfunk.wire.native.datagrams import HostTiming

JOIN_NS: Final = 2_000_000_000
GATHER_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class HeadlessOptions:
    """What to do with the frames. ``frames`` and ``seconds`` 0: until the session ends."""

    frames: int = 0
    seconds: float = 0.0
    decode: bool = False
    hardware: str = "none"
    record: Path | None = None


@dataclass(slots=True)
class Take:
    """What one session gave. Rows in the order of completion; ``timings`` by the frame's pts."""

    host: str
    mode: Mode
    codec: str
    rows: list[FrameRow] = field(default_factory=list)
    timings: dict[int, HostTiming] = field(default_factory=dict)
    capture_ns: Callable[[int], int] = int
    clock_known: bool = False
    statistics: dict[str, float] = field(default_factory=dict)
    audio_packets: int = 0
    welcome: Any = None


async def run_headless(
    session_factory: SessionFactory,
    options: HeadlessOptions,
    report: Callable[[str], None],
    takes: list[Take],
    also: Callable[[ClientSession], Any] | None = None,
) -> list[Take]:
    """Use sessions until enough came; into ``takes`` goes a take for each, also when it is cancelled.

    ``also`` runs beside the frames of every session.
    """
    recorders: list[Recorder] = []

    async def use(session: ClientSession) -> None:
        take = Take(session.host, session.mode, CODECS[session.welcome.codec].value, welcome=session.welcome)
        takes.append(take)
        if options.record is not None and not recorders:
            recorders.append(await trio.to_thread.run_sync(_open_recorder, options.record, session))
        wanted = max(0, options.frames - sum(len(other.rows) for other in takes)) if options.frames else 0
        await _inspect(session, take, options, wanted, recorders[0] if recorders else None, also)

    try:
        with trio.move_on_after(options.seconds or float("inf")):
            await keep_connected(session_factory, use, report)
    finally:
        for recorder in recorders:
            recorder.close()
    return takes


def _open_recorder(path: Path, session: ClientSession) -> Recorder:
    opus = session.welcome.audio_codec == AudioCodec.OPUS
    return Recorder(
        path,
        CODECS[session.welcome.codec],
        session.welcome.refresh_hz,
        sound_channels=session.welcome.audio_channels if opus else 0,
    )


async def _inspect(
    session: ClientSession,
    take: Take,
    options: HeadlessOptions,
    wanted: int,
    recorder: Recorder | None,
    also: Callable[[ClientSession], Any] | None,
) -> None:
    token = trio.lowlevel.current_trio_token()
    done = trio.Event()
    problems: list[BaseException] = []

    def failed(error: BaseException) -> None:
        problems.append(error)
        token.run_sync_soon(done.set)

    inspector = FrameInspector(session.video, wanted, lambda: token.run_sync_soon(done.set), recorder)
    take.rows, take.capture_ns = inspector.rows, session.capture_ns
    take.clock_known = session.clock_offset_ns is not None
    reader: Any
    if options.decode:
        plan = decode_plan(session.welcome, options.hardware)
        reader = await trio.to_thread.run_sync(
            open_video_decoder, plan, inspector, session.frames, inspector.show, failed
        )
    else:
        reader = PlainReader(inspector, session.frames)
    try:
        reader.start()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, session, inspector, take)
            nursery.start_soon(_gather, session, take)
            if also is not None:
                nursery.start_soon(also, session)
            await done.wait()
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(reader.stop, JOIN_NS)
        if wanted:
            del inspector.rows[wanted:]  # what came while the thread ended
        _note(session, take)
    if problems:
        raise PunktfunkError(f"decoding stopped: {problems[0]}", hint="Try another codec: --codec h264.")


async def _listen(session: ClientSession, inspector: FrameInspector, take: Take) -> None:
    while True:
        for packet in await session.receive_audio():
            take.audio_packets += 1
            if not packet.is_pcm:
                inspector.sound(packet.payload, packet.pts_ns)


async def _gather(session: ClientSession, take: Take) -> None:
    """Keep what the host says about frames: the session itself remembers only the last ones."""
    while True:
        _note(session, take)
        await trio.sleep(GATHER_S)


def _note(session: ClientSession, take: Take) -> None:
    take.timings.update(session.timings)
    take.statistics = session.statistics()
    take.mode = session.mode
