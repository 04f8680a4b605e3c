"""The client's windows of 750 ms: what it reports to the host, and what its bitrate control judges.

One LossReport per window, also when the loss is 0; none while a probe runs. The first window after a probe
and one in which the host rebuilt its pipeline say nothing about the link: nothing of them is reported or
judged. Spec: punktfunk-1.md section 2.9.
"""

from dataclasses import dataclass, field
from typing import Final

WINDOW_NS: Final = 750_000_000
PROBE_PATIENCE_NS: Final = 6_000_000_000
_PPM: Final = 1_000_000


def loss_ppm(recovered_count: int, late_count: int, received_count: int) -> int:
    """Share of shards that had to be recovered and never came, in parts per million; 0 to 1,000,000."""
    lost = max(0, recovered_count - late_count)
    return min(_PPM, lost * _PPM // (received_count + lost)) if received_count else 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters of a session so far, as the receiver has them; ``media_bytes`` without probes."""

    recovered_count: int = 0
    late_count: int = 0
    received_count: int = 0
    dropped_frame_count: int = 0
    media_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WindowSample:
    """What one window showed. Means are None where nothing was measured.

    ``delivered_kbps`` counts media packets whole, and audio's share of the budget. ``frame_count`` are all
    completed frames, ``fresh_count`` those with new content, None where the host does not mark repeats.
    """

    now_ns: int
    duration_ns: int
    loss_ppm: int
    dropped_frame_count: int
    delivered_kbps: int
    frame_count: int
    fresh_count: int | None
    latency_ns: int | None = None
    latency_least_ns: int | None = None
    decode_ns: int | None = None
    encode_ns: int | None = None
    keyframe_ask_count: int = 0
    flushed: bool = False

    @property
    def still(self) -> bool:
        """Whether every frame of the window was a repeat: nothing moved on the host's screen."""
        return self.frame_count > 0 and self.fresh_count == 0


@dataclass(frozen=True, slots=True)
class Report:
    """A closed window: messages that are due, and what the bitrate control may judge."""

    loss_ppm: int | None  # LossReport
    delivery_count: int | None  # DeliveryReport: packets of the whole session
    sample: WindowSample | None


@dataclass(slots=True)
class _Mean:
    sum: int = 0
    count: int = 0
    least: int | None = None

    def add(self, value: int, count: int = 1) -> None:
        self.sum += value
        self.count += count
        self.least = value if self.least is None else min(self.least, value)

    def value(self) -> int | None:
        return self.sum // self.count if self.count else None


@dataclass(slots=True)
class _Open:
    """What the window in progress gathered beside the counters."""

    frame_count: int = 0
    repeat_count: int = 0
    keyframe_ask_count: int = 0
    flushed: bool = False
    latency: _Mean = field(default_factory=_Mean)
    decode: _Mean = field(default_factory=_Mean)
    encode: _Mean = field(default_factory=_Mean)


class ReportWindows:
    """Feed it frames and decodes as they come, ``poll`` it by ``deadline_ns``.

    ``every_window``: the host reads a DeliveryReport each window (host caps 2 bit 20). ``marks_repeats``: it
    marks frames without new content (bit 01).
    """

    def __init__(
        self, now_ns: int, *, every_window: bool = False, marks_repeats: bool = False, audio_kbps: int = 0
    ) -> None:
        self._every_window = every_window
        self._marks_repeats = marks_repeats
        self._audio_kbps = audio_kbps
        self._opened_ns = now_ns
        self._before = Totals()
        self._open = _Open()
        self._discard = False
        self._delivery_told = False
        self._probe_until_ns: int | None = None

    def on_frame(self, latency_ns: int | None, *, repeat: bool = False) -> None:
        """Note a completed frame; ``latency_ns`` from capture to its first packet, if the clock is known.

        The first packet's delay shows the queue in the network; the last one's also how large the frame was.
        Where the host tells how long it took itself (tag CF), leave that out.
        """
        self._open.frame_count += 1
        self._open.repeat_count += repeat
        if latency_ns is not None:
            self._open.latency.add(latency_ns)

    def on_decoded(self, decode_ns: int) -> None:
        """Note how long a frame took from reception to picture."""
        self._open.decode.add(decode_ns)

    def on_host_timing(self, encode_ns: int) -> None:
        """Note how long the host says that it encoded a frame (tag CF)."""
        self._open.encode.add(encode_ns)

    def on_keyframe_ask(self) -> None:
        """Note that the session asked for a key frame."""
        self._open.keyframe_ask_count += 1

    def on_flush(self) -> None:
        """Note that what waited was thrown away to catch up."""
        self._open.flushed = True

    def on_pipeline_gap(self) -> None:
        """Discard the window in progress: the host rebuilt."""
        self._discard = True

    def begin_probe(self, duration_ns: int, now_ns: int) -> None:
        """Hold reports back: a burst of filler begins. Until its result, or six seconds after its end."""
        self._probe_until_ns = now_ns + duration_ns + PROBE_PATIENCE_NS

    def end_probe(self, totals: Totals, now_ns: int) -> None:
        """Begin windows anew after a probe's result; the first says nothing yet."""
        self._probe_until_ns = None
        self._reopen(totals, now_ns)
        self._discard = True

    @property
    def probing(self) -> bool:
        """Whether a probe keeps reports back."""
        return self._probe_until_ns is not None

    def deadline_ns(self) -> int:
        """When ``poll`` has something to do."""
        return self._opened_ns + WINDOW_NS if self._probe_until_ns is None else self._probe_until_ns

    def poll(self, totals: Totals, now_ns: int) -> Report | None:
        """Close the window if its time has come; None before that."""
        if now_ns < self.deadline_ns():
            return None
        if self._probe_until_ns is not None:
            self.end_probe(totals, now_ns)
            return None
        sample = self._sample(totals, now_ns)
        discarded, self._discard = self._discard, False
        self._reopen(totals, now_ns)
        if discarded:
            return Report(None, None, None)
        return Report(sample.loss_ppm, self._delivery(totals.received_count), sample)

    def _delivery(self, received_count: int) -> int | None:
        told, self._delivery_told = self._delivery_told, received_count > 0
        return received_count if self._every_window or not received_count or not told else None

    def _reopen(self, totals: Totals, now_ns: int) -> None:
        self._before, self._opened_ns, self._open = totals, now_ns, _Open()

    def _sample(self, totals: Totals, now_ns: int) -> WindowSample:
        before, gathered = self._before, self._open
        duration_ns = max(1, now_ns - self._opened_ns)
        bits = (totals.media_bytes - before.media_bytes) * 8
        return WindowSample(
            now_ns=now_ns,
            duration_ns=duration_ns,
            loss_ppm=loss_ppm(
                totals.recovered_count - before.recovered_count,
                totals.late_count - before.late_count,
                totals.received_count - before.received_count,
            ),
            dropped_frame_count=totals.dropped_frame_count - before.dropped_frame_count,
            delivered_kbps=bits * 1_000_000 // duration_ns + self._audio_kbps,
            frame_count=gathered.frame_count,
            fresh_count=gathered.frame_count - gathered.repeat_count if self._marks_repeats else None,
            latency_ns=gathered.latency.value(),
            latency_least_ns=gathered.latency.least,
            decode_ns=gathered.decode.value(),
            encode_ns=gathered.encode.value(),
            keyframe_ask_count=gathered.keyframe_ask_count,
            flushed=gathered.flushed,
        )
