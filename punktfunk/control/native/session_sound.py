"""What a session's programs play and record: nodes in the sound server of the display that it shows."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from punktfunk.control.native.access import Access
from punktfunk.control.native.microphone import Microphone, OpenSource
from punktfunk.control.sound.desk import Listener, SoundDesk, heard
from punktfunk.plan import AudioSource
from punktfunk.realtime import SoundNode
from punktfunk.wire.native.capabilities import Grant

if TYPE_CHECKING:
    from punktfunk.control.native.audio import HostAudio


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
        self.microphone = Microphone(tell, self._open_source())
        self.audio: HostAudio | None = None

    def status(self) -> dict[str, Any]:
        """Describe it in values that JSON knows."""
        told = self.audio.status() if self.audio is not None else {}
        return {**told, "microphone": self.microphone.status()}

    def narrowed(self, access: Access, release_all: Callable[[], None]) -> None:
        """Let go of what the client held, and of its microphone, where it lost the right to it."""
        release_all()
        if not access.grants & Grant.MICROPHONE:
            self.microphone.hush()

    @asynccontextmanager
    async def desktop(
        self, source: AudioSource, channel_count: int, rate_hz: int
    ) -> AsyncGenerator[SoundNode | None]:
        """Own what the programs play into; None where the sound is not theirs."""
        remote = await self._remote() if source is AudioSource.DESKTOP else ""
        listener = Listener(self._client, remote)
        async with heard(self._desk, source, listener, channel_count, rate_hz, self._tell) as node:
            yield node

    def _open_source(self) -> OpenSource | None:
        """Tell how a microphone is made; None where the host has none by setting."""
        return self._source if self._desk is not None and self._desk.has_microphone else None

    @asynccontextmanager
    async def _source(self, rate_hz: int) -> AsyncGenerator[SoundNode]:
        assert self._desk is not None
        listener = Listener(self._client, await self._remote())
        async with self._desk.microphone(listener, rate_hz, self._tell) as node:
            yield node
