"""All pads of one session: they come and go with the client's, show its state, and tell what games ask for.

    PadArrival, or the first PadState -> slot, model -> device .. states, touches, motion -> reports
    PadState without the pad's bit -> device gone
    session over, however -> motors stopped, devices gone: the kernel releases what they held

A pad that cannot be made costs nobody the stream: its events are counted, and the reason is told once.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import trio

from punktfunk.control.pads.access import REMEDY, UHID, UINPUT, examine_node
from punktfunk.control.pads.devices import OpenPad, PadDevice, PadPlace, open_pad
from punktfunk.control.pads.kinds import AUTO, OFF, TITLES, Nodes, possible_model, wanted_model
from punktfunk.control.pads.slots import SlotBook
from punktfunk.control.problems import first_leaf
from punktfunk.errors import EnvironmentProblem
from punktfunk.wire.input import (
    HapticsEnable,
    InputEvent,
    MotionKind,
    PadArrival,
    PadBattery,
    PadCapability,
    PadKind,
    PadModel,
    PadMotion,
    PadState,
    PadTouch,
)
from punktfunk.wire.pads.pad import PadView
from punktfunk.wire.pads.wishes import MotionWish, PadWish, RumbleWish, TriggerRumbleWish

logger = logging.getLogger(__name__)

MOTION_RATE_HZ: Final = 250
PAD_COUNT: Final = 16
PAD_EVENTS: Final = (PadArrival, PadState, PadTouch, PadMotion, PadBattery, HapticsEnable)
_SENSORS: Final = {
    MotionKind.ACCELERATION: PadCapability.ACCELERATION,
    MotionKind.GYROSCOPE: PadCapability.GYROSCOPE,
}

Tell = Callable[[int, PadWish], None]
"""Takes a wish for one of the client's pads. Never waits, raises nothing."""


def _look() -> Nodes:
    return Nodes(examine_node(UINPUT).usable, examine_node(UHID).usable)


def _say_nothing(_line: str) -> None:
    """Drop a line."""


@dataclass(frozen=True, slots=True)
class PadMeans:
    """What every session's pads use.

    setting  one of ``kinds.SETTINGS``
    players  the same for players 1, 2 and so on, as far as it goes
    """

    setting: str = AUTO
    slots: SlotBook = field(default_factory=SlotBook)
    report: Callable[[str], None] = _say_nothing
    open_pad: OpenPad = open_pad
    look: Callable[[], Nodes] = _look
    players: tuple[str, ...] = ()

    def setting_of(self, slot: int) -> str:
        """Tell what is set for the pad in a player's slot."""
        return self.players[slot] if slot < len(self.players) else self.setting


class _Plug:
    """One pad while it is plugged in."""

    def __init__(self, pad: int, slot: int, model: PadModel, arrival: PadArrival) -> None:
        self.pad, self.slot, self.model, self.arrival = pad, slot, model, arrival
        self.view = PadView()
        self.device: PadDevice | None = None
        self.broken = False
        self.scope = trio.CancelScope()
        self.made = trio.Event()
        self.gone = trio.Event()
        self.motors: dict[type, PadWish] = {}

    def show(self) -> None:
        if self.device is not None:
            self.device.show()


