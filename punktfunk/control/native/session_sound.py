"""What a session's programs play and record: nodes in the sound server of the display that it shows."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from punktfunk.control.native.microphone import OpenSource
from punktfunk.control.sound.desk import Listener, SoundDesk, heard
from punktfunk.plan import AudioSource
from punktfunk.realtime import SoundNode


class SessionSound:
    """Makes nodes for one client. ``remote`` waits for the display and tells its PipeWire socket."""

    def __init__(
        self,
        desk: SoundDesk | None,
        client: str,
        remote: Callable[[], Awaitable[str]],
        tell: Callable[[str], None],
    ) -> None:
        self._desk = desk
        self._client = client
        self._remote = remote
        self._tell = tell

    @asynccontextmanager
    async def desktop(
        self, source: AudioSource, channel_count: int, rate_hz: int
    ) -> AsyncGenerator[SoundNode | None]:
        """Own what the programs play into; None where the sound is not theirs."""
        remote = await self._remote() if source is AudioSource.DESKTOP else ""
        listener = Listener(self._client, remote)
        async with heard(self._desk, source, listener, channel_count, rate_hz, self._tell) as node:
            yield node

    @property
    def open_source(self) -> OpenSource | None:
        """How a microphone is made; None where the host has none by setting."""
        return self._source if self._desk is not None and self._desk.has_microphone else None

    @asynccontextmanager
    async def _source(self, rate_hz: int) -> AsyncGenerator[SoundNode]:
        assert self._desk is not None
        listener = Listener(self._client, await self._remote())
        async with self._desk.microphone(listener, rate_hz, self._tell) as node:
            yield node
