"""The body of pf-encode where nothing is encoded: units made before are replayed at the mode's rate.

Without any unit nothing is sent but filler, see ``NativeSender.fill``.
"""

import threading
import time
from typing import Final

from punktfunk.plan import FrameType, PreparedSource
from punktfunk.realtime.encode.loop import Orders, Sink, Stamps

_SLICE_S: Final = 0.5


class PreparedLoop:
    """Pushes one unit per frame interval, by absolute deadlines; after a key request from the next key on."""

    def __init__(self, source: PreparedSource, sink: Sink, orders: Orders, ended: threading.Event) -> None:
        self._source = source
        self._sink = sink
        self._orders = orders
        self._ended = ended
        self._keys = sorted(source.key_units)
        self._next = 0
        self._seen_key_requests = 0
        self._counters = {"encoded_frames": 0, "key_frames": 0, "skipped_frames": 0}

    def run(self) -> None:
        """Replay until told to stop."""
        interval_ns = self._source.mode.frame_interval_ns
        while not self._orders.sending or not self._source.units:
            if self._ended.wait(0.001 if self._source.units else _SLICE_S):
                return
        due_ns = time.monotonic_ns()
        while not self._ended.is_set():
            if (late_ns := time.monotonic_ns() - due_ns) < 0:
                time.sleep(min(-late_ns / 1e9, _SLICE_S))
                continue
            if late_ns > interval_ns:
                self._counters["skipped_frames"] += late_ns // interval_ns
                due_ns += late_ns // interval_ns * interval_ns
            self._push()
            due_ns += interval_ns

    def counters(self) -> dict[str, int]:
        """Units pushed, and ticks that were missed."""
        return dict(self._counters)

    def _push(self) -> None:
        requests = self._orders.key_request_count
        if requests != self._seen_key_requests or self._sink.needs_key():
            self._seen_key_requests = requests
            self._next = next((key for key in self._keys if key >= self._next), self._keys[0])
        index, self._next = self._next, (self._next + 1) % len(self._source.units)
        is_key = index in self._source.key_units
        now_ns = time.monotonic_ns()  # this is when the picture is taken, as with every other source
        stamps = Stamps(now_ns, now_ns, now_ns, repeated=False)
        frame_type = FrameType.IDR if is_key else FrameType.PREDICTED
        self._sink.push(self._source.units[index], frame_type, stamps)
        self._counters["encoded_frames"] += 1
        self._counters["key_frames"] += is_key
