"""How a client finds out what a link carries, before the first frame and beside it.

A host with caps 2 bit 10 serves probes while its pipeline is still being built: short steps of filler, each
twice as fast as the last, cost nobody a frame. The ramp ends at the first step that the link does not deliver
(a wall), at what the stream could use, at a sender that is the limit itself, and at the first video frame.
Other hosts get one burst beside the video, two seconds in.

Of a wall 70 % becomes the ceiling: links move, Wi-Fi by a third within minutes, and what is held back is
what a stall spends instead of frames. Spec: punktfunk-1.md sections 2.5 (Probe) and 2.9.
"""

from dataclasses import dataclass
from typing import Final

STEP_MS: Final = 25
STEP_BYTES_MAX: Final = 3_000_000
FIRST_KBPS: Final = 5_000
CEILING_PERCENT: Final = 70
START_PERCENT: Final = 50
WALL_PERCENT: Final = 90
QUIET_NS: Final = 20_000_000
STEP_PATIENCE_NS: Final = 1_500_000_000
BURST_DELAY_NS: Final = 2_000_000_000
BURST_MS: Final = 800
BURST_KBPS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class ProbeAsk:
    """ProbeRequest: filler at this rate, for so long."""

    target_kbps: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """A ProbeResult beside what arrived. Sent numbers are the host's, an all-zero result refuses.

    ``received_bytes`` and ``received_count`` are whole packets; ``arrival_ns`` from the first to the last.
    """

    sent_bytes: int
    sent_count: int
    sent_ms: int
    send_dropped_count: int
    received_bytes: int
    received_count: int
    arrival_ns: int

    @property
    def refused(self) -> bool:
        """Whether the host declined the probe."""
        return not (self.sent_count or self.sent_bytes or self.sent_ms)

    @property
    def received_kbps(self) -> int:
        """Throughput over the arrivals; 0 where fewer than two packets came."""
        return self.received_bytes * 8_000_000 // self.arrival_ns if self.arrival_ns > 0 else 0

    @property
    def loss_ppm(self) -> int:
        """Share of what the host's kernel took that did not arrive."""
        lost = max(0, self.sent_count - self.received_count)
        return lost * 1_000_000 // self.sent_count if self.sent_count else 0


@dataclass(frozen=True, slots=True)
class Proven:
    """What a measurement showed: so much arrived; ``wall`` says that more would not have."""

    kbps: int
    wall: bool

    @property
    def ceiling_kbps(self) -> int | None:
        """Rate that a session should not pass; None where no limit was met."""
        return self.kbps * CEILING_PERCENT // 100 if self.wall else None

    @property
    def start_kbps(self) -> int:
        """Rate to begin with."""
        return self.kbps * START_PERCENT // 100


def step_ms(target_kbps: int) -> int:
    """Tell how long a step lasts: 25 ms, less where that would be over 3 MB."""
    return min(max(STEP_BYTES_MAX * 8 // max(target_kbps, 1), 1), STEP_MS)


class BringUpRamp:
    """Ask for ``next_ask``, then give it the result once the arrivals fell silent for ``QUIET_NS``."""

    def __init__(self, most_kbps: int) -> None:
        self._most_kbps = max(most_kbps, FIRST_KBPS)
        self._next_kbps = FIRST_KBPS
        self._asked: ProbeAsk | None = None
        self._deadline_ns: int | None = None
        self._proven_kbps = 0
        self.result: Proven | None = None

    def next_ask(self, now_ns: int) -> ProbeAsk | None:
        """Give the step to ask for now; None while one is under way or when the ramp is over."""
        if self.result is not None or self._asked is not None:
            return None
        self._asked = ProbeAsk(self._next_kbps, step_ms(self._next_kbps))
        self._deadline_ns = now_ns + STEP_PATIENCE_NS
        return self._asked

    def on_outcome(self, outcome: ProbeOutcome) -> None:
        """Judge the step under way."""
        asked, self._asked, self._deadline_ns = self._asked, None, None
        if asked is None or self.result is not None:
            return
        if outcome.refused or outcome.received_count < 2 or not outcome.received_kbps:
            self._end(self._proven_kbps, wall=False)
            return
        asked_bytes = asked.target_kbps * asked.duration_ms // 8
        sender_short = outcome.send_dropped_count > 0 or outcome.sent_bytes * 100 < asked_bytes * 90
        if sender_short:
            self._end(max(self._proven_kbps, outcome.received_kbps), wall=False)
        elif self._is_wall(outcome):
            self._end(outcome.received_kbps, wall=True)
        else:
            self._proven_kbps = outcome.received_kbps
            if asked.target_kbps >= self._most_kbps:
                self._end(self._proven_kbps, wall=False)
            self._next_kbps = min(asked.target_kbps * 2, self._most_kbps)

    def on_video(self) -> None:
        """Stop at the first frame: filler would cost pictures from here on."""
        if self.result is None:
            self._end(self._proven_kbps, wall=False)

    def tick(self, now_ns: int) -> None:
        """End the ramp where a step's result does not come."""
        if self._deadline_ns is not None and now_ns >= self._deadline_ns:
            self.on_video()

    def deadline_ns(self) -> int | None:
        """When ``tick`` has something to do."""
        return self._deadline_ns

    @staticmethod
    def _is_wall(outcome: ProbeOutcome) -> bool:
        """Whether packets came 10 % slower than they left: a queue stretches arrivals, loss thins them."""
        arrival_ms_ns = outcome.arrival_ns
        sent_ns = outcome.sent_ms * 1_000_000
        return outcome.received_count * sent_ns * 100 < outcome.sent_count * arrival_ms_ns * WALL_PERCENT

    def _end(self, kbps: int, *, wall: bool) -> None:
        self.result, self._asked, self._deadline_ns = Proven(kbps, wall), None, None


def burst_ask(most_kbps: int) -> ProbeAsk:
    """Give the burst for a host without the ramp: 2 Gbit/s, less where the stream could not use half."""
    return ProbeAsk(min(BURST_KBPS, 2 * most_kbps), BURST_MS)


def judge_burst(outcome: ProbeOutcome) -> Proven | None:
    """Read the burst's result: always a wall, as it asks for more than anybody needs; None if refused."""
    return None if outcome.refused or not outcome.received_kbps else Proven(outcome.received_kbps, wall=True)
