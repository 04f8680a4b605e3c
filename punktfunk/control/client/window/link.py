"""The Trio thread of the window: it keeps the session, and passes words between it and the main thread.

The main thread never waits for this one: it posts orders, and reads what the inbox holds when SDL wakes it.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final

import trio

from punktfunk.control.client.window.messages import (
    Dropped,
    Ended,
    Inbox,
    Noticed,
    Opened,
    Said,
    Sounding,
    Told,
)
from punktfunk.control.client.window.options import WindowOptions
from punktfunk.control.client.window.plans import decode_plan, sound_plan
from punktfunk.control.client.window.speaker import SdlSpeaker
from punktfunk.errors import EnvironmentProblem, PunktfunkError
from punktfunk.plan import Mode
from punktfunk.realtime import DecodedPicture, SoundPacket, SoundPlayer, open_video_decoder
from punktfunk.wire.native.control import AudioState
from punktfunk.wire.native.datagrams import MicFrame
from punktfunk.wire.native.input import NativeInput
from punktfunk.wire.native.rich_input import RichInput

JOIN_NS: Final = 2_000_000_000

SessionFactory = Callable[[], AbstractAsyncContextManager[Any]]


class Link:
    """The thread. ``keep`` is ``keep_connected`` of the client, ``show`` takes decoded pictures."""

    def __init__(
        self,
        factory: SessionFactory,
        keep: Callable[..., Any],
        options: WindowOptions,
        inbox: Inbox,
        show: Callable[[DecodedPicture], None],
        picture_delay_ns: Callable[[], int | None],
    ) -> None:
        self._factory = factory
        self._keep = keep
        self._options = options
        self._inbox = inbox
        self._show = show
        self._picture_delay_ns = picture_delay_ns
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope: trio.CancelScope | None = None
        self._session: Any = None
        self._modes: trio.MemorySendChannel[Mode] | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pf-session", daemon=True)

    def start(self) -> None:
        """Start the thread and wait until it takes orders."""
        self._thread.start()
        self._started.wait()

    def stop(self, join_s: float) -> bool:
        """Leave the host and end the thread within ``join_s``; False if it hangs."""
        self._post(self._leave)
        self._thread.join(join_s)
        return not self._thread.is_alive()

    def send(self, events: Sequence[NativeInput | RichInput]) -> None:
        """Send input events, in order."""
        if events:
            self._post(partial(self._send, events))

    def speak(self, sequence: int, captured_ns: int, opus: bytes) -> None:
        """Send a packet of the microphone; any thread."""
        pts_ns = time.time_ns() - time.monotonic_ns() + captured_ns
        self._post(partial(self._speak, MicFrame(sequence, pts_ns, opus)))

    def ask_mode(self, mode: Mode) -> None:
        """Ask the host for another mode."""
        self._post(partial(self._ask, mode))

    def _post(self, order: Callable[[], None]) -> None:
        if self._token is None:
            return
        try:
            self._token.run_sync_soon(order)
        except trio.RunFinishedError:
            return  # the thread has ended: the window hears of it from the inbox

    def _leave(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def _send(self, events: Sequence[NativeInput | RichInput]) -> None:
        if self._session is not None:
            for event in events:
                self._session.send_input(event)

    def _speak(self, frame: MicFrame) -> None:
        if self._session is not None:
            self._session.send_datagram(frame)

    def _ask(self, mode: Mode) -> None:
        if self._modes is not None:
            try:
                self._modes.send_nowait(mode)
            except (trio.WouldBlock, trio.BrokenResourceError):
                return  # one is being asked for; the window asks again if its size still differs

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            trio.run(self._main)
        except BaseException as problem:  # noqa: BLE001  (shown in the window, raised again by run_window)
            error = first_problem(problem)
        finally:
            self._started.set()
        self._inbox.put(Ended(error))

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            self._started.set()
            await self._keep(self._factory, self._use, lambda text: self._inbox.put(Said(text)))

    async def _use(self, session: Any) -> None:
        """Show one session until cancelled, which ``keep`` does when it is over."""
        plan = decode_plan(session.welcome, self._options.hardware)
        send_mode, receive_mode = trio.open_memory_channel[Mode](1)
        async with trio.open_nursery() as nursery:
            token = trio.lowlevel.current_trio_token()

            def failed(error: BaseException) -> None:
                token.run_sync_soon(nursery.start_soon, _raise, error)

            decoder = await trio.to_thread.run_sync(
                open_video_decoder, plan, session.video, session.frames, self._show, failed
            )
            try:
                decoder.start()
                self._session, self._modes = session, send_mode
                self._inbox.put(Opened(session, decoder, plan))
                nursery.start_soon(self._hear, session)
                nursery.start_soon(self._change_modes, session, receive_mode)
                await trio.sleep_forever()
            finally:
                self._session = self._modes = None
                self._inbox.put(Dropped())
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(decoder.stop, JOIN_NS)

    async def _hear(self, session: Any) -> None:
        """Play the session's sound, and pass on what the host says."""
        plan = sound_plan(session.welcome)
        speaker: SdlSpeaker | None = None
        player: SoundPlayer | None = None
        try:
            speaker = await trio.to_thread.run_sync(SdlSpeaker, plan.channel_count, plan.rate_hz)
            player = await trio.to_thread.run_sync(
                SoundPlayer, plan, speaker, self._picture_delay_ns, self._lost_sound
            )
            player.start()
            self._inbox.put(Sounding(player))
        except EnvironmentProblem as problem:
            self._inbox.put(Noticed(f"No sound: {problem}"))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen, session, player)
                while True:
                    for value in await session.receive_news():
                        if isinstance(value, AudioState) and player is not None:
                            player.mute(muted=value.muted)
                        self._inbox.put(Told(value))
        finally:
            with trio.CancelScope(shield=True):
                if player is not None:
                    await trio.to_thread.run_sync(player.stop, JOIN_NS)
                if speaker is not None:
                    speaker.close()

    def _lost_sound(self, error: BaseException) -> None:
        self._inbox.put(Noticed(f"The sound has stopped: {error}"))

    async def _listen(self, session: Any, player: SoundPlayer | None) -> None:
        while True:
            for packet in await session.receive_audio():
                if player is not None:
                    captured_ns = session.capture_ns(packet.pts_ns)
                    player.packet(SoundPacket(packet.sequence, captured_ns, packet.payload))

    async def _change_modes(self, session: Any, wanted: "trio.MemoryReceiveChannel[Mode]") -> None:
        async for mode in wanted:
            try:
                await session.reconfigure(mode)
            except PunktfunkError as problem:
                self._inbox.put(Noticed(str(problem)))


async def _raise(error: BaseException) -> None:
    raise error


def first_problem(error: BaseException) -> BaseException:
    """Find what people can read in a group of errors: the first of ours, else the first of all."""
    leaves = [error]
    while any(isinstance(leaf, BaseExceptionGroup) for leaf in leaves):
        leaves = [
            part
            for leaf in leaves
            for part in (leaf.exceptions if isinstance(leaf, BaseExceptionGroup) else (leaf,))
        ]
    ours = [leaf for leaf in leaves if isinstance(leaf, PunktfunkError)]
    return (ours or leaves)[0]
