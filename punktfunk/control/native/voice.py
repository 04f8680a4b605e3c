"""What one session says: messages to its client, at the right time, and lines to the host's owner."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.native.messages import MessageStream
from punktfunk.wire.native.capabilities import CloseCode
from punktfunk.wire.native.control import (
    ClockEcho,
    ClockProbe,
    ControlMessage,
    LaunchKind,
    LaunchOutcome,
    build_control,
)
from punktfunk.wire.native.datagrams import HostTiming

if TYPE_CHECKING:
    from punktfunk.control.quic.errors import CloseReason
    from punktfunk.realtime import SentFrame

CLOCK_ROUNDS: Final = 8
FIRST_WORDS_S: Final = 1.0
"""Older clients lose what comes in the middle of their clock rounds: our own first words wait so long."""
CLOSE_TEXT_BYTES: Final = 256


class Voice:
    """Sends the messages of one session; :meth:`say_first_words` must run."""

    def __init__(self, messages: MessageStream, number: int, report: Callable[[str], None]) -> None:
        self._messages = messages
        self._number = number
        self._report = report
        self._echo_count = 0
        self._clock_settled = trio.Event()
        self._first_words: list[ControlMessage] = []

    async def say(self, message: ControlMessage) -> None:
        """Send an answer, or what cannot wait."""
        await self._messages.send(build_control(message))

    async def say_in_time(self, message: ControlMessage) -> None:
        """Send what nobody asked for, but not into the clock rounds."""
        if self._clock_settled.is_set() and not self._first_words:
            await self.say(message)
        else:
            self._first_words.append(message)
            await trio.lowlevel.checkpoint()

    async def echo(self, probe: ClockProbe, received_ns: int) -> None:
        """Answer at once, by the clock that pts count in."""
        await self.say(ClockEcho(probe.t1_ns, received_ns, time.time_ns()))
        self._echo_count += 1
        if self._echo_count == CLOCK_ROUNDS:
            self._clock_settled.set()

    async def say_first_words(self) -> None:
        """Wait for the clock rounds, at most a second, then send what has gathered."""
        with trio.move_on_after(FIRST_WORDS_S):
            await self._clock_settled.wait()
        self._clock_settled.set()
        while self._first_words:
            await self.say(self._first_words[0])
            self._first_words.pop(0)

    def tell(self, text: str) -> None:
        """Say something to the host's owner."""
        self._report(f"session {self._number}: {text}")


def timing_of(frame: "SentFrame") -> HostTiming:
    """Return what the client is told of a frame's way through the host."""
    return HostTiming(
        frame.pts_ns,
        _us(frame.last_ns - frame.captured_ns),
        _us(frame.begun_ns - frame.captured_ns),
        _us(frame.encoded_ns - frame.begun_ns),
        _us(frame.last_ns - frame.first_ns),
    )


def _us(duration_ns: int) -> int:
    return min(max(duration_ns, 0) // 1000, (1 << 32) - 1)


def cut_sentence(text: str) -> str:
    """Cut a text to what a close may carry."""
    return text.encode()[:CLOSE_TEXT_BYTES].decode(errors="ignore")


def is_quit(reason: "CloseReason | None") -> bool:
    """Tell whether the client ended the session on purpose."""
    return reason is not None and reason.by_peer and reason.application and reason.code == CloseCode.QUIT


def worded_end(reason: "CloseReason | None") -> str:
    """Say how a session ended."""
    if reason is None:
        return "the host stopped"
    if reason.timed_out:
        return "the client fell silent"
    if is_quit(reason):
        return "quit by the client"
    return reason.text if reason.text and not reason.by_peer else str(reason)


def launch_outcome(launch_id: str, title: str, *, found: bool, adopted: bool) -> LaunchOutcome:
    """Tell the client what became of its launch."""
    if not found:
        return LaunchOutcome(LaunchKind.FAILED, f"This host has no app called {launch_id[:64]}.")
    return LaunchOutcome(LaunchKind.ADOPTED if adopted else LaunchKind.SPAWNED, title)
