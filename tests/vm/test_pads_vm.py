"""Virtual gamepads in a real kernel: its drivers take them for the hardware, and rumble and lights come back."""

from contextlib import asynccontextmanager

import pytest
import trio
from input_nodes import Node, appears, named, play_rumble, sysfs

from punktfunk.control.pads.hub import PadMeans, open_pads
from punktfunk.wire.evdev.codes import Abs, Button, Type
from punktfunk.wire.input import (
    BatteryState,
    ContactEvent,
    MotionKind,
    PadArrival,
    PadBattery,
    PadKind,
    PadModel,
    PadMotion,
    PadState,
    PadTouch,
)
from punktfunk.wire.pads.wishes import LightWish, MotionWish, PlayerLightsWish, RumbleWish

pytestmark = [pytest.mark.vm, pytest.mark.trio]

X360 = "Microsoft X-Box 360 pad"
DUALSENSE = "Sony Interactive Entertainment DualSense Wireless Controller"
DUALSHOCK_4 = "Sony Interactive Entertainment Wireless Controller"
SWITCH = "Nintendo Co., Ltd. Pro Controller"
SWITCH_NAMES = (SWITCH, "Nintendo Switch Pro Controller")
A, UP_DPAD, LB = 0x1000, 0x1, 0x100


class Told(list):
    def levels(self):
        return [(wish.low, wish.high) for _, wish in self if isinstance(wish, RumbleWish)]

    async def until(self, wish):
        with trio.fail_after(60):
            while wish not in [told for _, told in self]:  # noqa: ASYNC110 - the kernel says it
                await trio.sleep(0.02)


@asynccontextmanager
async def pads(setting="auto"):
    told, lines = Told(), []
    means = PadMeans(setting, report=lines.append)
    async with open_pads(means, "vm", lambda pad, wish: told.append((pad, wish))) as hub:
        hub.told, hub.lines = told, lines
        yield hub


def state(pad, buttons=0, mask=0xFFFF, **axes):
    names = ("left_trigger", "right_trigger", "left_x", "left_y", "right_x", "right_y")
    return PadState(pad, mask, buttons, *(axes.get(name, 0) for name in names))


async def test_xbox_pads_come_and_go_play_and_rumble():
    before = len(named(X360))
    async with pads() as hub:
        for pad in range(3):
            hub.inject(PadArrival(pad, PadKind.XBOX, 3, 0))
        first, *_ = await appears(X360, before + 3)
        assert sysfs("class/input/js*/dev"), "joydev knows them"
        with Node(first) as game:
            hub.inject(state(0, A | UP_DPAD, left_x=-32768, left_y=32767, right_trigger=255))
            await game.until(
                {
                    (Type.KEY, Button.SOUTH): 1,
                    (Type.ABS, Abs.HAT0Y): -1,
                    (Type.ABS, Abs.X): -32768,
                    (Type.ABS, Abs.Y): -32767,
                    (Type.ABS, Abs.RZ): 255,
                }
            )
            hub.release_all()
            await game.until({(Type.KEY, Button.SOUTH): 0, (Type.ABS, Abs.X): 0})
        said = await play_rumble(first, 0x4000, 0xFFFF)
        assert "played" in said, said
        await hub.told.until(RumbleWish(0, 0))
        assert hub.told.levels() == [(0x4000, 0xFFFF), (0, 0)]
        hub.inject(state(1, mask=0b101))
        await appears(X360, before + 2)
        hub.inject(PadArrival(1, PadKind.XBOX, 3, 0))
        await appears(X360, before + 3)
    await appears(X360, before)
    print(hub.lines)


