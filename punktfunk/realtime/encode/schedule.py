"""When pf-encode makes a key frame, and when it encodes the last picture again. Pure: times come in."""

from typing import Final

KEY_INTERVAL_NS: Final = 100_000_000
"""The least distance of two key frames on request. Nearer ones are put off, not forgotten: a client asks
again with every frame it cannot show, and a burst of key frames would only feed the loss behind it."""

REPEAT_FIRST_NS: Final = 50_000_000
REPEAT_LAST_NS: Final = 500_000_000
"""A settled picture is encoded again after 100, 200, 400 and then every 500 ms, to keep the stream alive."""

SETTLED_COUNT: Final = 6
"""A picture is as sharp as it gets once so many repeats in a row cost next to nothing. Fewer would do for
libx264 (3); SVT-AV1 skips pictures while it saves up for a better one."""

REFINE_LIMIT_NS: Final = 2_000_000_000
"""No picture is refined for longer: at the lowest bitrates rate control may never find it good enough."""


class KeyFrames:
    """The wish for a key frame, limited in rate. The first frame of all is one."""

    def __init__(self) -> None:
        self._wanted = True
        self._earliest_ns = 0
        self.deferred_count = 0

    def request(self, now_ns: int) -> None:
        """Somebody needs a key frame. Wishes that are not fulfilled yet are one wish."""
        if not self._wanted and now_ns < self._earliest_ns:
            self.deferred_count += 1
        self._wanted = True

    def due(self, now_ns: int) -> bool:
        """Whether the frame encoded now should be a key frame."""
        return self._wanted and now_ns >= self._earliest_ns

    def made(self, now_ns: int) -> None:
        """Note that a key frame was made, on request or not."""
        self._wanted = False
        self._earliest_ns = now_ns + KEY_INTERVAL_NS

    def wait_ns(self, now_ns: int) -> int | None:
        """How long until a wish may be fulfilled; None without a wish."""
        return max(0, self._earliest_ns - now_ns) if self._wanted else None


class Repeats:
    """When a still picture is encoded again: at the full rate while that sharpens it, then ever more rarely.

    One frame's share of the bitrate leaves a changed picture coarse, whatever an encoder's settings: it lacks
    bits. A still screen leaves the bits of all the frames that did not come, so they are spent on it. The
    first repeat waits long enough not to come between the pictures of a slow or unsteady source.
    """

    def __init__(self, frame_interval_ns: int) -> None:
        self._frame_interval_ns = frame_interval_ns
        self._interval_ns = REPEAT_FIRST_NS
        self._due_ns = 0
        self._started_ns = 0
        self._settled_count = 0

    def began(self, now_ns: int) -> None:
        """Note that a new picture was encoded, or the last one from nothing, as a key frame."""
        self._started_ns = now_ns
        self._settled_count = 0
        self._interval_ns = max(REPEAT_FIRST_NS, self._frame_interval_ns * 3 // 2)
        self._due_ns = now_ns + self._interval_ns

    def repeated(self, now_ns: int, encode_ns: int, *, coarse: bool) -> None:
        """Note a repeat that began at ``now_ns``. ``coarse``: it had much to add to the one before."""
        self._settled_count = 0 if coarse else self._settled_count + 1
        if self._settled_count < SETTLED_COUNT and now_ns - self._started_ns < REFINE_LIMIT_NS:
            # At most half of the time: a new picture must not find a slow encoder always busy.
            wait_ns = max(self._frame_interval_ns, 2 * encode_ns)
        else:
            wait_ns = self._interval_ns = min(self._interval_ns * 2, REPEAT_LAST_NS)
        self._due_ns = now_ns + wait_ns

    def due(self, now_ns: int) -> bool:
        """Whether the last picture should be encoded again."""
        return now_ns >= self._due_ns

    def wait_ns(self, now_ns: int) -> int:
        """How long until then."""
        return max(0, self._due_ns - now_ns)