class PadHub:
    """See above. ``owner`` is the client: its pads get the same slots and addresses every time."""

    def __init__(self, means: PadMeans, owner: str, tell: Tell, nursery: trio.Nursery) -> None:
        self._means, self._owner, self._tell, self._nursery = means, owner, tell, nursery
        self._plugs: dict[int, _Plug] = {}
        self._going: dict[int, _Plug] = {}
        self._complained = False
        self._last: _Plug | None = None
        self.on_slots: Callable[[int], None] = _ignore

    @property
    def slot_mask(self) -> int:
        """Player slots of the host that this session holds."""
        return sum(1 << plug.slot for plug in self._plugs.values())

    def inject(self, event: InputEvent) -> bool:
        """Take an event of a pad; False if there is no device for it. Never waits, raises nothing."""
        match event:
            case PadArrival():
                return self._arrive(event)
            case PadState():
                return self._state(event)
            case HapticsEnable():
                return True
            case PadTouch() | PadMotion() | PadBattery():
                plug = self._plugs.get(event.pad)
                if plug is None:
                    return False
                self._detail(plug, event)
                return not plug.broken
            case _:
                return False

    def release_all(self) -> None:
        """Let go of everything that pads hold; they stay plugged in."""
        for plug in self._plugs.values():
            plug.view.rest()
            plug.show()

    def unplug_all(self) -> None:
        """Begin to take all pads away."""
        for pad in list(self._plugs):
            self._unplug(pad)

    # -- coming and going

    def _arrive(self, event: PadArrival) -> bool:
        if not 0 <= event.pad < PAD_COUNT or self._means.setting == OFF:
            return False
        plug = self._plugs.get(event.pad)
        slot = plug.slot if plug is not None else self._means.slots.take(self._owner, event.pad)
        if slot is None:
            self._means.report(f"pads: all {PAD_COUNT} player slots are in use")
            return False
        model = possible_model(wanted_model(self._means.setting_of(slot), event), self._means.look())
        if model is None:
            if plug is None:
                self._means.slots.release(slot)
            self._complain()
            return False
        if plug is not None and plug.model is model:
            plug.arrival = event
            self._ask_for_motion(plug)
            return not plug.broken
        if plug is not None:
            self._unplug(event.pad)
            self._means.slots.take(self._owner, event.pad)  # whoever comes back gets the same one
        plug = self._plugs[event.pad] = _Plug(event.pad, slot, model, event)
        # One after the other: games number pads in the order in which they come.
        waits = [self._last.made] if self._last is not None else []
        waits += [before.gone] if (before := self._going.get(event.pad)) is not None else []
        self._last = plug
        self._nursery.start_soon(self._own, plug, waits)
        self.on_slots(self.slot_mask)
        return True

    def _state(self, event: PadState) -> bool:
        if not event.active_mask >> event.pad & 1:
            return self._unplug(event.pad)
        if event.pad not in self._plugs and not self._arrive(PadArrival(event.pad, PadKind.UNKNOWN, 0, 0)):
            return False
        plug = self._plugs[event.pad]
        plug.view.set_state(event)
        plug.show()
        return not plug.broken

    def _unplug(self, pad: int) -> bool:
        plug = self._plugs.pop(pad, None)
        if plug is None:
            return False
        self._going[pad] = plug
        plug.scope.cancel()
        self._means.slots.release(plug.slot)
        self.on_slots(self.slot_mask)
        return True

    async def _own(self, plug: _Plug, waits: list[trio.Event]) -> None:
        """Hold the device of a pad until it is unplugged, when its turn has come."""
        place = PadPlace(plug.slot, self._owner, plug.pad)
        try:
            with plug.scope:
                for event in waits:
                    await event.wait()
                async with self._means.open_pad(
                    plug.model, place, plug.view, lambda wish: self._wish(plug, wish)
                ) as plug.device:
                    plug.made.set()
                    self._means.report(f"pads: {TITLES[plug.model]} for player {plug.slot + 1}")
                    plug.show()
                    self._ask_for_motion(plug)
                    assert plug.device is not None
                    await plug.device.run()
        except* EnvironmentProblem as problems:
            plug.broken = True
            problem = first_leaf(problems)
            self._means.report(f"pads: {problem}; {getattr(problem, 'hint', '') or REMEDY}")
        finally:
            plug.device = None
            plug.made.set()
            self._silence(plug)
            plug.gone.set()
            if self._going.get(plug.pad) is plug:
                del self._going[plug.pad]

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            self._means.report(f"pads: none can be made: neither {UINPUT} nor {UHID} is usable. {REMEDY}")

    # -- states and wishes

    def _detail(self, plug: _Plug, event: PadTouch | PadMotion | PadBattery) -> None:
        match event:
            case PadTouch():
                plug.view.set_touch(event)
            case PadMotion():
                plug.view.set_motion(event)
            case PadBattery():
                plug.view.set_battery(event)
        plug.show()

    def _wish(self, plug: _Plug, wish: PadWish) -> None:
        """Tell the client; levels that it has are not told again, and drivers repeat them a lot."""
        if isinstance(wish, RumbleWish | TriggerRumbleWish):
            kind = type(wish)
            if plug.motors.get(kind, kind(0, 0)) == wish:
                return
            plug.motors[kind] = wish
        self._tell(plug.pad, wish)

    def _silence(self, plug: _Plug) -> None:
        for kind, wish in list(plug.motors.items()):
            quiet = TriggerRumbleWish(0, 0) if kind is TriggerRumbleWish else RumbleWish(0, 0)
            if wish != quiet:
                self._tell(plug.pad, quiet)
        plug.motors.clear()

    def _ask_for_motion(self, plug: _Plug) -> None:
        if plug.device is None or not plug.device.has_motion:
            return
        for kind, needed in _SENSORS.items():
            if plug.arrival.capabilities & needed:
                self._tell(plug.pad, MotionWish(kind, MOTION_RATE_HZ))


def _ignore(_mask: int) -> None:
    """Tell nobody about slots."""


@asynccontextmanager
async def open_pads(means: PadMeans, owner: str, tell: Tell) -> AsyncGenerator[PadHub]:
    """Take a client's pads for the length of the block."""
    async with trio.open_nursery() as nursery:
        hub = PadHub(means, owner, tell, nursery)
        try:
            yield hub
        finally:
            hub.unplug_all()
            nursery.cancel_scope.cancel()
