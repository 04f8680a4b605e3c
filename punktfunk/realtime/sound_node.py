"""pf-node: keeps one node of ours in a sound server, however often the server goes and comes back.

    asked for -> there -> server gone -> tried once a second -> there again ... stop

Samples pass through rings, so that nobody who plays or records ever waits for the server. Control hears of
every change by ``event_fd`` and reads ``state``.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import RealtimePlan, SoundNodePlan, SoundRole, SoundServerKind
from punktfunk.realtime.audio import AUDIO_PRIORITY
from punktfunk.realtime.bells import open_bells
from punktfunk.realtime.capture.sample_ring import CushionedRing, SampleRing
from punktfunk.realtime.thread import Failures, Placement, Worker, join_all, promote

if TYPE_CHECKING:
    from punktfunk.realtime.capture.live import LiveSound

RETRY_NS: Final = 1_000_000_000
SERVER_HINT: Final = (
    "Install and start PipeWire with WirePlumber (systemctl --user start pipewire wireplumber): the packages "
    "have these names in every distribution."
)


class NodeState(NamedTuple):
    """How a node fares."""

    server: SoundServerKind | None = None
    """Where it is; None: nowhere."""
    generation: int = 0
    """Grows each time the node is made."""
    problem: str = ""
    """Why it is not there."""
    hint: str = ""


class Visit(Protocol):
    """One connection to a sound server, with the node in it."""

    server: SoundServerKind

    def serve(self, wake_fd: int, is_there: Callable[[], None]) -> None:
        """Serve until ``wake_fd`` is readable; call ``is_there`` once the node is usable.

        Raises EnvironmentProblem where the server refuses or goes.
        """

    @property
    def short_count(self) -> int:
        """Samples that were asked for and not there."""


MakeVisit = Callable[[SoundNodePlan, Sequence[SampleRing]], Visit]


class SoundNode:
    """One node and the ring behind it. Every method is called by control, from one thread at a time."""

    def __init__(
        self,
        plan: SoundNodePlan,
        more_rings: Sequence[SampleRing] = (),
        make_visit: "MakeVisit | None" = None,
    ) -> None:
        self.plan = plan
        kind = CushionedRing if plan.role is SoundRole.PLAYBACK else SampleRing
        self.ring = kind(plan.channel_count, plan.rate_hz)
        self._rings = (self.ring, *more_rings)
        self._make_visit = make_visit or find_server
        self._visit: Visit | None = None
        self._stop = threading.Event()
        failures_fd, self._wake_fd, self.event_fd = open_bells(3)
        self._failures = Failures(failures_fd)
        self._worker = Worker("pf-node", self._run, self._failures, self._ring_bell)
        self._state = NodeState()
        self._live: LiveSound | None = None
        self._stopped = False
        self.is_started = False

    def aim(self, target: str) -> None:
        """Say which sink a playback plays on, before it is started."""
        self.plan = replace(self.plan, target=target)

    def start(self) -> Placement:
        """Start the thread. It makes the node, or tells by ``state`` why it cannot."""
        self.is_started = True
        self._worker.start()
        return promote("pf-node", self._worker.native_id, RealtimePlan(None, AUDIO_PRIORITY))

    def stop(self, join_ns: int) -> None:
        """End node and thread within ``join_ns``. May be called again."""
        if self._stopped:
            return
        self._stop.set()
        os.eventfd_write(self._wake_fd, 1)
        join_all([self._worker], join_ns)
        self._stopped = True
        self._failures.close()
        os.close(self._wake_fd)
        os.close(self.event_fd)

    def state(self) -> NodeState:
        """Tell how it fares and empty ``event_fd``; PipelineFailed if the thread died."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.event_fd)
        failure = self.failure()
        if failure is not None:
            raise failure
        return self._state

    def failure(self) -> PipelineFailed | None:
        """Why the thread died, None while it has not."""
        return self._failures.first()

    def packets(self, bits: int = 16) -> "LiveSound":
        """Read the sound of a sink in packets; for one thread."""
        from punktfunk.realtime.capture.live import LiveSound

        self._live = LiveSound(self.ring, bits)
        return self._live

    def counters(self) -> dict[str, int]:
        """Count samples that nobody took in time, samples that were missing, and how often it was made.

        ``delay_us`` is how old a packet's first sample is when the packet is made; ``filled`` are packets
        with silence for samples that did not come.
        """
        return {
            "delay_us": self._live.delay_ns() // 1000 if self._live is not None else 0,
            "filled": self._live.filled_count if self._live is not None else 0,
            "node_dropped": self.ring.dropped_count,
            "node_short": self._visit.short_count if self._visit is not None else 0,
            "node_generation": self._state.generation,
        }

    def _ring_bell(self) -> None:
        if not self._stopped:
            os.eventfd_write(self.event_fd, 1)

    def _tell(self, state: NodeState) -> None:
        """Tell control what it does not know yet."""
        if state != self._state:
            self._state = state
            self._ring_bell()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                visit = self._visit = self._make_visit(self.plan, self._rings)
                visit.serve(self._wake_fd, partial(self._note_there, visit.server))
            except EnvironmentProblem as problem:
                self._tell(NodeState(None, self._state.generation, str(problem), problem.hint))
            self._stop.wait(RETRY_NS / 1e9)

    def _note_there(self, server: SoundServerKind) -> None:
        self._tell(NodeState(server, self._state.generation + 1))


def find_server(plan: SoundNodePlan, rings: Sequence[SampleRing]) -> Visit:
    """Find the server that programs play into; EnvironmentProblem where none listens.

    PipeWire may be there for pictures only, beside PulseAudio for sound, as in Ubuntu 22.04.
    """
    from punktfunk.realtime.pulse.defaults import is_genuine

    if plan.pulse_path and Path(plan.pulse_path).is_socket() and is_genuine(plan.pulse_path):
        from punktfunk.realtime.pulse.visit import PulseVisit

        return PulseVisit(plan, rings)
    if Path(plan.pipewire_path).is_socket():
        return PipeWireVisit(plan, rings)
    also = f" or {plan.pulse_path}" if plan.pulse_path else ""
    raise EnvironmentProblem(f"no sound server listens on {plan.pipewire_path}{also}", hint=SERVER_HINT)


class PipeWireVisit:
    """One connection to a PipeWire daemon."""

    server = SoundServerKind.PIPEWIRE

    def __init__(self, plan: SoundNodePlan, rings: Sequence[SampleRing]) -> None:
        self._plan = plan
        self._rings = rings
        self.short_count = 0

    def serve(self, wake_fd: int, is_there: Callable[[], None]) -> None:
        """See ``Visit``."""
        from punktfunk.realtime.pipewire.core import Core
        from punktfunk.realtime.pipewire.loop import Loop
        from punktfunk.realtime.pipewire.sound_nodes import SoundStream
        from punktfunk.realtime.pipewire.stream import State

        with Loop() as loop, Core(loop, self._plan.pipewire_path) as core:
            stream = SoundStream(core, self._plan, self._rings)
            try:
                told = False
                while not loop.pump(time.monotonic_ns() + RETRY_NS, wake_fd):
                    core.check()
                    self.short_count = stream.short_count
                    if stream.state is State.ERROR:
                        raise EnvironmentProblem(f"PipeWire ended {self._plan.name}: {stream.error}")
                    if not told and stream.state >= State.PAUSED:
                        told = True
                        is_there()
            finally:
                stream.close()
