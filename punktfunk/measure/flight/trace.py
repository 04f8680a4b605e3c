"""A recording as Chrome's trace events, which ui.perfetto.dev and chrome://tracing show.

Host and client are processes with a track for each thread, the network is one too. Times are
microseconds from the first frame's capture. Format: "Trace Event Format": complete events (``ph`` X),
instants (i), metadata (M), and flows (s, f) from sending to receiving.
"""

from collections.abc import Sequence
from typing import Any, Final

from punktfunk.measure.flight.causes import Findings
from punktfunk.measure.flight.timeline import Flight

_HOST, _NETWORK, _CLIENT = 1, 2, 3
_TRACKS: Final = (
    # process, track, its name, what a slice is called, from, to
    (_HOST, 1, "pf-encode", "wait for the encoder", "captured", "begun"),
    (_HOST, 1, "pf-encode", "encode", "begun", "encoded"),
    (_HOST, 2, "pf-send", "queue", "encoded", "first_sent"),
    (_HOST, 2, "pf-send", "send", "first_sent", "last_sent"),
    (_NETWORK, 3, "first packet", "first packet", "first_sent", "first_received"),
    (_CLIENT, 4, "pf-receive", "receive", "first_received", "complete"),
    (_CLIENT, 5, "decode thread", "wait for the decoder", "complete", "taken"),
    (_CLIENT, 5, "decode thread", "decode", "taken", "decoded"),
    (_CLIENT, 6, "present", "present", "decoded", "presented"),
)
_PROCESSES: Final = {_HOST: "punktfunk host", _NETWORK: "network", _CLIENT: "punktfunk client"}
_LANES: Final = 4
"""Frames that overlap on a track get lanes of their own: viewers want slices nested or apart."""


def trace(flights: Sequence[Flight], findings: Findings) -> dict[str, Any]:
    """Make the trace; late frames are marked with their cause."""
    events: list[dict[str, Any]] = []
    origin_ns = min((flight.stamps.get("captured", flight.pts_ns) for flight in flights), default=0)
    causes = {late.flight.pts_ns: late for late in findings.frames if late.over_ns > findings.limit_ns}
    used: dict[tuple[int, int], str] = {}
    for number, flight in enumerate(flights):
        lane = number % _LANES
        late = causes.get(flight.pts_ns)
        for process, track, track_name, name, begin, end in _TRACKS:
            span_ns = flight.span_ns(begin, end)
            if span_ns is None or span_ns < 0:
                continue
            thread = track * 10 + lane
            used[process, thread] = f"{track_name} {lane + 1}"
            events.append(
                {
                    "name": name,
                    "cat": "frame",
                    "ph": "X",
                    "pid": process,
                    "tid": thread,
                    "ts": (flight.stamps[begin] - origin_ns) / 1000,
                    "dur": span_ns / 1000,
                    "args": _facts(flight),
                }
            )
        if late is not None:
            events.append(
                {
                    "name": f"late: {late.cause}",
                    "cat": "late",
                    "ph": "i",
                    "s": "g",
                    "pid": _HOST,
                    "tid": 10 + lane,
                    "ts": (max(flight.stamps.values()) - origin_ns) / 1000,
                    "args": {"why": late.words, "over_ms": late.over_ns / 1e6} | _facts(flight),
                }
            )
        events += _flow(flight, number, lane, origin_ns)
    return {"traceEvents": [*_metadata(used), *events], "displayTimeUnit": "ms"}


def _facts(flight: Flight) -> dict[str, Any]:
    return {"pts_ns": str(flight.pts_ns)} | flight.facts


def _flow(flight: Flight, number: int, lane: int, origin_ns: int) -> list[dict[str, Any]]:
    """Draw an arrow from the sending slice to the receiving one."""
    if "first_sent" not in flight.stamps or "first_received" not in flight.stamps:
        return []
    ends = ((_HOST, 20 + lane, "s", "first_sent"), (_CLIENT, 40 + lane, "f", "first_received"))
    return [
        {
            "name": "frame",
            "cat": "flow",
            "ph": phase,
            "bp": "e",
            "id": number,
            "pid": process,
            "tid": thread,
            "ts": (flight.stamps[stamp] - origin_ns) / 1000,
        }
        for process, thread, phase, stamp in ends
    ]


def _metadata(used: dict[tuple[int, int], str]) -> list[dict[str, Any]]:
    named = [
        {"name": "process_name", "ph": "M", "pid": process, "tid": 0, "args": {"name": _PROCESSES[process]}}
        for process in sorted({process for process, _ in used})
    ]
    return named + [
        {"name": "thread_name", "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}
        for (process, thread), name in sorted(used.items())
    ]
