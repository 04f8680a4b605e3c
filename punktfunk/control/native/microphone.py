"""What a client's microphone sends, played into a microphone of ours that programs record from.

    first packet -> microphone made, the default one ... packets: put in order, concealed ... none for a
    while, or the session ends -> microphone gone, the default as before

The client's right to send was checked before (``hands``), so that a microphone is there only while one with
the right speaks. Spec: punktfunk-1 section 2.10, tag CB.
"""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import trio

from punktfunk.control.problems import first_leaf, worded
from punktfunk.errors import EnvironmentProblem, PunktfunkError
from punktfunk.plan import SoundPlan
from punktfunk.realtime import RingSpeaker, SoundNode, SoundPacket, SoundPlayer
from punktfunk.wire.native.datagrams import MicFrame

OPUS_BYTES_MAX: Final = 1275
"""The longest frame that Opus has (RFC 6716 section 3.2.1)."""
RATE_HZ: Final = 48_000
FRAME_US: Final = 10_000
QUIET_S: Final = 5.0
"""A microphone that says nothing for so long is off; one that is on sends silence too."""
JOIN_NS: Final = 1_000_000_000

OpenSource = Callable[[int], AbstractAsyncContextManager[SoundNode]]
"""Owns a node that programs record from, at a rate."""

PLAN: Final = SoundPlan(is_pcm=False, channel_count=2, rate_hz=RATE_HZ, frame_us=FRAME_US)
"""Stereo, as which Opus decodes mono too; the channels are mixed afterwards."""


class Microphone:
    """Plays packets into a node. ``open_source`` None: the host has none, and packets are only counted."""

    def __init__(self, tell: Callable[[str], None], open_source: OpenSource | None = None) -> None:
        self._tell = tell
        self._open_source = open_source
        self._came = trio.Event()
        self._player: SoundPlayer | None = None
        self._refused = False
        self._hush: Callable[[], None] = _do_nothing
        self.counts: Counter[str] = Counter()

    def hear(self, frame: MicFrame) -> None:
        """Take one packet; never waits, raises nothing."""
        if not 0 < len(frame.opus) <= OPUS_BYTES_MAX:
            self.counts["malformed"] += 1
            return
        self._came.set()
        if self._player is None:
            self.counts["unplayed"] += 1
            if self._open_source is None and not self._refused:
                self._refused = True
                self._tell("the client sends its microphone; this host is set to have none for it")
            return
        self.counts["heard"] += 1
        self._player.packet(SoundPacket(frame.sequence, time.monotonic_ns(), frame.opus))

    def hush(self) -> None:
        """Take the microphone away at once: the client has no right to it any more."""
        self._hush()

    def status(self) -> dict[str, int]:
        """Describe it in values that JSON knows."""
        player = self._player
        return {**self.counts, **({} if player is None else player.counters())}

    async def run(self) -> None:
        """Have a microphone while the client speaks, until cancelled."""
        if self._open_source is None:
            await trio.sleep_forever()
            return
        while True:
            self._came = trio.Event()
            await self._came.wait()
            try:
                async with self._open_source(RATE_HZ) as node:
                    await self._speak(node)
            except* PunktfunkError as problems:
                self._tell(f"no microphone: {worded(first_leaf(problems))}")
                await trio.sleep(QUIET_S)

    async def _speak(self, node: SoundNode) -> None:
        """Play what comes until nothing comes any more."""
        ended = trio.Event()
        problems: list[BaseException] = []
        token = trio.lowlevel.current_trio_token()

        def note(problem: BaseException) -> None:
            problems.append(problem)
            token.run_sync_soon(ended.set)

        def no_picture() -> None:
            """Wait for no picture: a voice has none."""

        player = await trio.to_thread.run_sync(SoundPlayer, PLAN, RingSpeaker(node.ring), no_picture, note)
        player.start()
        self._player, self._hush = player, ended.set
        try:
            while self._came.is_set() and not ended.is_set():
                self._came = trio.Event()
                with trio.move_on_after(QUIET_S):
                    await ended.wait()
            if problems:
                raise EnvironmentProblem(f"its sound cannot be played: {problems[0]}")
        finally:
            self._player, self._hush = None, _do_nothing
            with trio.CancelScope(shield=True):  # bounded by JOIN_NS
                await trio.to_thread.run_sync(player.stop, JOIN_NS)


def _do_nothing() -> None:
    """Do nothing: there is no microphone to take away."""
