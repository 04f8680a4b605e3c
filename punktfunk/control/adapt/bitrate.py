"""The client's automatic bitrate: one decision per report window.

Runs only where Hello asked for 0 and Welcome named a rate. Rates are wire budgets in kbit/s. Spec:
punktfunk-1.md section 2.9; the numbers below are this client's own.

    seen in a window                                        called   then
    ------------------------------------------------------  -------  ---------------------------------------
    latency 40 ms over its usual, a tenth of frames lost,   severe   cut at once
    6 % loss, a flush, four key-frame asks
    latency 12 ms over its usual, a frame lost, 2 % loss    bad      cut after two in a row
    decoder slower than the frame interval                  slow     an eighth less after two in a row
    none of these                                           clean    climb

Latency that falls after a cut is the cut's own queue draining: no verdict at all. Where a queue grew, or
less came than was asked for, the link is full: the rate lands on 85 % of what came, never under half, and
what came is remembered as a wall. Loss alone proves nothing: a notch of an eighth asks the link, and where
two notches did not lessen the loss it is the link's nature (a neighbour's Wi-Fi) and parity's business; the
rate returns, and loss of that size no longer counts.

Climbs double until the first verdict (slow start, given back after a still picture), then add 6 % after six
clean windows, and twice as much with each climb that holds, up to a half. They stop a tenth under a wall
and try beyond it only after a pause, which doubles each time the wall stands; what proves clean beyond it
refutes it. An encoder that grants less than asked is held to that in the same way.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from punktfunk.control.adapt.report_window import WINDOW_NS, WindowSample

LEAST_KBPS: Final = 2_000
COOLDOWN_NS: Final = 1_500_000_000
SEVERE_LOSS_PPM: Final = 60_000
BAD_LOSS_PPM: Final = 20_000
SEVERE_ASKS: Final = 4
QUEUE_NS: Final = 12_000_000
DEEP_QUEUE_NS: Final = 40_000_000
BAD_WINDOWS: Final = 2
CLIMB_WINDOWS: Final = 6
CLIMB_PERCENT: Final = 6
CLIMB_PERCENT_MOST: Final = 50
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
FRUITLESS_NOTCHES: Final = 2
NATURAL_WINDOWS: Final = 40

REASON_GRANTED, REASON_ENCODER, REASON_CADENCE, REASON_GOVERNOR, REASON_PINNED = range(5)


@dataclass(slots=True)
class Limit:
    """A rate that was found to be too much, and when to doubt it."""

    kbps: int | None = None
    doubt_ns: int = 0
    pause_ns: int = RETRY_LEAST_NS

    def meet(self, kbps: int, now_ns: int, *, tried: bool) -> None:
        """Note that the limit was met; ``tried`` beyond it: then it stands, and the pause doubles."""
        self.pause_ns = min(self.pause_ns * 2, RETRY_MOST_NS) if tried else RETRY_LEAST_NS
        self.kbps = kbps
        self.doubt_ns = now_ns + self.pause_ns

    def allowed_kbps(self, now_ns: int) -> int | None:
        """Most that a climb may ask; after the pause an eighth more than what was found."""
        if self.kbps is None:
            return None
        return self.kbps if now_ns < self.doubt_ns else self.kbps * 9 // 8

    def passed(self, kbps: int) -> None:
        """Note that this rate was clean for a while: above the limit it refutes it."""
        if self.kbps is not None and kbps > self.kbps:
            self.kbps, self.pause_ns = None, RETRY_LEAST_NS


class Verdict(Enum):
    """What a window says about the rate."""

    CLEAN = "clean"
    EXCUSED = "excused"
    BAD = "bad"
    SEVERE = "severe"
    DECODER = "decoder"


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
        self._queue_ns = 0
        self._falling = False
        self._bad = self._clean = self._still = self._drain = self._hold = 0
        self._climb_percent = CLIMB_PERCENT
        self._delivered_kbps: list[int] = []
        self._before_notch_kbps = 0
        self._notch_loss_ppm: int | None = None
        self._fruitless = 0
        self._natural_ppm = self._natural_left = 0
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
                self._encoder.meet(kbps, now_ns, tried=self._encoder.kbps is not None)
        elif reason == REASON_GRANTED:
            self._share_kbps = None

    def on_window(self, sample: WindowSample) -> int | None:
        """Judge a closed window."""
        if not self.enabled:
            return None
        self._note_latency(sample)
        if self._asked_kbps is not None:
            return self._await_answer(sample.now_ns)
        if self._is_still(sample):
            return None
        self._hold = max(0, self._hold - 1)
        verdict = self._judge(sample)
        self._drain = max(0, self._drain - 1)
        if verdict is Verdict.EXCUSED:
            return None
        if verdict is Verdict.CLEAN:
            self._bad = 0
            self._clean += 1
            return self._restore(sample.now_ns) or self._climb(sample)
        return self._descend(sample, verdict)

    def _descend(self, sample: WindowSample, verdict: Verdict) -> int | None:
        self._clean, self._climb_percent = 0, CLIMB_PERCENT
        self._bad += 1
        due = verdict is Verdict.SEVERE or self._bad >= BAD_WINDOWS or self._beyond_wall
        if not due or self._cooling(sample.now_ns):
            return None
        self._bad = 0
        self._slow_start = False
        return self._slow_decoder(sample) if verdict is Verdict.DECODER else self._cut(sample, verdict)

    def _is_still(self, sample: WindowSample) -> bool:
        """Whether nothing moved; the first moving window after a while begins with slow start again."""
        if sample.still:
            self._still += 1
            return True
        self._slow_start = self._slow_start or self._still >= STILL_WINDOWS
        self._still = 0
        return False

    def _note_latency(self, sample: WindowSample) -> None:
        """Keep how far the latency lies over its usual one, and whether it falls."""
        latency_ns = sample.latency_ns
        self._falling = False
        if latency_ns is None:
            return
        self._falling = bool(self._latencies_ns) and latency_ns <= self._latencies_ns[-1] - DRAIN_FALL_NS
        self._latencies_ns = [*self._latencies_ns[1 - LATENCY_MEMORY :], latency_ns]
        usual_ns = min(self._latencies_ns)
        self._queue_ns = max(0, latency_ns - usual_ns - max(0, usual_ns // 4 - QUEUE_NS))

    def _judge(self, sample: WindowSample) -> Verdict:
        if self._drain and self._falling and not sample.flushed:
            return Verdict.EXCUSED
        if sample.loss_ppm or sample.dropped_frame_count:
            self._natural_left = NATURAL_WINDOWS
        elif self._natural_left:
            self._natural_left -= 1
        natural = (
            self._natural_left > 0 and self._natural_ppm > 0 and sample.loss_ppm <= 2 * self._natural_ppm
        )
        asks, dropped = sample.keyframe_ask_count, sample.dropped_frame_count
        severe = sample.flushed or dropped * 10 > sample.frame_count
        severe = severe or (self._queue_ns >= DEEP_QUEUE_NS and not self._falling)
        severe = severe or (not natural and (sample.loss_ppm >= SEVERE_LOSS_PPM or asks >= SEVERE_ASKS))
        if severe:
            return Verdict.SEVERE
        bad = self._queue_ns >= QUEUE_NS
        bad = bad or (not natural and (sample.loss_ppm >= BAD_LOSS_PPM or dropped > 0))
        if bad:
            return Verdict.BAD
        full = sample.frame_count * self._interval_ns * 4 >= sample.duration_ns * 3
        slow = full and sample.decode_ns is not None and sample.decode_ns > self._interval_ns
        return Verdict.DECODER if slow else Verdict.CLEAN

    def _cut(self, sample: WindowSample, verdict: Verdict) -> int | None:
        current, now_ns, delivered = self.current_kbps, sample.now_ns, sample.delivered_kbps
        short = delivered * 10 < current * 9
        queued = self._queue_ns >= QUEUE_NS or (short and verdict is Verdict.SEVERE)
        self._drain = DRAIN_WINDOWS
        if queued:
            self._notch_loss_ppm, self._fruitless = None, 0
            # Delivered is a tenth over the budget where parity's least number of shards pads small frames.
            found = min(current, delivered * 85 // 100)
            wanted = min(current, delivered) * 85 // 100
            if self._beyond_wall and self._wall.kbps and delivered * 10 >= self._wall.kbps * 8:
                found = self._wall.kbps
                wanted = found * 95 // 100
            self._wall.meet(found, now_ns, tried=self._beyond_wall)
            return self._ask(max(wanted, current // 2, LEAST_KBPS), now_ns, "queue")
        before, self._notch_loss_ppm = self._notch_loss_ppm, sample.loss_ppm
        if before is None:
            self._before_notch_kbps, self._fruitless = current, 0
        elif sample.loss_ppm * 4 >= before * 3:
            self._fruitless += 1
        if self._fruitless >= FRUITLESS_NOTCHES:
            self._natural_ppm, self._natural_left = max(sample.loss_ppm, BAD_LOSS_PPM), NATURAL_WINDOWS
            return self._restore(now_ns)
        return self._ask(max(current * 7 // 8, LEAST_KBPS), now_ns, "loss")

    @property
    def _beyond_wall(self) -> bool:
        return self._wall.kbps is not None and self.current_kbps > self._wall.kbps

    def _slow_decoder(self, sample: WindowSample) -> int | None:
        wanted = max(self.current_kbps * 7 // 8, LEAST_KBPS)
        self._encoder.meet(wanted, sample.now_ns, tried=self._encoder.kbps is not None)
        return self._ask(wanted, sample.now_ns, "decoder")

    def _restore(self, now_ns: int) -> int | None:
        """Return to the rate before the notches, once the loss is known for the link's nature."""
        if not self._natural_ppm or not self._before_notch_kbps or self._cooling(now_ns):
            return None
        wanted, self._before_notch_kbps, self._notch_loss_ppm = self._before_notch_kbps, 0, None
        return self._ask(wanted, now_ns, "restore") if wanted > self.current_kbps else None

    def _climb(self, sample: WindowSample) -> int | None:
        now_ns, current = sample.now_ns, self.current_kbps
        self._delivered_kbps = [*self._delivered_kbps[1 - PROVEN_WINDOWS :], sample.delivered_kbps]
        if self._clean >= CLIMB_WINDOWS:
            self._wall.passed(current)
            self._encoder.passed(current)
            if sample.loss_ppm < BAD_LOSS_PPM:
                self._notch_loss_ppm = None
        utilised = sample.delivered_kbps * 100 >= current * NEED_UTILISED_PERCENT
        if not utilised or self._hold or self._cooling(now_ns):
            return None
        if self._slow_start:
            wanted = min(current * 2, max(self._delivered_kbps) * 3 // 2)
        elif self._clean >= CLIMB_WINDOWS:
            wanted = current + max(current * self._climb_percent // 100, 100)
        else:
            return None
        for limit in (self._wall.allowed_kbps(now_ns), self._encoder.allowed_kbps(now_ns), self._share_kbps):
            wanted = min(wanted, limit) if limit is not None else wanted
        wanted = min(wanted, self.ceiling_kbps)
        if wanted < current + max(current // 50, 50):
            return None
        if not self._slow_start:
            self._climb_percent = min(self._climb_percent * 2, CLIMB_PERCENT_MOST)
        self._clean = 0
        return self._ask(wanted, now_ns, "climb")

    def _await_answer(self, now_ns: int) -> int | None:
        """Give up after three requests without any answer: such a host cannot."""
        if self._changed_ns is not None and now_ns - self._changed_ns >= COOLDOWN_NS + WINDOW_NS:
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
