"""Which picture is shown when: a buffer of zero to one frame, as deep as the network makes it.

Pictures come with the host's capture times. The least delay seen of late is what the path takes; what a
picture came later than that is jitter. The buffer holds pictures back by so much of the jitter as nearly all
of them had, and by no more than one frame interval: on a quiet network by nothing at all.

At a display that is locked to, one due picture leaves per refresh and one more may wait for the next: two
that fall into the same refresh are both seen, and the next refresh is not empty. If one has waited all the
time for a second, a picture is left out and the delay is gone.
"""

from collections import deque
from typing import Final

from punktfunk.realtime.decode.base import DecodedPicture

WINDOW: Final = 240
"""Pictures whose delays are looked at: four seconds at 60 Hz."""

QUANTILE: Final = 0.95
QUIET: Final = 0.1
"""Share of the frame interval under which jitter is not worth any delay."""

FASTER: Final = 0.9
"""A stream with a shorter interval than this share of the display's skips pictures all the time."""

CAPACITY: Final = 4
"""Pictures that may wait; hardware decoders own few surfaces."""


class JitterBuffer:
    """For one thread. All times CLOCK_MONOTONIC, save the pictures' pts."""

    def __init__(self, frame_interval_ns: int) -> None:
        self._interval_ns = frame_interval_ns
        self._waiting: deque[DecodedPicture] = deque()
        self._delays_ns: deque[int] = deque(maxlen=WINDOW)
        self._base_ns = 0
        self._newest_pts_ns: int | None = None
        self._always_waited = 0
        self.hold_ns = 0
        self.jitter_ns = 0
        self.superseded_count = 0
        self.taken_count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, picture: DecodedPicture) -> None:
        """Add a decoded picture. One that jumps in time (a new host clock) begins the measurement anew."""
        pts_ns = picture.unit.pts_ns
        if self._newest_pts_ns is not None and abs(pts_ns - self._newest_pts_ns) > 2_000_000_000:
            self._delays_ns.clear()
        self._newest_pts_ns = pts_ns
        self._delays_ns.append(picture.decoded_ns - pts_ns)
        self._measure()
        self._waiting.append(picture)
        if len(self._waiting) > CAPACITY:
            self._leave_out()

    def due_ns(self, picture: DecodedPicture) -> int:
        """When a picture may be shown."""
        if not self.hold_ns:
            return picture.decoded_ns
        return min(picture.unit.pts_ns + self._base_ns + self.hold_ns, picture.decoded_ns + self._interval_ns)

    def next_due_ns(self) -> int | None:
        """When the oldest waiting picture is due; None if none waits."""
        return self.due_ns(self._waiting[0]) if self._waiting else None

    def take(self, latch_ns: int, refresh_ns: int | None = None) -> DecodedPicture | None:
        """Give the picture to show at ``latch_ns``, None to keep the present one.

        With ``refresh_ns`` one call is one refresh of a display; without it only the newest due picture
        counts, as it does where pictures come faster than the display can show them.
        """
        due_count = sum(self.due_ns(picture) <= latch_ns for picture in self._waiting)
        if not due_count:
            return None
        spare = 1 if refresh_ns is not None and self._interval_ns > FASTER * refresh_ns else 0
        for _ in range(due_count - 1 - spare):
            self._leave_out()
            due_count -= 1
        self._always_waited = self._always_waited + 1 if due_count > 1 else 0
        if self._always_waited * self._interval_ns > 1_000_000_000:
            self._leave_out()
            self._always_waited = 0
        self.taken_count += 1
        return self._waiting.popleft()

    def clear(self) -> None:
        """Forget what waits: the stream was interrupted."""
        self._waiting.clear()

    def _leave_out(self) -> None:
        self._waiting.popleft()
        self.superseded_count += 1

    def _measure(self) -> None:
        ordered = sorted(self._delays_ns)
        self._base_ns = ordered[0]
        self.jitter_ns = ordered[min(int(len(ordered) * QUANTILE), len(ordered) - 1)] - ordered[0]
        wanted_ns = min(self.jitter_ns, self._interval_ns)
        self.hold_ns = wanted_ns if wanted_ns > QUIET * self._interval_ns else 0
