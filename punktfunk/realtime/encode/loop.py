"""The body of pf-encode: newest picture in, access unit to the sender."""

import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from punktfunk.plan import FrameType
from punktfunk.realtime.encode.base import Encoder
from punktfunk.realtime.encode.schedule import KeyFrames, Repeats

if TYPE_CHECKING:
    from punktfunk.realtime.encode.picture import Picture
    from punktfunk.realtime.latest import LatestFrame

LOWEST_BITRATE_BPS: Final = 500_000
COARSE_DIVISOR: Final = 4
IDLE_NS: Final = 1_000_000_000


class Orders:
    """What control wants of pf-encode. Every word is written by control and read by pf-encode."""

    def __init__(self, bitrate_bps: int) -> None:
        self.stop = False
        self.sending = False  # False until there is somebody to encode for
        self.key_request_count = 0
        self.bitrate_bps = bitrate_bps


class Stamps(NamedTuple):
    """Where an access unit comes from: times of CLOCK_MONOTONIC, and whether it shows nothing new."""

    captured_ns: int
    begun_ns: int  # the encoder was given the picture
    encoded_ns: int
    repeated: bool


class Fate(Enum):
    """What became of an access unit."""

    SENT = "sent"
    BROKE_CHAIN = "broke chain"  # sent, but frames that it may refer to were not
    OVERSIZE = "oversize"  # never sent: the protocol cannot express it


class Sink(Protocol):
    """Where access units go."""

    def push(self, access_unit: bytes, frame_type: FrameType, stamps: "Stamps") -> Fate:
        """Hand over one access unit; never waits."""

    def needs_key(self) -> bool:
        """Whether the stream itself wants a key frame; a wish is told once."""


class EncodeLoop:
    """One picture per step. Counters are written by pf-encode only."""

    def __init__(
        self,
        latest: "LatestFrame[Picture]",
        encoder: Encoder,
        sink: Sink,
        orders: Orders,
        frame_interval_ns: int,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._latest = latest
        self._encoder = encoder
        self._sink = sink
        self._orders = orders
        self._clock_ns = clock_ns
        self._keys = KeyFrames()
        self._repeats = Repeats(frame_interval_ns)
        self._frame_interval_ns = frame_interval_ns
        self._current: Picture | None = None
        self._encoded_current = False
        self._seen_key_requests = 0
        self._ordered_bitrate_bps = orders.bitrate_bps
        self._bitrate_bps = orders.bitrate_bps
        self._counters = {
            "encoded_frames": 0,
            "key_frames": 0,
            "repeated_frames": 0,
            "oversize_frames": 0,
            "encode_ns_total": 0,
            "encode_ns_max": 0,
        }

    def run(self) -> None:
        """Encode until told to stop."""
        while not self._orders.stop:
            self.step()

    def step(self) -> None:
        """Wait for something to do, at most a second, and do it."""
        fresh = self._latest.take(self._wait_ns(self._clock_ns()))
        if fresh is not None:
            if self._current is not None:
                self._latest.give_back(self._current)
            self._current, self._encoded_current = fresh, False
        if self._current is None or not self._orders.sending or self._orders.stop:
            return
        now_ns = self._clock_ns()
        self._read_orders(now_ns)
        key = self._keys.due(now_ns)
        if self._encoded_current and not key and not self._repeats.due(now_ns):
            return
        self._encode(self._current, key=key, now_ns=now_ns)

    def counters(self) -> dict[str, int]:
        """Count frames; total and longest encoding time; the bitrate that is in force."""
        return self._counters | {
            "bitrate_bps": self._bitrate_bps,
            "deferred_keys": self._keys.deferred_count,
            "replaced_frames": self._latest.dropped_count,
        }

    def _wait_ns(self, now_ns: int) -> int:
        if self._current is None or not self._orders.sending:
            return IDLE_NS
        if not self._encoded_current:
            return 0
        key_wait_ns = self._keys.wait_ns(now_ns)
        repeat_wait_ns = self._repeats.wait_ns(now_ns)
        return repeat_wait_ns if key_wait_ns is None else min(key_wait_ns, repeat_wait_ns)

    def _read_orders(self, now_ns: int) -> None:
        requests = self._orders.key_request_count
        if requests != self._seen_key_requests or self._sink.needs_key():
            self._seen_key_requests = requests
            self._keys.request(now_ns)
        ordered_bps = self._orders.bitrate_bps
        if ordered_bps != self._ordered_bitrate_bps:
            self._ordered_bitrate_bps = ordered_bps
            self._set_bitrate(ordered_bps)

    def _set_bitrate(self, bitrate_bps: int) -> None:
        self._bitrate_bps = bitrate_bps
        self._encoder.set_bitrate(bitrate_bps)

    def _encode(self, picture: "Picture", *, key: bool, now_ns: int) -> None:
        repeated = self._encoded_current
        # A repeated picture is as new as the wish to repeat it: latency is not how long a screen stood still.
        captured_ns = now_ns if repeated else picture.captured_ns
        units = self._encoder.encode(picture, key=key)
        done_ns = self._clock_ns()
        self._encoded_current = True
        if repeated and not any(unit.is_key for unit in units):
            coarse = sum(len(unit.data) for unit in units) > self._coarse_bytes()
            self._repeats.repeated(now_ns, done_ns - now_ns, coarse=coarse)
        else:
            self._repeats.began(now_ns)
        counters = self._counters
        counters["encoded_frames"] += 1
        counters["repeated_frames"] += repeated
        counters["encode_ns_total"] += done_ns - now_ns
        counters["encode_ns_max"] = max(counters["encode_ns_max"], done_ns - now_ns)
        for unit in units:
            if unit.is_key:
                counters["key_frames"] += 1
                self._keys.made(now_ns)
            frame_type = FrameType.IDR if unit.is_key else FrameType.PREDICTED
            stamps = Stamps(captured_ns, now_ns, done_ns, repeated)
            self._answer(self._sink.push(unit.data, frame_type, stamps), done_ns)

    def _coarse_bytes(self) -> int:
        """Size above which a repeat still sharpens the picture: a quarter of a frame's share of the rate."""
        return self._bitrate_bps * self._frame_interval_ns // (COARSE_DIVISOR * 8_000_000_000)

    def _answer(self, fate: Fate, now_ns: int) -> None:
        if fate is Fate.SENT:
            return
        self._keys.request(now_ns)
        if fate is Fate.OVERSIZE:
            self._counters["oversize_frames"] += 1
            self._set_bitrate(max(LOWEST_BITRATE_BPS, self._bitrate_bps // 2))
