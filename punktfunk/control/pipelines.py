"""Realtime threads as context managers: a cancelled session still joins its threads, within a bound."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

import trio

from punktfunk.errors import PipelineFailed, PunktfunkError
from punktfunk.plan import AudioPlan, VideoPlan
from punktfunk.realtime import AudioLink, LiveSound, Pipeline

JOIN_NS = 2_000_000_000
"""How long a stopped pipeline may take to join its threads: one slow software frame and its encoder's end."""


class Threads(Protocol):
    """What a pipeline and an audio link have in common."""

    @property
    def event_fd(self) -> int:
        """Readable when a thread has failed."""

    def start(self) -> None:
        """Start the threads; blocks while encoders open."""

    def stop(self, join_ns: int) -> None:
        """Stop and join the threads within ``join_ns``."""

    def failure(self) -> PipelineFailed | None:
        """Return why a thread stopped by itself, if one did."""


Running = TypeVar("Running", bound=Threads)

_hanging: list[Threads] = []
"""Pipelines whose threads did not end in time. What those use stays open: the next stream tries again."""


@asynccontextmanager
async def running_video(plan: VideoPlan, socket_fd: int) -> AsyncGenerator[Pipeline]:
    """Own the video threads for the length of the block."""
    async with _running(Pipeline(plan, socket_fd)) as pipeline:
        yield pipeline


@asynccontextmanager
async def running_audio(plan: AudioPlan, socket_fd: int, *live: LiveSound) -> AsyncGenerator[AudioLink]:
    """Own the audio thread for the length of the block; ``live``: a desktop's sound instead of the plan's."""
    async with _running(AudioLink(plan, socket_fd, *live)) as link:
        yield link


@asynccontextmanager
async def _running(threads: Running) -> AsyncGenerator[Running]:
    try:
        await start_threads(threads.start)  # inside try: half-started is stopped too
        yield threads
    finally:
        # Shielded: a cancelled session still joins its threads. The bound lives
        # inside stop(), because a Trio timeout cannot interrupt a thread.
        await stop_threads(threads)


async def start_threads(start: Callable[[], None]) -> None:
    """Call ``start`` of a pipeline that the caller stops by :func:`stop_threads`, whatever happens."""
    await trio.to_thread.run_sync(_stop_hanging, tuple(_hanging))
    await trio.to_thread.run_sync(start)


async def stop_threads(threads: Threads) -> None:
    """Stop and join, also when cancelled. PunktfunkError names threads that hang; they are tried again."""
    with trio.CancelScope(shield=True):  # the bound lives inside stop()
        await trio.to_thread.run_sync(_stop, threads)


def _stop(threads: Threads) -> None:
    try:
        threads.stop(JOIN_NS)
    except PunktfunkError:
        _hanging.append(threads)
        raise


def _stop_hanging(candidates: Sequence[Threads]) -> None:
    """Close what earlier streams left open, as far as their threads have ended meanwhile; waits for none."""
    for threads in candidates:
        try:
            threads.stop(0)
        except PunktfunkError:
            continue
        _hanging.remove(threads)


async def watch(threads: Threads) -> None:
    """Sleep until a thread fails; then raise its PipelineFailed."""
    while True:
        await trio.lowlevel.wait_readable(threads.event_fd)
        if (failure := threads.failure()) is not None:
            raise failure
        await trio.lowlevel.checkpoint()
