"""Pads come and go with a client's: models, slots, wishes, and nothing left at the end."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from punktfunk.control.pads.hub import PadHub, PadMeans, open_pads
from punktfunk.control.pads.kinds import Nodes, possible_model, wanted_model
from punktfunk.control.pads.slots import SlotBook
from punktfunk.errors import EnvironmentProblem
from punktfunk.wire.input import (
    ContactEvent,
    HapticsEnable,
    Key,
    MotionKind,
    PadArrival,
    PadCapability,
    PadKind,
    PadModel,
    PadMotion,
    PadState,
    PadTouch,
)
from punktfunk.wire.pads.wishes import MotionWish, RumbleWish

pytestmark = pytest.mark.trio
BOTH = Nodes(uinput=True, uhid=True)
REST = (0, 0, 0, 0, 0, 0)


class Double:
    """Pads without a kernel: what was opened, shown and closed."""

    def __init__(self, nodes=BOTH, problem=None):
        self.nodes, self.problem = nodes, problem
        self.said, self.lines, self.told = [], [], []
        self.wishes = {}
        self.slots = SlotBook()

    def means(self, setting="auto"):
        return PadMeans(setting, self.slots, self.lines.append, self.open_pad, lambda: self.nodes)

    @asynccontextmanager
    async def open_pad(self, model, place, view, wish):
        await trio.lowlevel.checkpoint()
        if self.problem:
            raise EnvironmentProblem(self.problem, hint="Do this.")
        self.said.append(("open", model, place.slot))
        self.wishes[place.pad] = wish
        try:
            yield _Device(self, view, place.pad)
        finally:
            self.said.append(("close", place.slot))

    def tell(self, pad, wish):
        self.told.append((pad, wish))


class _Device:
    has_motion = True

    def __init__(self, double, view, pad):
        self._double, self._view, self._pad = double, view, pad

    def show(self):
        self._double.said.append(("show", self._pad, self._view.buttons, self._view.left_x))

    async def run(self):
        await trio.sleep_forever()


def state(pad, mask=0xFFFF, buttons=0, *axes):
    return PadState(pad, mask, buttons, *(axes or REST))


async def settle():
    await wait_all_tasks_blocked()


async def test_a_pad_lives_from_its_arrival_to_its_removal():
    double = Double()
    async with open_pads(double.means(), "phone", double.tell) as hub:
        assert hub.inject(PadArrival(0, PadKind.PLAYSTATION, 0x30, 0))
        assert hub.inject(state(0, buttons=0x1000))
        await settle()
        assert double.said == [("open", PadModel.DUALSENSE, 0), ("show", 0, 0x1000, 0)]
        assert double.told == [
            (0, MotionWish(MotionKind.ACCELERATION, 250)),
            (0, MotionWish(MotionKind.GYROSCOPE, 250)),
        ]
        assert hub.slot_mask == 1
        assert hub.inject(state(0, mask=0))
        await settle()
        assert double.said[-1] == ("close", 0)
        assert hub.slot_mask == 0
        assert not hub.inject(PadTouch(0, 0, ContactEvent.DOWN, 1, 0.5, 0.5, 1.0)), "nothing is plugged in"
    assert double.lines == ["pads: DualSense for player 1"]


async def test_a_state_without_arrival_is_an_xbox_pad():
    double = Double()
    async with open_pads(double.means(), "phone", double.tell) as hub:
        assert hub.inject(state(3, 0b1000, 0, 0, 0, 77, 0, 0, 0))
        await settle()
    assert double.said == [("open", PadModel.XBOX_360, 0), ("show", 3, 0, 77), ("close", 0)]


async def test_another_model_takes_its_place_when_the_first_is_gone():
    double = Double()
    async with open_pads(double.means(), "phone", double.tell) as hub:
        hub.inject(PadArrival(0, PadKind.XBOX, 3, 0))
        await settle()
        hub.inject(PadArrival(0, PadKind.XBOX, 3, 0))
        await settle()
        hub.inject(PadArrival(0, PadKind.NINTENDO, 0, 0))
        await settle()
        assert [what[:2] for what in double.said if what[0] != "show"] == [
            ("open", PadModel.XBOX_360),
            ("close", 0),
            ("open", PadModel.SWITCH_PRO),
        ]


async def test_pads_are_made_in_the_order_in_which_they_came():
    for _ in range(10):
        double = Double()
        async with open_pads(double.means(), "phone", double.tell) as hub:
            for pad in range(4):
                hub.inject(state(pad))
            hub.inject(state(1, mask=0))
            await settle()
            assert [what[2] for what in double.said if what[0] == "open"] == [0, 2, 3]


async def test_sixteen_pads_and_no_more():
    double = Double()
    async with open_pads(double.means(), "phone", double.tell) as hub:
        assert all(hub.inject(state(pad)) for pad in range(16))
        await settle()
        assert hub.slot_mask == 0xFFFF
        async with open_pads(double.means(), "tablet", double.tell) as other:
            assert not other.inject(state(0))
            assert "all 16 player slots" in double.lines[-1]
            hub.inject(state(5, mask=0))
            assert other.inject(state(0))
            await settle()
            assert other.slot_mask == 1 << 5


async def test_who_comes_back_gets_its_slot():
    double = Double()
    async with open_pads(double.means(), "first", double.tell) as first:
        first.inject(state(0))
        async with open_pads(double.means(), "second", double.tell) as second:
            second.inject(state(0))
            assert second.slot_mask == 2
        async with open_pads(double.means(), "third", double.tell) as third:
            first.unplug_all()
            third.inject(state(0))
            assert third.slot_mask == 1
            async with open_pads(double.means(), "second", double.tell) as second:
                second.inject(state(0))
                assert second.slot_mask == 2


async def test_rumble_is_told_once_and_stopped_at_the_end():
    double = Double()
    async with open_pads(double.means(), "phone", double.tell) as hub:
        hub.inject(PadArrival(2, PadKind.XBOX, 3, 0))
        await settle()
        for level in (0, 500, 500, 900):
            double.wishes[2](RumbleWish(level, 0))
    assert double.told == [(2, RumbleWish(500, 0)), (2, RumbleWish(900, 0)), (2, RumbleWish(0, 0))]


async def test_held_buttons_are_released():
    double = Double()
    async with open_pads(double.means(), "phone", double.tell) as hub:
        hub.inject(state(0, 1, 0x1000, 255, 0, 5, 0, 0, 0))
        await settle()
        hub.release_all()
        assert double.said[-1] == ("show", 0, 0, 0)


async def test_what_cannot_be_made_is_told_once_and_streams_on():
    double = Double(Nodes(uinput=False, uhid=False))
    async with open_pads(double.means(), "phone", double.tell) as hub:
        assert not hub.inject(state(0))
        assert not hub.inject(PadArrival(1, PadKind.XBOX, 0, 0))
        assert hub.inject(HapticsEnable(enabled=True))
        assert not hub.inject(Key(0x41, pressed=True))
    assert len(double.lines) == 1
    assert "punktfunk pads setup" in double.lines[0]
    assert double.said == []


async def test_a_device_that_fails_is_told_and_the_rest_goes_on():
    double = Double(problem="the kernel makes no pad")
    async with open_pads(double.means(), "phone", double.tell) as hub:
        hub.inject(state(0))
        await settle()
        assert double.lines == ["pads: the kernel makes no pad; Do this."]
        assert not hub.inject(state(0))
        assert not hub.inject(PadMotion(0, MotionKind.GYROSCOPE, 0, 0, 0))


async def test_pads_can_be_switched_off():
    double = Double()
    async with open_pads(double.means("off"), "phone", double.tell) as hub:
        assert not hub.inject(state(0))
    assert double.lines == []


@pytest.mark.parametrize(
    ("setting", "arrival", "model"),
    [
        ("auto", PadArrival(0, PadKind.XBOX, PadCapability.TRIGGER_RUMBLE, 0), PadModel.XBOX_ONE),
        ("auto", PadArrival(0, PadKind.UNKNOWN, PadCapability.GYROSCOPE, 0), PadModel.DUALSENSE),
        ("auto", PadArrival(0, PadKind.UNKNOWN, 3, 0), PadModel.XBOX_360),
        ("auto", PadArrival(0, PadKind.PLAYSTATION, 0, 0, PadModel.DUALSHOCK_4), PadModel.DUALSHOCK_4),
        ("switchpro", PadArrival(0, PadKind.XBOX, 0, 0), PadModel.SWITCH_PRO),
    ],
)
async def test_model_by_setting_and_by_client(setting, arrival, model):
    assert wanted_model(setting, arrival) is model


async def test_each_player_may_have_a_kind_of_its_own():
    double = Double()
    means = replace(double.means("switchpro"), players=("dualshock4", "auto"))
    async with open_pads(means, "phone", double.tell) as hub:
        for pad in (5, 1, 0):
            assert hub.inject(PadArrival(pad, PadKind.XBOX, 0, 0))
        await wait_all_tasks_blocked()
    assert [said for said in double.said if said[0] == "open"] == [
        ("open", PadModel.DUALSHOCK_4, 0),
        ("open", PadModel.XBOX_360, 1),
        ("open", PadModel.SWITCH_PRO, 2),
    ]


async def test_a_pad_that_cannot_be_made_takes_no_slot():
    double = Double(nodes=Nodes(uinput=False, uhid=False))
    async with open_pads(double.means(), "phone", double.tell) as hub:
        assert not hub.inject(PadArrival(0, PadKind.XBOX, 0, 0))
        assert hub.slot_mask == 0
        assert double.slots.take("other", 0) == 0


@pytest.mark.parametrize(
    ("wanted", "nodes", "model"),
    [
        (PadModel.DUALSENSE, BOTH, PadModel.DUALSENSE),
        (PadModel.DUALSENSE, Nodes(uinput=True, uhid=False), PadModel.XBOX_360),
        (PadModel.XBOX_ONE, Nodes(uinput=False, uhid=True), PadModel.DUALSENSE),
        (PadModel.XBOX_ONE, Nodes(uinput=True, uhid=False), PadModel.XBOX_ONE),
        (PadModel.SWITCH_PRO, Nodes(uinput=False, uhid=False), None),
    ],
)
async def test_model_by_what_can_be_made(wanted, nodes, model):
    assert possible_model(wanted, nodes) is model


async def test_the_hub_needs_no_block_of_its_own():
    double = Double()
    async with trio.open_nursery() as nursery:
        masks = []
        hub = PadHub(double.means(), "phone", double.tell, nursery)
        hub.on_slots = masks.append
        hub.inject(state(0))
        await settle()
        hub.unplug_all()
        assert masks == [1, 0]
