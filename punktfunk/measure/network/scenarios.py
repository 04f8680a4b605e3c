"""Evenings that a stream may have, each run in a second: what changes of the adaptation are held to.

Each is one sentence about the network. Stored results: tests/golden/adapt_baselines.json, written anew by
scripts/adapt_baselines.py; a change of any number there is a change of behaviour that somebody has to want.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from punktfunk.measure.network.host_model import SECOND_NS, StreamSettings
from punktfunk.measure.network.link import LinkSettings
from punktfunk.measure.network.world import Outcome, simulate

_STREAM: Final = StreamSettings(
    bitrate_kbps=2500, refresh_hz=30, automatic=True, ceiling_kbps=8000, audio_kbps=96
)
_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """A stream over a link for so many seconds."""

    stream: StreamSettings
    link: LinkSettings
    duration_s: int = 45

    def run(self) -> Outcome:
        """Simulate it."""
        return simulate(self.stream, self.link, self.duration_s * SECOND_NS, seed=7)


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "wired: nothing in the way": Scenario(_STREAM, LinkSettings(), 20),
    "wall at 5 Mbit/s, shallow queue": Scenario(_STREAM, LinkSettings(rate_kbps=5000, queue_ns=40 * _MS)),
    "wall at 5 Mbit/s, half a second of queue": Scenario(
        _STREAM, LinkSettings(rate_kbps=5000, queue_ns=450 * _MS, loss_ppm=7000)
    ),
    "Wi-Fi: 1 % random loss": Scenario(_STREAM, LinkSettings(loss_ppm=10_000, jitter_ns=2 * _MS), 25),
    "Wi-Fi: 4 % random loss that no cut lessens": Scenario(_STREAM, LinkSettings(loss_ppm=40_000)),
    "bursts of eight, 1 %": Scenario(_STREAM, LinkSettings(loss_ppm=10_000, burst_packets=8), 25),
    "the link drops to a third and comes back": Scenario(
        _STREAM,
        LinkSettings(rate_kbps=8000, capacity=((12 * SECOND_NS, 2800), (24 * SECOND_NS, 8000))),
        60,
    ),
    "stalls of 120 ms every ten seconds": Scenario(
        _STREAM, LinkSettings(stall_every_ns=10 * SECOND_NS, stall_ns=120 * _MS), 30
    ),
    "an encoder that grants 4 Mbit/s": Scenario(replace(_STREAM, encoder_kbps=4000), LinkSettings(), 30),
    "a still picture, then motion": Scenario(
        replace(_STREAM, still_from_ns=5 * SECOND_NS, still_until_ns=15 * SECOND_NS), LinkSettings(), 30
    ),
    "an encoder that takes invalidations, 2 % loss in bursts": Scenario(
        replace(_STREAM, can_invalidate=True), LinkSettings(loss_ppm=20_000, burst_packets=6), 25
    ),
}


def summary(outcome: Outcome) -> dict[str, Any]:
    """Give what is stored of a run: counts, latencies, and the rate of every window."""
    return {
        "frames": outcome.sent_frames,
        "lost": outcome.lost_frames,
        "recovered": outcome.recovered_frames,
        "freezes": outcome.freezes,
        "frozen_ms": outcome.frozen_ns // _MS,
        "key_frames": outcome.key_frames,
        "packets": outcome.sent_packets,
        "parity_packets": outcome.parity_packets,
        "p50_us": outcome.latency_ns(0.5) // 1000,
        "p99_us": outcome.latency_ns(0.99) // 1000,
        "kbps": [window.budget_kbps for window in outcome.windows],
        "fec_percent": [window.fec_percent for window in outcome.windows],
    }
