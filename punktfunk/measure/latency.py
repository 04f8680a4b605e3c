"""How old frames are at every stage, from the moment of capture; what was late, twice or not at all.

    stage         when
    ------------  ------------------------------------------------------------------------
    sent          the host's last packet left (its own clock, tag CF)
    first packet  the first packet came
    reassembled   the last one that was needed came
    decoded       the picture was there
    presented     the picture was on the screen, where a window shows it

Capture is the frame's stamp, moved to this machine's clock (punktfunk-1 section 2.8): right to about half of
what both directions of the network differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Final

from punktfunk.control.client.headless import Take
from punktfunk.measure.verification import lost_frames

MOST_NS: Final = 10_000_000_000
STALL_INTERVALS: Final = 2.5
"""A gap of so many frame intervals is a stall that people see."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Age of frames at one stage, in ns. ``count`` frames were stamped there."""

    name: str
    count: int
    p50_ns: int
    p99_ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class Cadence:
    """How evenly frames came at the last stage that was reached. Times in ns."""

    interval_ns: int  # of the mode
    p50_ns: int
    p99_ns: int
    max_ns: int
    stalls: int


@dataclass(frozen=True, slots=True)
class Latency:
    """What a probe found."""

    host: str
    mode: str
    codec: str
    clock_known: bool
    frames: int
    lost: int
    repeated: int
    duplicates: int
    stages: tuple[Stage, ...]
    cadence: Cadence | None
    clock_rtt_ns: int

    def as_json(self) -> dict[str, object]:
        """Everything, as plain values."""
        return asdict(self)


def percentile(ordered: Sequence[int], share: float) -> int:
    """Give the value that ``share`` (0 to 1) of an ordered sequence does not exceed."""
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1))]


def summary(name: str, ages_ns: Sequence[int]) -> Stage | None:
    """Summarise one stage; ages outside 0 to 10 s are no measurements."""
    ordered = sorted(age for age in ages_ns if 0 <= age <= MOST_NS)
    if not ordered:
        return None
    return Stage(name, len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.99), ordered[-1])


STAGES: Final = ("sent", "first packet", "reassembled", "decoded", "presented")


def aged_frames(take: Take, presented: Mapping[int, int] | None = None) -> dict[str, list[tuple[int, int]]]:
    """Give place and age in ns of every frame that reached a stage.

    ``presented`` has CLOCK_MONOTONIC by frame index.
    """
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in STAGES}
    for place, row in enumerate(take.rows):
        captured_ns = take.capture_ns(row.pts_ns)
        timing = take.timings.get(row.pts_ns)
        reached = (
            captured_ns + timing.host_us * 1000 if timing is not None else 0,
            row.first_ns,
            row.complete_ns,
            row.decoded_ns,
            (presented or {}).get(row.frame_index, 0),
        )
        for name, at_ns in zip(STAGES, reached, strict=True):
            if at_ns:
                found[name].append((place, at_ns - captured_ns))
    return found


def judge(take: Take, presented: Mapping[int, int] | None = None) -> Latency:
    """Summarise a take."""
    aged = aged_frames(take, presented)
    stages = (summary(name, [age for _, age in found]) for name, found in aged.items())
    numbers = [row.number for row in take.rows if row.number is not None]
    return Latency(
        host=take.host,
        mode=str(take.mode),
        codec=take.codec,
        clock_known=take.clock_known,
        frames=len(take.rows),
        lost=lost_frames(take.rows),
        repeated=sum(row.is_repeat for row in take.rows),
        duplicates=sum(one == other for one, other in pairwise(numbers)),
        stages=tuple(stage for stage in stages if stage is not None),
        cadence=cadence(take, presented),
        clock_rtt_ns=int(take.statistics.get("clock_rtt_ns", 0)),
    )


def cadence(take: Take, presented: Mapping[int, int] | None = None) -> Cadence | None:
    """Say how evenly pictures came: on the screen, else from the decoder, else from the network."""
    times = sorted((presented or {}).values()) or [row.decoded_ns for row in take.rows if row.decoded_ns]
    times = times or [row.complete_ns for row in take.rows]
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    if not gaps:
        return None
    interval_ns = take.mode.frame_interval_ns
    stalls = sum(gap > STALL_INTERVALS * interval_ns for gap in gaps)
    return Cadence(interval_ns, percentile(gaps, 0.5), percentile(gaps, 0.99), gaps[-1], stalls)


def table(found: Latency) -> str:
    """Write it for people."""
    lines = [
        (
            f"{found.host}: {found.mode} {found.codec}, {found.frames} frames, {found.lost} lost, "
            f"{found.duplicates} twice"
        ),
        "",
        f"{'from capture to':<16}{'p50':>10}{'p99':>10}{'max':>10}{'frames':>9}",
    ]
    lines += [
        f"{stage.name:<16}{_ms(stage.p50_ns):>10}{_ms(stage.p99_ns):>10}{_ms(stage.max_ns):>10}{stage.count:>9}"
        for stage in found.stages
    ]
    if found.cadence is not None:
        cadence_ = found.cadence
        lines += [
            "",
            (
                f"{'between frames':<16}{_ms(cadence_.p50_ns):>10}{_ms(cadence_.p99_ns):>10}"
                f"{_ms(cadence_.max_ns):>10}   {cadence_.stalls} stalls"
            ),
        ]
    if found.clock_known:
        lines.append(f"clocks agree to about {_ms(found.clock_rtt_ns // 2)}")
    else:
        lines.append("the host answered no clock round: ages assume that both machines share a clock")
    return "\n".join(lines)


def _ms(value_ns: int) -> str:
    return f"{value_ns / 1e6:.2f} ms"
