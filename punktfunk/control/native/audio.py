"""The sound of one session: packets of pf-sound leave as datagrams, each perhaps with the one before it.

A host that makes no sound says so instead of sending silence (AudioState), and a client then conceals
nothing. Sound that cannot be made ends nothing else. Spec: punktfunk-1 section 2.10.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import trio

from punktfunk.control.native.sound_terms import COPY_HEADER_BYTES, sound_plan
from punktfunk.control.native.terms import AudioTerms
from punktfunk.control.problems import worded
from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import AudioSource
from punktfunk.realtime import LiveSound, MadeSound, SoundMaker, SoundNode
from punktfunk.wire.native.capabilities import AudioCodec, HostCap
from punktfunk.wire.native.control import AudioState
from punktfunk.wire.native.datagrams import AudioFrame, PcmFrame, RedundantAudio, build_datagram

logger = logging.getLogger(__name__)

JOIN_NS: Final = 1_000_000_000
SEQUENCE_MASK: Final = 0xFFFFFFFF


class DatagramSender(Protocol):
    """What is needed of a QUIC connection."""

    @property
    def datagram_bytes_max(self) -> int:
        """The largest datagram that may be sent now."""

    def send_datagram(self, data: bytes) -> bool:
        """Send without waiting; False if it was not taken."""


class Maker(Protocol):
    """What is needed of a SoundMaker."""

    @property
    def event_fd(self) -> int:
        """Readable when packets wait or the thread has failed."""

    def start(self) -> None:
        """Open everything and begin; EnvironmentProblem if that cannot be."""

    def stop(self, join_ns: int) -> None:
        """End."""

    def take(self) -> list[MadeSound]:
        """Take what waits."""


DesktopSound = Callable[[AudioSource, int, int], AbstractAsyncContextManager[SoundNode | None]]
"""Owns what the programs of a session play into, for a source, channels and rate; None where nothing does."""


class HostAudio:
    """Sends the sound of one session. ``say`` sends control messages, ``tell`` gets lines for people."""

    def __init__(
        self,
        connection: DatagramSender,
        terms: AudioTerms,
        source: AudioSource,
        *,
        say: Callable[[AudioState], Awaitable[None]],
        tell: Callable[[str], None],
        make: Callable[..., Maker] = SoundMaker,
        desktop: "DesktopSound | None" = None,
    ) -> None:
        self._connection = connection
        self._desktop = desktop
        self._say = say
        self._tell = tell
        self._plan = sound_plan(terms, source, connection.datagram_bytes_max)
        self._make = make
        self._is_pcm = terms.codec == AudioCodec.PCM
        self._twice = bool(terms.host_caps & HostCap.REDUNDANT_AUDIO)
        self._previous = b""
        self._sequence = 0
        self._muted = False
        self.sent_count = 0
        self.lost_count = 0
        """Packets that were made and never sent, as this thread was kept from them for too long."""
        self.unsent_count = 0
        """Datagrams that the connection did not take."""
        self.live: LiveSound | None = None
        """What the desktop plays, while it is heard."""

    async def run(self) -> None:
        """Send until cancelled, or until sound cannot be made; raises nothing for the latter."""
        if self._desktop is None:
            await self._run()
            return
        plan = self._plan
        async with self._desktop(plan.source, plan.channel_count, plan.rate_hz) as node:
            if node is None:
                await self._run()
                return
            self.live = node.packets(plan.bits if plan.is_pcm else 16)
            await self._run(self.live)

    def status(self) -> dict[str, int]:
        """Describe it in values that JSON knows."""
        told = {
            "sound_sent": self.sent_count,
            "sound_unsent": self.unsent_count,
            "sound_lost": self.lost_count,
        }
        if self.live is not None:
            told["sound_delay_us"] = self.live.delay_ns() // 1000
            told["sound_filled"] = self.live.filled_count
        return told

    async def _run(self, *live: LiveSound) -> None:
        maker = self._make(self._plan, *live)
        try:
            await trio.to_thread.run_sync(maker.start)
            while True:
                await trio.lowlevel.wait_readable(maker.event_fd)
                for sound in maker.take():
                    await self._send(sound)
        except (EnvironmentProblem, PipelineFailed) as problem:
            self._tell(f"no sound: {worded(problem)}")
            await self._mute(muted=True)
        finally:
            # Bounded by JOIN_NS; a Trio timeout could not interrupt a thread.
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(maker.stop, JOIN_NS)

    async def _send(self, sound: MadeSound) -> None:
        if sound.is_first or sound.lost_before:
            self._previous = b""
        if sound.is_first:
            await self._mute(muted=False)
        # What never became a datagram is missed like one that got lost: the client conceals it.
        self._sequence = self._sequence + sound.lost_before & SEQUENCE_MASK
        self.lost_count += sound.lost_before
        data = build_datagram(self._datagram(sound))
        if self._connection.send_datagram(data):
            self.sent_count += 1
        else:
            self.unsent_count += 1
        self._sequence = self._sequence + 1 & SEQUENCE_MASK
        self._previous = sound.payload
        if sound.ends_sound:
            await self._mute(muted=True)

    def _datagram(self, sound: MadeSound) -> AudioFrame | RedundantAudio | PcmFrame:
        if self._is_pcm:
            return PcmFrame(self._sequence, sound.pts_ns, sound.payload)
        size = COPY_HEADER_BYTES + len(sound.payload) + len(self._previous)
        # A variable rate has peaks: there the copy stays at home rather than the sound.
        if self._twice and size <= self._connection.datagram_bytes_max:
            return RedundantAudio(self._sequence, sound.pts_ns, sound.payload, self._previous)
        return AudioFrame(self._sequence, sound.pts_ns, sound.payload)

    async def _mute(self, *, muted: bool) -> None:
        if muted is not self._muted:
            self._muted = muted
            await self._say(AudioState(muted))
