"""What a host does about lost frames: one action for all asks of a tick. Spec: punktfunk-1.md section 2.17.

Asks are cheap to repeat and repairs are not: an IDR is the largest frame there is, and sent into a link that
just lost packets it makes the next loss. So there is one IDR per cooldown, and the cooldown doubles with each
IDR that did not help. Asks that come within it are dropped: a client that stays frozen asks again.
"""

from dataclasses import dataclass
from typing import Final

from punktfunk.control.adapt.asks import Ask, KeyframeAsk, RfiAsk, index_distance

IDR_COOLDOWN_NS: Final = 750_000_000
IDR_COOLDOWN_REFRESH_NS: Final = 2_000_000_000
ECHO_NS: Final = 300_000_000
EPISODE_NS: Final = 1_000_000_000
ECHOES_MAX: Final = 2
WIDEST_RFI: Final = 256
_DOUBLINGS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class SendIdr:
    """Make the next frame an IDR."""


@dataclass(frozen=True, slots=True)
class Invalidate:
    """Encode on without these frames; the first clean unit carries USER_RECOVERY_ANCHOR."""

    first_index: int
    last_index: int


RecoveryAction = SendIdr | Invalidate


class HostRecovery:
    """Gather asks, then ``decide`` once per frame tick.

    ``can_invalidate``: the encoder takes reference invalidation. ``intra_refresh``: it repairs by a wave, so
    IDRs are rarer still. ``deaf``: every frame is a key frame (PyroWave), asks are ignored.
    """

    def __init__(self, *, can_invalidate: bool, intra_refresh: bool = False, deaf: bool = False) -> None:
        self._can_invalidate = can_invalidate
        self._deaf = deaf
        self._base_ns = IDR_COOLDOWN_REFRESH_NS if intra_refresh else IDR_COOLDOWN_NS
        self._cooldown_ns = self._base_ns
        self._keyframe_pending = False
        self._range: tuple[int, int] | None = None
        self._last_ask_ns: int | None = None
        self._last_idr_ns: int | None = None
        self._last_repair_ns: int | None = None
        self._echoes = 0
        self.asked = False
        self.swallowed_count = 0

    def on_ask(self, ask: Ask, now_ns: int) -> None:
        """Take a client's RequestKeyframe or RfiRequest."""
        if self._deaf:
            return
        if self._last_ask_ns is not None and now_ns - self._last_ask_ns >= EPISODE_NS:
            self._echoes, self._cooldown_ns = 0, self._base_ns
        self._last_ask_ns, self.asked = now_ns, True
        match ask:
            case KeyframeAsk():
                if self._is_echo(now_ns):
                    self._echoes += 1
                    self.swallowed_count += 1
                else:
                    self._keyframe_pending = True
            case RfiAsk(first, last):
                self._merge(first, last)

    def take_asked(self) -> bool:
        """Whether anything was asked since the last call: AdaptiveFec wants to know with each LossReport."""
        asked, self.asked = self.asked, False
        return asked

    def decide(self, now_ns: int) -> RecoveryAction | None:
        """One action for everything that is pending, or None."""
        wanted, self._range = self._range, None
        keyframe, self._keyframe_pending = self._keyframe_pending, False
        if wanted is not None and not keyframe:
            first, last = wanted
            if self._can_invalidate and 0 <= index_distance(last, first) < WIDEST_RFI:
                self._last_repair_ns = now_ns
                return Invalidate(first, last)
            keyframe = True
        return self._idr(now_ns) if keyframe else None

    def on_refused(self, now_ns: int) -> RecoveryAction | None:
        """Give a key frame, if one is due, in place of the invalidation that the encoder refused."""
        self._last_repair_ns = None
        return self._idr(now_ns)

    def on_idr(self, now_ns: int) -> None:
        """Note an IDR for another reason (start, rebuild, source stall): asks made before it are met."""
        self._keyframe_pending, self._range = False, None
        self._last_idr_ns = now_ns

    def _idr(self, now_ns: int) -> RecoveryAction | None:
        if self._last_idr_ns is not None:
            if now_ns - self._last_idr_ns < self._cooldown_ns:
                return None
            if now_ns - self._last_idr_ns < self._cooldown_ns + EPISODE_NS:
                self._cooldown_ns = min(self._cooldown_ns * 2, self._base_ns << _DOUBLINGS_MAX)
        self._last_idr_ns = now_ns
        return SendIdr()

    def _is_echo(self, now_ns: int) -> bool:
        repaired = self._last_repair_ns is not None and now_ns - self._last_repair_ns < ECHO_NS
        return repaired and self._echoes < ECHOES_MAX

    def _merge(self, first: int, last: int) -> None:
        if self._range is None:
            self._range = first, last
            return
        low, high = self._range
        self._range = (
            first if index_distance(first, low) < 0 else low,
            last if index_distance(last, high) > 0 else high,
        )
