"""The client's automatic bitrate: one decision per report window.

Runs only where Hello asked for 0 and Welcome named a rate. Rates are wire budgets in kbit/s. Spec:
punktfunk-1.md section 2.9; the numbers below are this client's own.

    seen in a window                                   called    then
    -------------------------------------------------  --------  -------------------------------------------
    frame lost, flush, 6 % loss, 4 key-frame asks      severe    cut at once
    2 % loss, or latency 12 ms over its usual          bad       cut after two in a row
    decoder slower than the frame interval             bad       one eighth less after two in a row
    none of these                                      clean     climb: doubling first, then 6 % per 4.5 s

A cut lands on 85 % of what the link delivered where that was less than asked, else on 70 % of the rate;
never under half. After it, for up to six windows, latency that only falls is the cut's own queue draining
and no new verdict. Loss that two cuts did not lessen is the link's nature and not our doing (Wi-Fi in the
next room): then loss that parity repairs no longer counts, until the rate was clean for a while.

Where a cut found a wall, climbs stop a tenth under it, and try beyond only after a pause that doubles each
time the wall stands. An encoder that grants less than asked is held to that in the same way.
"""

from dataclasses import dataclass
from typing import Final

from punktfunk.control.adapt.report_window import WINDOW_NS, WindowSample

LEAST_KBPS: Final = 2_000
COOLDOWN_NS: Final = 1_500_000_000
SEVERE_LOSS_PPM: Final = 60_000
BAD_LOSS_PPM: Final = 20_000
SEVERE_ASKS: Final = 4
QUEUE_NS: Final = 12_000_000
BAD_WINDOWS: Final = 2
CLIMB_WINDOWS: Final = 6
DRAIN_WINDOWS: Final = 6
DRAIN_FALL_NS: Final = 3_000_000
STILL_WINDOWS: Final = 4
LATENCY_MEMORY: Final = 40
UNANSWERED_MAX: Final = 3
HOLD_WINDOWS: Final = 8
RETRY_LEAST_NS: Final = 12_000_000_000
RETRY_MOST_NS: Final = 180_000_000_000
NEED_UTILISED_PERCENT: Final = 75
PROVEN_WINDOWS: Final = 24

REASON_GRANTED, REASON_ENCODER, REASON_CADENCE, REASON_GOVERNOR, REASON_PINNED = range(5)


@dataclass(slots=True)
class Limit:
    """A rate that was found to be too much, and when to doubt it."""

    kbps: int | None = None
    doubt_ns: int = 0
    pause_ns: int = RETRY_LEAST_NS

    def meet(self, kbps: int, now_ns: int) -> None:
        """Note that the limit was met. One that stands doubles its pause."""
        again = self.kbps is not None and kbps <= self.kbps * 5 // 4
        self.pause_ns = min(self.pause_ns * 2, RETRY_MOST_NS) if again else RETRY_LEAST_NS
        self.kbps = kbps
        self.doubt_ns = now_ns + self.pause_ns

    def allowed_kbps(self, now_ns: int) -> int | None:
        """Most that a climb may ask; after the pause an eighth more than what was found."""
        if self.kbps is None:
            return None
        return self.kbps if now_ns < self.doubt_ns else self.kbps * 9 // 8

    def passed(self, kbps: int, now_ns: int) -> None:
        """Note that a rate above the limit was clean for a while: the limit moves up with it."""
        if self.kbps is not None and kbps > self.kbps:
            self.kbps = kbps
            self.doubt_ns = now_ns + self.pause_ns


