"""What a client does about lost frames: whom to ask, what not to show. Spec: punktfunk-1.md section 2.17.

A frame that refers to a lost one decodes to garbage that looks like a picture. So from a loss on the display
holds the last clean frame until something clean comes: a key frame, an anchor, or the end of a refresh wave.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from punktfunk.control.adapt.asks import INDEX_MASK, Ask, KeyframeAsk, RfiAsk, index_distance
from punktfunk.wire.native.packet import (
    USER_KEY_FRAME,
    USER_RECOVERY_ANCHOR,
    USER_RECOVERY_CLOSE,
    USER_RECOVERY_POINT,
)

ASK_INTERVAL_NS: Final = 100_000_000
FREEZE_NS: Final = 500_000_000
MARK_NS: Final = 1_500_000_000
CREDIT_NS: Final = 1_000_000_000
NO_VIDEO_NS: Final = 2_600_000_000
WIDEST_RFI: Final = 256
SILENT_UNITS_MAX: Final = 3
_MARKS_TO_LIFT: Final = 2


@dataclass(frozen=True, slots=True)
class FrameVerdict:
    """What to do with a completed frame.

    ``stale``: it is older than one that was taken, leave it out altogether. ``present``: its picture may be
    shown (all others are only decoded). ``gap``: frames missing before it. ``ask``: to be sent at once.
    """

    present: bool
    ask: Ask | None = None
    gap: int = 0
    stale: bool = False
    lifted: bool = False


class ClientLoss:
    """Feed it every completed frame in the order of completion, and ``tick`` by ``deadline_ns``."""

    def __init__(self, now_ns: int) -> None:
        self.frozen = False
        self._expected: int | None = None
        self._last_ask_ns: int | None = None
        self._last_no_video_ns = now_ns
        self._freeze_deadline_ns = 0
        self._marks = 0
        self._wave_started = False
        self._waves_close = False
        self._silent_units = 0
        self._dropped_total = 0
        self._credits: deque[tuple[int, int]] = deque()

    def on_frame(
        self, frame_index: int, user_flags: int, now_ns: int, *, anchor_clean: bool = True
    ) -> FrameVerdict:
        """Judge a completed frame. ``anchor_clean``: an anchor's references are not known to be damaged."""
        self._last_no_video_ns = now_ns
        gap, ask = 0, None
        if self._expected is not None:
            gap = index_distance(frame_index, self._expected)
            if gap < 0:
                return FrameVerdict(present=False, stale=True)
        if gap:
            assert self._expected is not None
            self._credits.append((gap, now_ns))
            self._freeze(now_ns)
            wide = gap > WIDEST_RFI
            last = (frame_index - 1) & INDEX_MASK
            ask = self._ask(KeyframeAsk() if wide else RfiAsk(self._expected, last), now_ns)
        self._expected = (frame_index + 1) & INDEX_MASK
        lifted = self._lifts(user_flags, now_ns, anchor_clean=anchor_clean)
        return FrameVerdict(present=not self.frozen, ask=ask, gap=gap, lifted=lifted)

    def on_dropped_total(self, dropped_total: int, now_ns: int) -> Ask | None:
        """Receiver's count of given-up frames: those that no gap announced freeze the picture."""
        rise, self._dropped_total = max(0, dropped_total - self._dropped_total), dropped_total
        while self._credits and now_ns - self._credits[0][1] > CREDIT_NS:
            self._credits.popleft()
        while rise and self._credits:
            count, at_ns = self._credits.popleft()
            used = min(rise, count)
            rise -= used
            if count > used:
                self._credits.appendleft((count - used, at_ns))
        if not rise:
            return None
        self._freeze(now_ns)
        return self._ask(KeyframeAsk(), now_ns)

    def on_decoded(self, *, produced: bool, now_ns: int, key_frame: bool = False) -> Ask | None:
        """Note a unit decoded. Three in a row without a picture freeze; the decoder's key frame lifts."""
        if produced:
            self._silent_units = 0
            if key_frame:
                self._lift()
            return None
        self._silent_units += 1
        if self._silent_units < SILENT_UNITS_MAX:
            return None
        self._silent_units = 0
        self._freeze(now_ns)
        return self._ask(KeyframeAsk(), now_ns)

    def on_flush(self, now_ns: int) -> Ask | None:
        """Everything that waited was thrown away (falling behind): begin again with a key frame."""
        self._expected = None
        self._freeze(now_ns)
        return self._ask(KeyframeAsk(), now_ns)

    def tick(self, now_ns: int) -> Ask | None:
        """Ask again where a freeze lasts, or where no video comes at all."""
        if self.frozen and now_ns >= self._freeze_deadline_ns:
            self._freeze_deadline_ns = now_ns + FREEZE_NS
            return self._ask(KeyframeAsk(), now_ns)
        if now_ns - self._last_no_video_ns >= NO_VIDEO_NS:
            self._last_no_video_ns = now_ns
            return self._ask(KeyframeAsk(), now_ns)
        return None

    def deadline_ns(self) -> int:
        """When ``tick`` has something to do at the earliest."""
        silence_ns = self._last_no_video_ns + NO_VIDEO_NS
        return min(self._freeze_deadline_ns, silence_ns) if self.frozen else silence_ns

    def _freeze(self, now_ns: int) -> None:
        self.frozen, self._marks, self._wave_started = True, 0, False
        self._freeze_deadline_ns = now_ns + FREEZE_NS

    def _lift(self) -> bool:
        lifted, self.frozen = self.frozen, False
        return lifted

    def _lifts(self, user_flags: int, now_ns: int, *, anchor_clean: bool) -> bool:
        mark, close = user_flags & USER_RECOVERY_POINT, user_flags & USER_RECOVERY_CLOSE
        self._waves_close = self._waves_close or bool(close)
        if not self.frozen:
            return False
        if user_flags & USER_KEY_FRAME or (user_flags & USER_RECOVERY_ANCHOR and anchor_clean):
            return self._lift()
        if close and self._wave_started:
            return self._lift()
        if mark:
            self._freeze_deadline_ns = now_ns + MARK_NS
            self._marks += 1
            self._wave_started = self._wave_started or not close
            if not self._waves_close and self._marks >= _MARKS_TO_LIFT:
                return self._lift()
        return False

    def _ask(self, ask: Ask, now_ns: int) -> Ask | None:
        if self._last_ask_ns is not None and now_ns - self._last_ask_ns < ASK_INTERVAL_NS:
            return None
        self._last_ask_ns = now_ns
        return ask
