"""Bursts of filler that show what the link carries: by hand, and to find a session's bitrate.

What follows from a result is decided by ``control.adapt.ramp``. Source: punktfunk-1 sections 2.5 and 2.9.
"""

import time
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.adapt.ramp import (
    BURST_DELAY_NS,
    QUIET_NS,
    BringUpRamp,
    ProbeAsk,
    ProbeOutcome,
    Proven,
    burst_ask,
    judge_burst,
)
from punktfunk.wire.native.capabilities import HostCap2, VideoCap
from punktfunk.wire.native.control import LinkReport, ProbeRequest, ProbeResult

if TYPE_CHECKING:
    from punktfunk.control.client.session import ClientSession

_NS_PER_S: Final = 1_000_000_000
PATIENCE_S: Final = 6.0
STEP_PATIENCE_S: Final = 1.5
_SETTLING_MOST: Final = 50


async def probe(
    session: "ClientSession", ask: ProbeAsk, patience_s: float = PATIENCE_S
) -> ProbeOutcome | None:
    """Run one burst; None if the host never answered."""
    async with session.probing:
        before = session.video.counters()
        duration_ns = ask.duration_ms * 1_000_000
        session.video.open_probe()
        session.frames.windows(lambda windows: windows.begin_probe(duration_ns, time.monotonic_ns()))
        answered = session.await_probe()
        session.post(ProbeRequest(ask.target_kbps, ask.duration_ms))
        result: ProbeResult | None = None
        with trio.move_on_after(ask.duration_ms / 1000 + patience_s):
            result = await answered.receive()
        if result is not None and result.units_sent:
            await _settle(session)
        totals = session.totals()
        session.frames.windows(lambda windows: windows.end_probe(totals, time.monotonic_ns()))
    if result is None:
        return None
    after = session.video.counters()
    first_ns, last_ns = session.video.probe_window_ns()
    return ProbeOutcome(
        sent_bytes=result.bytes_sent,
        sent_count=result.packets_sent,
        sent_ms=result.duration_ms,
        send_dropped_count=result.packets_dropped,
        received_bytes=after["probe_bytes"] - before["probe_bytes"],
        received_count=after["probe_packets"] - before["probe_packets"],
        arrival_ns=max(0, last_ns - first_ns),
    )


async def _settle(session: "ClientSession") -> None:
    """Wait until no more filler arrives: the result travels by QUIC and may overtake it."""
    count = -1
    for _ in range(_SETTLING_MOST):
        now_count = session.video.counters()["probe_packets"]
        if now_count == count:
            return
        count = now_count
        await trio.sleep(QUIET_NS / _NS_PER_S)


async def find_bitrate(session: "ClientSession") -> None:
    """Find out what the link carries: a ramp before the first frame, or one burst two seconds in."""
    automatic = session.automatic
    if automatic is None or not session.options.video_caps & VideoCap.PROBE_SEQUENCE:
        return
    if session.welcome.host_caps2 & HostCap2.BRING_UP_RAMP:
        proven = await _ramp(session)
        if proven.kbps:
            session.post(LinkReport(proven.kbps))
    else:
        await trio.sleep(BURST_DELAY_NS / _NS_PER_S)
        outcome = await probe(session, burst_ask(automatic.ceiling_kbps))
        found = None if outcome is None else judge_burst(outcome)
        if found is None:
            return
        proven = found
    session.ask_bitrate(automatic.on_measured(proven.ceiling_kbps, proven.start_kbps, time.monotonic_ns()))


async def _ramp(session: "ClientSession") -> Proven:
    assert session.automatic is not None
    ramp = BringUpRamp(session.automatic.ceiling_kbps)
    while ramp.result is None:
        if session.video.counters()["frames"]:
            ramp.on_video()
            break
        ask = ramp.next_ask(time.monotonic_ns())
        assert ask is not None
        outcome = await probe(session, ask, STEP_PATIENCE_S)
        if outcome is None:
            ramp.on_video()
        else:
            ramp.on_outcome(outcome)
    assert ramp.result is not None
    return ramp.result
