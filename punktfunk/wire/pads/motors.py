"""Force feedback of a uinput pad: which uploaded effects play now, and what the motors do of it.

    upload(effect) -> play(number, times) -> levels at any time -> stop: play(number, 0), erase, or its length

Times are CLOCK_MONOTONIC. Levels of effects that play together add up, as in the kernel's ff-memless.c; the
gain scales them.
"""

from dataclasses import dataclass
from typing import Final

from punktfunk.wire.evdev.uinput import ForceEffect

FULL: Final = 0xFFFF
ENVELOPE_FULL: Final = 0x7FFF
EFFECTS_MAX: Final = 16
STEP_NS: Final = 50_000_000
"""How often levels are looked at while an envelope changes them (ff-memless.c: FF_ENVELOPE_INTERVAL)."""
_MS: Final = 1_000_000


@dataclass(slots=True)
class _Playing:
    effect: ForceEffect
    times: int
    begins_ns: int

    @property
    def ends_ns(self) -> int | None:
        length_ms = self.effect.length_ms
        return self.begins_ns + length_ms * _MS if length_ms else None

    def scale(self, now_ns: int) -> float:
        """How much of the effect there is now, by its envelope."""
        envelope, length_ms = self.effect.envelope, self.effect.length_ms
        since_ms = (now_ns - self.begins_ns) / _MS
        if envelope.attack_ms and since_ms < envelope.attack_ms:
            return _between(envelope.attack_level, since_ms / envelope.attack_ms)
        left_ms = length_ms - since_ms
        if length_ms and envelope.fade_ms and left_ms < envelope.fade_ms:
            return _between(envelope.fade_level, left_ms / envelope.fade_ms)
        return 1.0

    def changes(self, now_ns: int) -> bool:
        envelope = self.effect.envelope
        return bool(envelope.attack_ms or envelope.fade_ms) and now_ns >= self.begins_ns


def _between(level: int, part: float) -> float:
    """From the level of the envelope to all of the effect."""
    edge = min(level, ENVELOPE_FULL) / ENVELOPE_FULL
    return edge + (1.0 - edge) * min(max(part, 0.0), 1.0)


class Motors:
    """The effects of one pad. Numbers are the kernel's, 0 to 15."""

    def __init__(self) -> None:
        self._effects: dict[int, ForceEffect] = {}
        self._playing: dict[int, _Playing] = {}
        self._gain = FULL

    def upload(self, number: int, effect: ForceEffect | None) -> bool:
        """Take an effect, also over one that plays; False for one that motors cannot play."""
        if effect is None or not 0 <= number < EFFECTS_MAX:
            self.erase(number)
            return False
        self._effects[number] = effect
        if number in self._playing:
            self._playing[number].effect = effect
        return True

    def erase(self, number: int) -> None:
        """Forget an effect."""
        self._effects.pop(number, None)
        self._playing.pop(number, None)

    def set_gain(self, gain: int) -> None:
        """Scale everything: 0 to 65535."""
        self._gain = min(max(gain, 0), FULL)

    def play(self, number: int, times: int, now_ns: int) -> None:
        """Play an effect so many times, or stop it: 0."""
        effect = self._effects.get(number)
        if effect is None or times <= 0:
            self._playing.pop(number, None)
        else:
            self._playing[number] = _Playing(effect, times, now_ns + effect.delay_ms * _MS)

    def levels(self, now_ns: int) -> tuple[int, int]:
        """Levels of the heavy and the light motor, 0 to 65535."""
        self._advance(now_ns)
        strong = weak = 0.0
        for playing in self._playing.values():
            if now_ns >= playing.begins_ns:
                scale = playing.scale(now_ns) * self._gain / FULL
                strong += playing.effect.strong * scale
                weak += playing.effect.weak * scale
        return min(round(strong), FULL), min(round(weak), FULL)

    def deadline_ns(self, now_ns: int) -> int | None:
        """When levels may change by themselves; None if not before the next order."""
        times: list[int] = []
        for playing in self._playing.values():
            if now_ns < playing.begins_ns:
                times.append(playing.begins_ns)
            else:
                times += [] if playing.ends_ns is None else [playing.ends_ns]
                times += [now_ns + STEP_NS] if playing.changes(now_ns) else []
        return min(times, default=None)

    def _advance(self, now_ns: int) -> None:
        """Begin effects again that have ended and are to be played more often."""
        for number, playing in list(self._playing.items()):
            ends_ns = playing.ends_ns
            if ends_ns is None or now_ns < ends_ns:
                continue
            effect = playing.effect
            round_ns = (effect.length_ms + effect.delay_ms) * _MS
            passed = 1 + (now_ns - ends_ns) // round_ns
            if passed >= playing.times:
                del self._playing[number]
            else:
                playing.times -= passed
                playing.begins_ns += passed * round_ns