async def check_playstation(hub, name, model, touchpad):
    hub.inject(PadArrival(0, PadKind.PLAYSTATION, 0x3B, 0, model))
    (gamepad,) = await appears(name)
    (sensors,) = await appears(f"{name} Motion Sensors")
    (pad,) = await appears(f"{name} Touchpad")
    await hub.told.until(MotionWish(MotionKind.GYROSCOPE, 250))
    with Node(gamepad) as game, Node(sensors) as motion, Node(pad) as fingers:
        assert fingers.range_of(Abs.MT_POSITION_X)[1] == touchpad[0] - 1
        assert fingers.range_of(Abs.MT_POSITION_Y)[1] == touchpad[1] - 1
        hub.inject(state(0, A | LB, left_x=32767, left_trigger=200))
        await game.until({(Type.KEY, Button.SOUTH): 1, (Type.KEY, Button.TL): 1, (Type.ABS, Abs.Z): 200})
        hub.inject(PadMotion(0, MotionKind.ACCELERATION, 0.0, 9.80665, 0.0))
        hub.inject(PadMotion(0, MotionKind.GYROSCOPE, 90.0, 0.0, -45.0))
        await motion.until(
            {
                (Type.ABS, Abs.Y): 8192,
                (Type.ABS, Abs.RX): 90 * 1024,
                (Type.ABS, Abs.RZ): -45 * 1024,
            }
        )
        hub.inject(PadTouch(0, 0, ContactEvent.DOWN, 5, 1.0, 1.0, 1.0))
        await fingers.until(
            {(Type.ABS, Abs.MT_POSITION_X): touchpad[0] - 1, (Type.ABS, Abs.MT_POSITION_Y): touchpad[1] - 1}
        )
        hub.inject(PadTouch(0, 0, ContactEvent.UP, 5, 1.0, 1.0, 0.0))
        await fingers.until({(Type.ABS, Abs.MT_TRACKING_ID): -1})
    said = await play_rumble(gamepad, 0x8000, 0x4000)
    assert "played" in said, said
    await hub.told.until(RumbleWish(0, 0))
    assert (0x80 * 257, 0x40 * 257) in hub.told.levels()
    hub.inject(PadBattery(0, BatteryState.DISCHARGING, 42))
    with trio.fail_after(30):
        while "45" not in sysfs("class/power_supply/*battery*/capacity").values():  # noqa: ASYNC110 - the kernel's
            await trio.sleep(0.05)
    assert any(isinstance(wish, LightWish) for _, wish in hub.told), "the driver sets a colour of its own"


async def test_dualsense():
    async with pads() as hub:
        await check_playstation(hub, DUALSENSE, PadModel.DUALSENSE, (1920, 1080))
        assert any(isinstance(wish, PlayerLightsWish) for _, wish in hub.told)
        (light,) = sysfs("class/leds/*:rgb:indicator/multi_intensity")
        light.write_text("10 20 30")
        await hub.told.until(LightWish(10, 20, 30))
    await appears(DUALSENSE, 0)
    print(hub.lines)


async def test_dualshock_4():
    async with pads("dualshock4") as hub:
        await check_playstation(hub, DUALSHOCK_4, None, (1920, 942))
    await appears(DUALSHOCK_4, 0)


async def test_switch_pro():
    async with pads() as hub:
        hub.inject(PadArrival(0, PadKind.NINTENDO, 0x32, 0))
        with trio.fail_after(90):
            while not (found := [node for name in SWITCH_NAMES for node in named(name)]):  # noqa: ASYNC110
                await trio.sleep(0.1)
        await trio.sleep(1)
        with Node(found[0]) as game:
            hub.inject(state(0, A, left_x=32767, left_y=32767))
            await game.until({(Type.KEY, Button.SOUTH): 1})
            assert game.state[Type.ABS, Abs.X] > 32000
            assert game.state[Type.ABS, Abs.Y] < -32000
            hub.inject(state(0))
            await game.until({(Type.KEY, Button.SOUTH): 0})
        said = await play_rumble(found[0], 0xFFFF, 0, 1.0)
        assert "played" in said, said
        with trio.fail_after(30):
            while not any(low > 60000 for low, _high in hub.told.levels()):  # noqa: ASYNC110
                await trio.sleep(0.05)
        assert any(isinstance(wish, PlayerLightsWish) for _, wish in hub.told)


async def test_two_dualsenses_are_two():
    async with pads() as hub:
        for pad in (0, 1):
            hub.inject(PadArrival(pad, PadKind.PLAYSTATION, 0x3B, 0))
        one, two = await appears(DUALSENSE, 2)
        with Node(one) as first, Node(two) as second:
            hub.inject(state(0, A))
            hub.inject(state(1, LB))
            await trio.sleep(1)
            for node, key in ((first, Button.SOUTH), (second, Button.TL)):
                with trio.move_on_after(1) as waited:
                    await node.until({(Type.KEY, key): 1})
                if waited.cancelled_caught:  # the kernel found the second one first
                    other = Button.TL if key is Button.SOUTH else Button.SOUTH
                    await node.until({(Type.KEY, other): 1})