class AutomaticBitrate:
    """``on_window`` gives the kbit/s to ask for by SetBitrate, or None. Requests are not assumed granted."""

    def __init__(self, start_kbps: int, refresh_hz: int, *, ceiling_kbps: int) -> None:
        self.current_kbps = start_kbps
        self.ceiling_kbps = max(ceiling_kbps, start_kbps)
        self.enabled = start_kbps > 0
        self.reason = "start"
        self._interval_ns = 1_000_000_000 // max(refresh_hz, 1)
        self._slow_start = True
        self._wall, self._encoder = Limit(), Limit()
        self._share_kbps: int | None = None
        self._latencies_ns: list[int] = []
        self._previous_latency_ns: int | None = None
        self._bad = self._clean = self._still = self._drain = self._hold = 0
        self._delivered_kbps: list[int] = []
        self._cut_loss_ppm: int | None = None
        self._fruitless_cuts = 0
        self._changed_ns: int | None = None
        self._asked_kbps: int | None = None
        self._unanswered = 0

    def on_measured(self, ceiling_kbps: int | None, start_kbps: int, now_ns: int) -> int | None:
        """Take what a ramp or burst proved; the rate to ask for at once, or None.

        Where no limit was met ``ceiling_kbps`` is None, and the mode's own ceiling stands.
        """
        if ceiling_kbps is not None:
            self.ceiling_kbps = max(min(self.ceiling_kbps, ceiling_kbps), LEAST_KBPS)
        wanted = min(start_kbps, self.ceiling_kbps)
        if not self.enabled or not start_kbps:
            return None
        if wanted > self.current_kbps * 21 // 20 or self.current_kbps > self.ceiling_kbps:
            return self._ask(max(wanted, LEAST_KBPS), now_ns, "measured")
        return None

    def on_bitrate_changed(self, kbps: int, reason: int | None, now_ns: int) -> None:
        """Take a BitrateChanged, asked for or not; ``reason`` is None where the host does not say."""
        asked, self._asked_kbps, self._unanswered = self._asked_kbps, None, 0
        climbing = asked is not None and asked > self.current_kbps
        self.current_kbps = kbps
        if reason == REASON_PINNED:
            self.enabled = False
        elif reason == REASON_GOVERNOR:
            self._share_kbps = kbps
        elif asked is not None and kbps < asked * 19 // 20:
            if reason == REASON_CADENCE:
                self._hold = HOLD_WINDOWS
            elif climbing:
                self._encoder.meet(kbps, now_ns)
        elif reason == REASON_GRANTED:
            self._share_kbps = None

    def on_window(self, sample: WindowSample) -> int | None:
        """Judge a closed window."""
        if not self.enabled:
            return None
        if self._asked_kbps is not None and self._changed_ns is not None:
            return self._await_answer(sample.now_ns)
        latency_grew = self._note_latency(sample)
        if sample.still:
            self._still += 1
            return None
        if self._still >= STILL_WINDOWS:
            self._slow_start = True
        self._still = 0
        self._hold = max(0, self._hold - 1)
        severe, bad, decoder = self._verdict(sample, latency_grew=latency_grew)
        if severe or bad or decoder:
            self._clean = 0
            self._bad += 1
            due = severe or self._bad >= BAD_WINDOWS
            if not due or self._cooling(sample.now_ns):
                return None
            return self._cut(sample, by_decoder=decoder and not (severe or bad), queued=latency_grew)
        self._bad = 0
        self._clean += 1
        return self._climb(sample)

    def _note_latency(self, sample: WindowSample) -> bool:
        """Whether the latency lies over its usual one and is not just falling back after a cut."""
        latency_ns, previous_ns = sample.latency_ns, self._previous_latency_ns
        self._previous_latency_ns = latency_ns
        if latency_ns is None:
            return False
        usual_ns = min(self._latencies_ns, default=latency_ns)
        self._latencies_ns = [*self._latencies_ns[1 - LATENCY_MEMORY :], latency_ns]
        grew = latency_ns >= usual_ns + max(QUEUE_NS, usual_ns // 4)
        if not grew:
            self._drain = 0
        elif self._drain:
            self._drain -= 1
            return previous_ns is not None and latency_ns > previous_ns - DRAIN_FALL_NS and self._drain == 0
        return grew

    def _verdict(self, sample: WindowSample, *, latency_grew: bool) -> tuple[bool, bool, bool]:
        draining = self._drain > 0
        natural = self._fruitless_cuts >= 2
        severe = sample.flushed or (not draining and sample.keyframe_ask_count >= SEVERE_ASKS)
        severe = severe or (not draining and sample.dropped_frame_count > 0 and not natural)
        severe = severe or (sample.loss_ppm >= SEVERE_LOSS_PPM and not draining and not natural)
        bad = latency_grew or (sample.loss_ppm >= BAD_LOSS_PPM and not natural and not draining)
        full = sample.frame_count * self._interval_ns * 4 >= sample.duration_ns * 3
        decoder = full and sample.decode_ns is not None and sample.decode_ns > self._interval_ns
        return severe, bad, decoder

    def _cut(self, sample: WindowSample, *, by_decoder: bool, queued: bool) -> int | None:
        current, now_ns = self.current_kbps, sample.now_ns
        self._slow_start = False
        self._bad = 0
        if by_decoder:
            self._encoder.meet(current * 7 // 8, now_ns)
            return self._ask(max(current * 7 // 8, LEAST_KBPS), now_ns, "decoder")
        short = sample.delivered_kbps < current * 9 // 10
        wanted = sample.delivered_kbps * 85 // 100 if queued and short else current * 7 // 10
        if queued or sample.dropped_frame_count:
            found_kbps = min(sample.delivered_kbps, current) if queued else current
            self._wall.meet(max(found_kbps * 9 // 10, wanted, LEAST_KBPS), now_ns)
        self._note_fruit(sample, queued=queued)
        self._drain = DRAIN_WINDOWS
        reason = "queue" if queued else "loss"
        return self._ask(max(wanted, current // 2, LEAST_KBPS), now_ns, reason)

    def _note_fruit(self, sample: WindowSample, *, queued: bool) -> None:
        """Count cuts for loss alone that left the loss as it was."""
        before, self._cut_loss_ppm = self._cut_loss_ppm, None if queued else sample.loss_ppm
        same = before is not None and not queued and sample.loss_ppm * 2 >= before
        self._fruitless_cuts = self._fruitless_cuts + 1 if same else 0

    def _climb(self, sample: WindowSample) -> int | None:
        now_ns, current = sample.now_ns, self.current_kbps
        self._delivered_kbps = [*self._delivered_kbps[1 - PROVEN_WINDOWS :], sample.delivered_kbps]
        if self._clean >= CLIMB_WINDOWS:
            self._wall.passed(current, now_ns)
            self._encoder.passed(current, now_ns)
            if sample.loss_ppm < BAD_LOSS_PPM:
                self._fruitless_cuts, self._cut_loss_ppm = 0, None
        utilised = sample.delivered_kbps * 100 >= current * NEED_UTILISED_PERCENT
        if not utilised or self._hold or self._cooling(now_ns):
            return None
        if self._slow_start:
            wanted = min(current * 2, max(self._delivered_kbps) * 3 // 2)
        elif self._clean >= CLIMB_WINDOWS:
            wanted = current + max(current * 6 // 100, 100)
        else:
            return None
        for limit in (self._wall.allowed_kbps(now_ns), self._encoder.allowed_kbps(now_ns), self._share_kbps):
            wanted = min(wanted, limit) if limit is not None else wanted
        wanted = min(wanted, self.ceiling_kbps)
        if wanted < current + max(current // 50, 50):
            return None
        self._clean = 0
        return self._ask(wanted, now_ns, "climb")

    def _await_answer(self, now_ns: int) -> int | None:
        """Give up after three requests without any answer: such a host cannot."""
        assert self._changed_ns is not None
        if now_ns - self._changed_ns >= COOLDOWN_NS + WINDOW_NS:
            self._unanswered += 1
            self._asked_kbps = None
            self.enabled = self._unanswered < UNANSWERED_MAX
        return None

    def _cooling(self, now_ns: int) -> bool:
        return self._changed_ns is not None and now_ns - self._changed_ns < COOLDOWN_NS

    def _ask(self, kbps: int, now_ns: int, reason: str) -> int | None:
        if kbps == self.current_kbps:
            return None
        self._asked_kbps, self._changed_ns, self.reason = kbps, now_ns, reason
        return kbps
