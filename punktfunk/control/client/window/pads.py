"""Gamepads: what they are doing, as snapshots that survive loss.

A snapshot is the whole state; it goes out at every change and again every 100 ms for every pad that was ever
there, so that a lost datagram is mended. One counter for all messages of a pad, never reset; arrivals and
removals are repeated twice on that tick. Hosts without snapshots get single buttons and axes. Pads keep the
slot that they got first. Source: punktfunk-1 §2.10.
"""

from dataclasses import dataclass, field
from typing import Final

from punktfunk.wire.native.capabilities import GamepadKind, Grant, HostCap
from punktfunk.wire.native.input import (
    PAD_COUNT,
    NativeInput,
    PadAxis,
    PadAxisCode,
    PadButton,
    PadPlugged,
    PadRemoval,
    PadSnapshot,
)

REFRESH_NS: Final = 100_000_000
REPEATS: Final = 2


@dataclass(slots=True)
class _Pad:
    kind: GamepadKind
    sequence: int = 0
    buttons: int = 0
    axes: list[int] = field(default_factory=lambda: [0] * len(PadAxisCode))
    present: bool = True
    announcements: int = 0  # repeats still to send of the arrival or the removal


class PadBank:
    """All pads of this client. ``handle`` is whatever names a device at the caller. For the main thread."""

    def __init__(self) -> None:
        self.caps = HostCap(0)
        self.grants = Grant.ALL
        self._pads: dict[int, _Pad] = {}
        self._slots: dict[int, int] = {}
        self._next_ns = 0

    def slot_of(self, handle: int) -> int | None:
        """Pad number of a device; None if there are sixteen others."""
        return self._slots.get(handle)

    def begin(self, caps: HostCap, grants: Grant) -> list[NativeInput]:
        """Begin a session: announce what is there."""
        self.caps, self.grants = caps, grants
        self._pads = {slot: pad for slot, pad in self._pads.items() if pad.present}
        events: list[NativeInput] = []
        for slot, pad in self._pads.items():
            events += self._announce(slot, pad)
        return events

    def plugged(self, handle: int, kind: GamepadKind) -> list[NativeInput]:
        """Take a device that came."""
        used = set(self._slots.values())
        slot = next((number for number in range(PAD_COUNT) if number not in used), None)
        if slot is None or handle in self._slots:
            return []
        self._slots[handle] = slot
        old = self._pads.get(slot)
        pad = _Pad(kind, sequence=old.sequence if old else 0)
        self._pads[slot] = pad
        return self._announce(slot, pad)

    def removed(self, handle: int) -> list[NativeInput]:
        """Let go of a device that went."""
        slot = self._slots.pop(handle, None)
        if slot is None:
            return []
        pad = self._pads[slot]
        pad.present = False
        held = [1 << bit for bit in range(32) if pad.buttons >> bit & 1]
        pad.buttons, pad.axes = 0, [0] * len(PadAxisCode)
        if not self._snapshots:
            let_go: list[NativeInput] = [PadButton(slot, bit, pressed=False) for bit in held]
            return self._allowed([*let_go, *(PadAxis(slot, axis, 0) for axis in PadAxisCode)])
        pad.announcements = REPEATS
        return self._allowed([PadRemoval(slot, self._next_sequence(pad))])

    def button(self, handle: int, bit: int, *, pressed: bool) -> list[NativeInput]:
        """Change a button of a device."""
        slot = self._slots.get(handle)
        if slot is None:
            return []
        pad = self._pads[slot]
        pad.buttons = pad.buttons | bit if pressed else pad.buttons & ~bit
        return self._changed(slot, pad, PadButton(slot, bit, pressed))

    def axis(self, handle: int, axis: PadAxisCode, value: int) -> list[NativeInput]:
        """Change an axis: sticks -32768 to 32767 with up positive, triggers 0 to 255."""
        slot = self._slots.get(handle)
        if slot is None or self._pads[slot].axes[axis] == value:
            return []
        pad = self._pads[slot]
        pad.axes[axis] = value
        return self._changed(slot, pad, PadAxis(slot, axis, value))

    def tick(self, now_ns: int) -> list[NativeInput]:
        """Repeat what is due: every 100 ms the state of every pad."""
        if now_ns < self._next_ns or not self._snapshots:
            return []
        self._next_ns = now_ns + REFRESH_NS
        events: list[NativeInput] = []
        for slot, pad in self._pads.items():
            if pad.announcements:
                pad.announcements -= 1
                if pad.present:
                    events.append(PadPlugged(slot, pad.kind))
                else:
                    events.append(PadRemoval(slot, self._next_sequence(pad)))
            if pad.present:
                events.append(self._snapshot(slot, pad))
        return self._allowed(events)

    def deadline_ns(self) -> int | None:
        """When ``tick`` has something to do; None without pads."""
        return self._next_ns if self._pads and self._snapshots else None

    @property
    def _snapshots(self) -> bool:
        return bool(self.caps & HostCap.PAD_SNAPSHOTS)

    def _announce(self, slot: int, pad: _Pad) -> list[NativeInput]:
        if not self._snapshots:
            return []
        pad.announcements = REPEATS
        return self._allowed([PadPlugged(slot, pad.kind), self._snapshot(slot, pad)])

    def _changed(self, slot: int, pad: _Pad, single: NativeInput) -> list[NativeInput]:
        return self._allowed([self._snapshot(slot, pad) if self._snapshots else single])

    def _snapshot(self, slot: int, pad: _Pad) -> PadSnapshot:
        left_x, left_y, right_x, right_y, left_trigger, right_trigger = pad.axes
        return PadSnapshot(
            slot,
            self._next_sequence(pad),
            pad.buttons,
            left_trigger,
            right_trigger,
            left_x,
            left_y,
            right_x,
            right_y,
        )

    def _allowed(self, events: list[NativeInput]) -> list[NativeInput]:
        return events if self.grants & Grant.GAMEPAD else []

    @staticmethod
    def _next_sequence(pad: _Pad) -> int:
        pad.sequence = (pad.sequence + 1) & 0xFF
        return pad.sequence


def only_last_snapshots(events: list[NativeInput]) -> list[NativeInput]:
    """Keep of each pad's snapshots in one batch the last of every run without a button change."""
    kept: list[NativeInput] = []
    for event in events:
        last = kept[-1] if kept else None
        if (
            isinstance(event, PadSnapshot)
            and isinstance(last, PadSnapshot)
            and (event.pad, event.buttons) == (last.pad, last.buttons)
        ):
            kept[-1] = event
        else:
            kept.append(event)
    return kept
