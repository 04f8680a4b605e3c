"""When pf-encode makes a key frame, and when it encodes the last picture again. Pure: times come in."""

from typing import Final

KEY_INTERVAL_NS: Final = 100_000_000
"""The least distance of two key frames on request. Nearer ones are put off, not forgotten: a client asks
again with every frame it cannot show, and a burst of key frames would only feed the loss behind it."""

REPEAT_FIRST_NS: Final = 50_000_000
REPEAT_LAST_NS: Final = 500_000_000
"""A still picture is encoded again after 50, 100, 200, 400 and then every 500 ms: the first repeats sharpen
what the rate buffer left coarse, the later ones keep the stream alive."""


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
    """When a still picture is encoded again."""

    def __init__(self) -> None:
        self._interval_ns = REPEAT_FIRST_NS
        self._due_ns = 0

    def encoded(self, now_ns: int, *, repeated: bool) -> None:
        """Note that a picture was encoded: a new one, or ``repeated`` the last."""
        self._interval_ns = min(self._interval_ns * 2, REPEAT_LAST_NS) if repeated else REPEAT_FIRST_NS
        self._due_ns = now_ns + self._interval_ns

    def due(self, now_ns: int) -> bool:
        """Whether the last picture should be encoded again."""
        return now_ns >= self._due_ns

    def wait_ns(self, now_ns: int) -> int:
        """How long until then."""
        return max(0, self._due_ns - now_ns)
