"""Why a frame was late: the stage that took longer than it usually does, and what can be known of the reason.

    stage         from            to              longer because
    ------------  --------------  --------------  ------------------------------------------------------------
    capture       last captured   captured        the compositor gave no picture
    encode wait   captured        begun           the encoder had the frame before, or its thread slept on
    encode        begun           encoded         the encoder
    queue         encoded         first sent      the frame before was still leaving, or pf-send slept on
    send          first sent      last sent       parity, sealing, pacing, the socket
    network       first sent      first received  the way, and queues on it
    reassembly    (first received to complete, less send): packets late, out of order, or restored by parity
    decode wait   complete        taken           the decoder had the frame before, or its thread slept on
    decode        taken           decoded         the decoder
    present       decoded         presented       the display's cadence, the jitter buffer

What a stage usually takes is its median over the recording. A frame's cause is the stage with the largest
excess. Without a client's recording there are the host's stages only; without a host's, the way from the
capture to the first packet is one stage, ``host and network``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from punktfunk.measure.flight.timeline import Flight

STAGES: Final = (
    "capture", "encode wait", "encode", "queue", "send", "host and network", "network", "reassembly",
    "decode wait", "decode", "present",
)  # fmt: skip
_SPANS: Final = {
    "encode wait": ("captured", "begun"),
    "encode": ("begun", "encoded"),
    "queue": ("encoded", "first_sent"),
    "send": ("first_sent", "last_sent"),
    "network": ("first_sent", "first_received"),
    "decode wait": ("complete", "taken"),
    "decode": ("taken", "decoded"),
    "present": ("decoded", "presented"),
}
SCHEDULING: Final = "scheduling"
LOST: Final = "lost"
_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Late:
    """A frame, how long it took beyond the usual, and why."""

    flight: Flight
    total_ns: int
    over_ns: int
    cause: str
    words: str
    stages_ns: dict[str, int]


@dataclass(frozen=True, slots=True)
class Findings:
    """All frames judged. ``usual_ns`` are the medians; ``tally`` counts causes of frames over the limit."""

    frames: list[Late]
    usual_ns: dict[str, int]
    usual_total_ns: int
    limit_ns: int
    tally: Counter[str]
    lost_count: int

    def worst(self, count: int) -> list[Late]:
        """Return the latest frames, worst first."""
        return sorted(self.frames, key=lambda late: (-late.over_ns, late.flight.pts_ns))[:count]


def judge(flights: Sequence[Flight], limit_ns: int | None = None) -> Findings:
    """Name the cause of each frame's lateness. ``limit_ns`` is what counts as late: half a frame interval."""
    whole, lost = _split(flights)
    # The frame before may be one that was lost: it was captured and sent all the same.
    earlier = {flight.pts_ns: before for before, flight in pairwise(flights)}
    stages = [_stages(flight, earlier.get(flight.pts_ns)) for flight in whole]
    if any("captured" in flight.stamps for flight in whole):
        for found in stages:  # a single frame that the host's recording lacks says nothing by itself
            found.pop("host and network", None)
    usual = {
        name: int(median(values))
        for name in STAGES
        if (values := [found[name] for found in stages if name in found])
    }
    totals = [flight.total_ns for flight in whole]
    usual_total = int(median(totals)) if totals else 0
    limit = max(_MS, usual.get("capture", 0) // 2) if limit_ns is None else limit_ns
    frames = []
    for flight, found in zip(whole, stages, strict=True):
        before = earlier.get(flight.pts_ns)
        excess = {name: found[name] - usual[name] for name in found}
        cause = max(excess, key=lambda name: (excess[name], name), default="capture")
        late_capture_ns = max(0, excess.get("capture", 0))
        over_ns = max(0, flight.total_ns - usual_total) + late_capture_ns
        frames.append(Late(flight, flight.total_ns, over_ns, *_explain(cause, flight, before, excess), found))
    tally = Counter(late.cause for late in frames if late.over_ns > limit)
    if lost:
        tally[LOST] = len(lost)
    return Findings(frames, usual, usual_total, limit, tally, len(lost))


def _split(flights: Sequence[Flight]) -> tuple[list[Flight], list[Flight]]:
    """Leave out frames that never came to the client, of the time that its recording covers."""
    seen = [flight.pts_ns for flight in flights if "complete" in flight.stamps]
    if not seen or not any("last_sent" in flight.stamps for flight in flights):
        return list(flights), []
    covered = [flight for flight in flights if seen[0] <= flight.pts_ns <= seen[-1]]
    return (
        [flight for flight in covered if "complete" in flight.stamps],
        [flight for flight in covered if "complete" not in flight.stamps],
    )


def _stages(flight: Flight, before: Flight | None) -> dict[str, int]:
    found = {}
    for name, (begin, end) in _SPANS.items():
        if (span_ns := flight.span_ns(begin, end)) is not None:
            found[name] = span_ns
    receiving, sending = (
        flight.span_ns("first_received", "complete"),
        flight.span_ns("first_sent", "last_sent"),
    )
    if receiving is not None:
        found["reassembly"] = receiving - (sending or 0)
    if "captured" not in flight.stamps and "first_received" in flight.stamps:
        found["host and network"] = flight.stamps["first_received"] - flight.pts_ns
    if before is not None:
        found["capture"] = _captured_ns(flight) - _captured_ns(before)
    return found


def _captured_ns(flight: Flight) -> int:
    return flight.stamps.get("captured", flight.pts_ns)


def _explain(cause: str, flight: Flight, before: Flight | None, excess: dict[str, int]) -> tuple[str, str]:
    """Give the cause's name and a sentence."""
    late = f"{excess.get(cause, 0) / _MS:.1f} ms longer than usual"
    facts, earlier = flight.facts, before.stamps if before is not None else {}
    size = f"{facts['frame_bytes'] / 1000:.1f} kB" if facts.get("frame_bytes") else "this frame"
    waits = {
        "encode wait": ("captured", "encoded", "the encoder still had the frame before", "pf-encode"),
        "queue": ("encoded", "last_sent", "the frame before was still leaving", "pf-send"),
        "decode wait": ("complete", "decoded", "the decoder still had the frame before", "the decode thread"),
    }
    if cause in waits:
        mine, theirs, busy, thread = waits[cause]
        if earlier.get(theirs, 0) > flight.stamps[mine]:
            return cause, f"{busy}: {late}"
        cpu = facts.get("send_cpu" if cause == "queue" else "decode_cpu", -1)
        where = f" (CPU {cpu})" if cpu >= 0 and cause != "encode wait" else ""
        return SCHEDULING, f"{thread}{where} was not run though it had work: {late}"
    recovered = facts.get("recovered", 0)
    sentences = {
        "capture": f"no picture came for {excess.get('capture', 0) / _MS:.1f} ms more than usual",
        "encode": f"the encoder took {late} over {size}",
        "send": f"parity, sealing and pacing of {facts.get('packets', 0)} packets took {late}",
        "network": f"the first packet was {late} on the way",
        "host and network": f"the first packet came {late} after the capture",
        "decode": f"decoding took {late}",
        "present": f"the picture waited for the display {late}",
    }
    if cause == "reassembly":
        lost = f"{recovered} lost packets had to wait for their parity" if recovered else "packets came late"
        return cause, f"{lost}: {late}"
    return cause, sentences[cause]
