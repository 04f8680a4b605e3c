"""The video of one session over all its rebuilds: one socket, one key, one count of frames.

    first mode -> pipeline ... new mode: the next one is prepared while this one runs, then takes its place
                               new shard size or pacing: another sender in the same pipeline

What may change at any time (rate, parity, key frame) is remembered here, as a rebuild must not lose it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import trio

from punktfunk.control.native.negotiate import Agreement
from punktfunk.control.pipelines import start_threads, stop_threads, watch
from punktfunk.control.problems import worded
from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import (
    FrameSource,
    Mode,
    NativeSendPlan,
    Pacing,
    PreparedSource,
    RealtimePlan,
    StreamPosition,
    VideoPlan,
)
from punktfunk.realtime import Beside, Pipeline

if TYPE_CHECKING:
    from punktfunk.control.native.punch import Address
    from punktfunk.realtime import SentFrame

logger = logging.getLogger(__name__)

BITRATE_STEP_PERCENT: Final = 10
"""A new rate opens most encoders anew, and costs a key frame: smaller steps of our own are not worth one."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How a build went: the mode that is live now, how long nothing was sent, and what went wrong.

    ``first`` is that of the session's first pictures.
    """

    mode: Mode
    gap_ns: int
    problem: str = ""
    first: bool = False


class Watcher(Protocol):
    """Who wants to know of the video."""

    def frames_sent(self, frames: "list[SentFrame]") -> None:
        """Take what left since the last call."""

    async def rebuilt(self, outcome: Rebuilt) -> None:
        """Take the outcome of a build."""


PICTURE_NS: Final = 300_000_000
"""How long the next pipeline may look for its first picture while the one before still runs."""

MakePipeline = Callable[[VideoPlan, int], Pipeline]


class Video:
    """Owns the pipelines of one session. :meth:`run` must run; everything else is called meanwhile."""

    def __init__(
        self,
        agreement: Agreement,
        socket_fd: int,
        realtime: RealtimePlan,
        watcher: Watcher,
        *,
        make_pipeline: MakePipeline = Pipeline,
    ) -> None:
        self.mode = agreement.mode
        self.shard_bytes = agreement.welcome.shard_bytes
        self.pacing = agreement.pacing
        self.budget_kbps = agreement.budget_kbps
        self.fec_percent = agreement.fec_percent
        self.encoder_bps = agreement.encoder_bps
        self.pipeline: Pipeline | None = None
        self.running = trio.Event()
        self.beside = Beside()
        """What capture tells beside pictures; every pipeline of the session has the same."""
        self._agreement = agreement
        self._socket_fd = socket_fd
        self._realtime = realtime
        self._watcher = watcher
        self._make_pipeline = make_pipeline
        self._destination: tuple[Address, int] | None = None
        self._wanted: FrameSource | None = None
        self._change_came = trio.Event()
        # A pipeline is called by one thread at a time: exchanging its sender, and exchanging it, take turns.
        self._turn = trio.Lock()

    # -- control

    def set_destination(self, address: "Address", family: int) -> None:
        """Send to this address."""
        self._destination = address, family
        if self.pipeline is not None:
            self.pipeline.set_destination(address, family)

    def request_idr(self) -> None:
        """Make the next frame a key frame."""
        if self.pipeline is not None:
            self.pipeline.request_idr()

    def set_fec_percent(self, percent: int) -> None:
        """Change the parity."""
        self.fec_percent = percent
        if self.pipeline is not None:
            self.pipeline.set_fec_percent(percent)

    def set_rate(self, budget_kbps: int, encoder_bps: int, *, asked: bool) -> None:
        """Change the rate: what the link may carry, and what of it the encoder may make.

        What nobody ``asked`` for is done only where it makes a difference.
        """
        self.budget_kbps = budget_kbps
        if self.pipeline is not None:
            self.pipeline.set_pace(budget_kbps * 1000)
        step_bps = self.encoder_bps * BITRATE_STEP_PERCENT // 100
        if encoder_bps != self.encoder_bps and (asked or abs(encoder_bps - self.encoder_bps) > step_bps):
            self.encoder_bps = encoder_bps
            if self.pipeline is not None:
                self.pipeline.set_bitrate(encoder_bps)

    def show(self, source: FrameSource) -> None:
        """Go on with another source; the newest wins. The outcome comes as ``rebuilt``."""
        self._wanted = source
        self._change_came.set()

    async def send_otherwise(self, *, shard_bytes: int | None = None, pacing: Pacing | None = None) -> None:
        """Change shard size or pacing from the next access unit on; PipelineFailed if the sender hangs."""
        self.shard_bytes = shard_bytes or self.shard_bytes
        self.pacing = pacing or self.pacing
        async with self._turn:
            if self.pipeline is not None:
                await trio.to_thread.run_sync(self.pipeline.change_send, self._send_plan(self.mode))
                self.set_fec_percent(self.fec_percent)

    def fill(self, unit_bytes: int) -> bool:
        """Send a unit of a probe; by any thread. False while nothing can be sent."""
        pipeline = self.pipeline
        return pipeline is not None and pipeline.fill(unit_bytes)

    @property
    def send_thread_id(self) -> int:
        """The kernel's id of the sending thread; -1 while none runs."""
        return self.pipeline.send_thread_id if self.pipeline is not None else -1

    def counters(self) -> dict[str, int]:
        """Every count of the pipeline that runs."""
        return self.pipeline.counters() if self.pipeline is not None else {}

    # -- life

    async def run(self, source: FrameSource) -> None:
        """Stream until cancelled, first ``source``, then what is shown.

        Raises PipelineFailed or EnvironmentProblem when it cannot go on.
        """
        current: Pipeline | None = None
        upcoming: Pipeline | None = None
        position: StreamPosition | None = None
        shown: FrameSource | None = None
        try:
            while True:
                began_ns = 0
                plan = self._plan(source)
                upcoming = self._make_pipeline(plan, self._socket_fd)
                upcoming.beside = self.beside
                try:
                    await start_threads(partial(upcoming.prepare, PICTURE_NS if current else 0))
                except (EnvironmentProblem, PipelineFailed) as problem:
                    if current is None or is_filler(shown):
                        raise
                    await stop_threads(upcoming)
                    upcoming = None
                    await self._watcher.rebuilt(Rebuilt(self.mode, 0, worded(problem)))
                else:
                    resumed = current is not None and not is_filler(shown)
                    async with self._turn:
                        if current is not None:
                            began_ns = trio_now_ns()
                            self.pipeline = None
                            await trio.to_thread.run_sync(current.wind_down)
                            await stop_threads(current)
                            position = current.position
                        current, upcoming = upcoming, None
                        await self._begin(current, plan, position)
                    shown = source
                    if not is_filler(source):
                        gap_ns = trio_now_ns() - began_ns if resumed else 0
                        await self._watcher.rebuilt(Rebuilt(self.mode, gap_ns, first=not resumed))
                source = await self._until_change(current)
        finally:
            self.pipeline = None
            with trio.CancelScope(shield=True):  # as bounded as what it waits for: a tenth of a second
                async with self._turn:
                    try:
                        if upcoming is not None:
                            await stop_threads(upcoming)
                    finally:
                        if current is not None:
                            await stop_threads(current)

    async def _begin(self, pipeline: Pipeline, plan: VideoPlan, position: StreamPosition | None) -> None:
        await trio.to_thread.run_sync(pipeline.start, position)
        self.mode = plan.source.mode
        # What changed while it was being prepared.
        now = self._plan(plan.source)
        if now.encode != plan.encode:
            pipeline.set_bitrate(now.encode.bitrate_bps)
        if now.send != plan.send and isinstance(now.send, NativeSendPlan):
            await trio.to_thread.run_sync(pipeline.change_send, now.send)
        pipeline.set_fec_percent(self.fec_percent)
        if self._destination is not None:
            pipeline.set_destination(*self._destination)
        self.pipeline = pipeline
        self.running.set()
        for placement in pipeline.placements():
            logger.info("native %s", placement)

    async def _until_change(self, pipeline: Pipeline) -> FrameSource:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, pipeline)
            nursery.start_soon(self._tell_what_left, pipeline)
            await self._change_came.wait()
            nursery.cancel_scope.cancel()
        self._change_came = trio.Event()
        source, self._wanted = self._wanted, None
        assert source is not None
        return source

    async def _tell_what_left(self, pipeline: Pipeline) -> None:
        while True:
            await trio.lowlevel.wait_readable(pipeline.sent_fd)
            self._watcher.frames_sent(pipeline.sent_frames())

    def _plan(self, source: FrameSource) -> VideoPlan:
        encode = self._agreement.encode_plan(self.encoder_bps)
        return VideoPlan(source, encode, self._send_plan(source.mode), self._realtime)

    def _send_plan(self, mode: Mode) -> NativeSendPlan:
        # Its percentage stays that of Welcome, which bounds the blocks; the live one is set once it runs.
        return self._agreement.send_plan(
            mode, shard_bytes=self.shard_bytes, pacing=self.pacing, budget_kbps=self.budget_kbps
        )


def filler(mode: Mode) -> PreparedSource:
    """Make a source of nothing: the way to the client stands, probes can be served, no picture comes."""
    return PreparedSource(mode, ())


def is_filler(source: FrameSource | None) -> bool:
    """Tell whether this is the source of nothing."""
    return isinstance(source, PreparedSource) and not source.units


def trio_now_ns() -> int:
    """Tell the loop's time in nanoseconds."""
    return round(trio.current_time() * 1e9)
