"""Runs the cases of a sweep, one after another, and says what each did to the stream."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from punktfunk.measure.network.host_model import SECOND_NS
from punktfunk.measure.network.options import Case, LossOptions
from punktfunk.measure.network.world import Outcome, simulate

Note = Callable[[int, int, str], None]
"""(step, of how many, what it is): called before each case."""

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class LossRow:
    """What one case did. Times in milliseconds; ``added`` is against the same network without its faults."""

    case: str
    loss_percent: float
    burst: int
    reorder_percent: float
    jitter_ms: float
    rate_kbps: int
    parity: str
    frames: int
    lost_frames: int
    recovered_frames: int
    freezes: int
    frozen_ms: float
    packets: int
    lost_packets: int
    late_shards: int
    parity_percent: float
    p50_ms: float
    p99_ms: float
    added_p50_ms: float
    added_p99_ms: float
    last_kbps: int
    corrupt_frames: int = 0

    @property
    def lost_percent(self) -> float:
        """Share of frames that never came whole."""
        return 100 * self.lost_frames / self.frames if self.frames else 0.0

    def as_json(self) -> dict[str, Any]:
        """All fields, and the share of lost frames."""
        fields = {name: getattr(self, name) for name in type(self).__slots__}
        return fields | {"lost_percent": round(self.lost_percent, 4)}


class Trial(Protocol):
    """One way to send a stream through a network."""

    def __call__(self, options: LossOptions, case: Case) -> Outcome:
        """Send it for ``options.seconds``."""


def by_model(options: LossOptions, case: Case) -> Outcome:
    """Simulate a case: exact and repeatable."""
    return simulate(options.stream(case), case.link, round(options.seconds * SECOND_NS), options.seed)


def sweep(options: LossOptions, trial: Trial, note: Note) -> Iterator[LossRow]:
    """Run every case; clean ones that latency is compared with are run once for each network."""
    cases = list(options.cases())
    references: dict[Case, Outcome] = {}
    for step, case in enumerate(cases):
        note(step, len(cases), case.words())
        if case.clean not in references:
            references[case.clean] = trial(options, case.clean)
        same = case == case.clean
        outcome = references[case.clean] if same else trial(options, case)
        yield make_row(case, outcome, references[case.clean])


def make_row(case: Case, outcome: Outcome, clean: Outcome) -> LossRow:
    """Put an outcome into the words of the report."""
    link = case.link
    p50, p99 = (outcome.latency_ns(share) / _NS_PER_MS for share in (0.5, 0.99))
    clean50, clean99 = (clean.latency_ns(share) / _NS_PER_MS for share in (0.5, 0.99))
    return LossRow(
        case=case.words(),
        loss_percent=link.loss_ppm / 10_000,
        burst=link.burst_packets,
        reorder_percent=link.reorder_ppm / 10_000,
        jitter_ms=link.jitter_ns / _NS_PER_MS,
        rate_kbps=link.rate_kbps,
        parity="adaptive" if case.fec_percent is None else f"{case.fec_percent} %",
        frames=outcome.sent_frames,
        lost_frames=outcome.lost_frames,
        recovered_frames=outcome.recovered_frames,
        freezes=outcome.freezes,
        frozen_ms=round(outcome.frozen_ns / _NS_PER_MS, 1),
        packets=outcome.sent_packets,
        lost_packets=outcome.lost_packets,
        late_shards=outcome.late_shards,
        parity_percent=round(100 * outcome.parity_share, 1),
        p50_ms=round(p50, 2),
        p99_ms=round(p99, 2),
        added_p50_ms=round(p50 - clean50, 2),
        added_p99_ms=round(p99 - clean99, 2),
        last_kbps=outcome.last_kbps,
        corrupt_frames=outcome.corrupt_frames,
    )
