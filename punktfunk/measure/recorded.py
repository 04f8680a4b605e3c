"""What a recording of test cards tells: how evenly pictures changed, and glass to glass where two are seen.

With two cards in one picture (the host's own screen and the client's, or two clients') the difference of what
their barcodes say is the latency between both screens, to about one frame of each. No clock takes part in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from punktfunk.measure.latency import Stage, percentile, summary
from punktfunk.realtime import RecordedPicture


@dataclass(frozen=True, slots=True)
class Card:
    """One test card of a recording. Times in ns between changes of its picture."""

    pictures: int  # of the recording
    unreadable: int
    changes: int
    skipped: int  # numbers that were never seen
    back: int  # numbers that went back
    p50_ns: int
    p99_ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """Cards in the order in which they were named, and the age of each behind the first."""

    cards: tuple[Card, ...]
    behind: tuple[Stage | None, ...]

    def as_json(self) -> dict[str, object]:
        """Everything, as plain values."""
        return asdict(self)


def judge_recording(pictures: Iterable[RecordedPicture]) -> RecordingReport:
    """Summarise a recording."""
    seen = list(pictures)
    count = max((len(picture.stamps) for picture in seen), default=0)
    cards = tuple(_card(seen, at) for at in range(count))
    behind = tuple(_behind(seen, at) for at in range(1, count))
    return RecordingReport(cards, behind)


def _card(pictures: Sequence[RecordedPicture], at: int) -> Card:
    seen = [(picture.time_ns, picture.stamps[at]) for picture in pictures]
    read = [(time_ns, stamp.frame_number) for time_ns, stamp in seen if stamp is not None]
    changes = read[:1] + [later for earlier, later in pairwise(read) if later[1] != earlier[1]]
    steps = [later[1] - earlier[1] for earlier, later in pairwise(changes)]
    gaps = sorted(later[0] - earlier[0] for earlier, later in pairwise(changes)) or [0]
    return Card(
        pictures=len(seen),
        unreadable=len(seen) - len(read),
        changes=len(changes),
        skipped=sum(step - 1 for step in steps if step > 1),
        back=sum(step < 0 for step in steps),
        p50_ns=percentile(gaps, 0.5),
        p99_ns=percentile(gaps, 0.99),
        max_ns=gaps[-1],
    )


def _behind(pictures: Sequence[RecordedPicture], at: int) -> Stage | None:
    ages = [
        first.captured_ns - other.captured_ns
        for first, other in ((picture.stamps[0], picture.stamps[at]) for picture in pictures)
        if first is not None and other is not None
    ]
    return summary(f"card {at + 1} behind card 1", ages)


def recording_table(report: RecordingReport) -> str:
    """Write it for people."""
    lines = [line for number, card in enumerate(report.cards, 1) for line in _card_lines(number, card)]
    lines += [_stage_line(stage) for stage in report.behind if stage is not None]
    if not any(card.changes for card in report.cards):
        lines.append("no barcode could be read: say where the test card is (--at) and its mode (--mode)")
    return "\n".join(lines)


def _stage_line(stage: Stage) -> str:
    return (
        f"{stage.name}: p50 {stage.p50_ns / 1e6:.2f} ms, p99 {stage.p99_ns / 1e6:.2f} ms, "
        f"max {stage.max_ns / 1e6:.2f} ms ({stage.count} pictures)"
    )


def _card_lines(number: int, card: Card) -> tuple[str, str]:
    counts = (
        f"card {number}: {card.pictures} pictures, {card.unreadable} unreadable, {card.changes} changes, "
        f"{card.skipped} skipped, {card.back} back"
    )
    cadence = (
        f"  between changes: p50 {card.p50_ns / 1e6:.2f} ms, p99 {card.p99_ns / 1e6:.2f} ms, "
        f"max {card.max_ns / 1e6:.2f} ms"
    )
    return counts, cadence
