"""Devices against a kernel that is a socket: its questions answered, its effects played, its end noticed."""

import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from punktfunk.control.pads import access, devices
from punktfunk.control.pads.access import examine_node, open_node
from punktfunk.control.pads.devices import PadPlace, UhidPad, UinputPad, make_uinput
from punktfunk.errors import EnvironmentProblem
from punktfunk.wire.evdev import uinput
from punktfunk.wire.evdev.codes import Abs, Effect, Type
from punktfunk.wire.pads.dualsense import DualSense
from punktfunk.wire.pads.pad import Button, PadView
from punktfunk.wire.pads.switch_pro import SwitchPro
from punktfunk.wire.pads.wishes import LightWish, RumbleWish
from punktfunk.wire.pads.xbox import XBOX_360

pytestmark = pytest.mark.trio
INPUT, FEATURE_ANSWER, SET_ANSWER = 12, 10, 14


@pytest.fixture
def kernel():
    """Both ends of a connection that keeps messages apart, as the kernel's nodes do."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for end in (ours, theirs):
            end.settimeout(0)
        yield ours.fileno(), theirs


def clock_ns():
    return int(trio.current_time() * 1e9)


def heard(theirs):
    messages = []
    while True:
        try:
            messages.append(theirs.recv(5000))
        except BlockingIOError:
            return messages


def kinds(theirs):
    return [message[0] for message in heard(theirs)]


async def test_a_driver_is_answered(kernel, autojump_clock):
    handle, theirs = kernel
    wishes = []
    pad = UhidPad(handle, DualSense(bytes(6)), PadView(), wishes.append, clock_ns)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pad.run)
        await wait_all_tasks_blocked()
        assert kinds(theirs) == [INPUT], "a report at once"
        theirs.send(b"\x09\0\0\0" + b"\x07\0\0\0" + b"\x05\0")
        await wait_all_tasks_blocked()
        (answer,) = heard(theirs)
        assert answer[:12] == b"\x0a\0\0\0\x07\0\0\0\0\0\x29\0"
        theirs.send(b"\x09\0\0\0" + b"\x08\0\0\0" + b"\x66\0")
        await wait_all_tasks_blocked()
        assert heard(theirs)[0][8:10] == b"\x05\0", "EIO"
        light = bytearray(48)
        light[0], light[2], light[45:48] = 2, 4, b"abc"
        theirs.send(b"\6\0\0\0" + bytes(light).ljust(4096, b"\0") + b"\x30\0\x01")
        theirs.send(b"\x0d\0\0\0\x09\0\0\0\x02\x01\x30\0" + bytes(light))
        await wait_all_tasks_blocked()
        assert wishes == [LightWish(97, 98, 99)] * 2
        assert kinds(theirs) == [SET_ANSWER]
        theirs.send(b"\6\0")  # cut: nobody minds
        await trio.sleep(0.35)
        assert kinds(theirs) == [INPUT] * 3
        nursery.cancel_scope.cancel()


async def test_a_switch_pad_streams_and_replies(kernel, autojump_clock):
    handle, theirs = kernel
    pad = UhidPad(handle, SwitchPro(bytes(6)), PadView(), lambda _wish: None, clock_ns)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pad.run)
        await wait_all_tasks_blocked()
        heard(theirs)
        theirs.send(b"\6\0\0\0" + b"\x80\x02".ljust(4096, b"\0") + b"\x02\0\x01")
        await wait_all_tasks_blocked()
        (reply,) = heard(theirs)
        assert reply[:8] == b"\x0c\0\0\0\x40\0\x81\x02"
        await trio.sleep(0.1)
        assert len(heard(theirs)) == 6, "a report every 15 ms"
        nursery.cancel_scope.cancel()


async def test_a_kernel_that_is_gone_is_a_problem():
    with pytest.raises(EnvironmentProblem, match="took a pad away"):
        devices._read(-1, 10)


class Ioctls:
    """Stands for ioctl(2) on a uinput: fills what the kernel fills."""

    def __init__(self, effect=b""):
        self.effect, self.calls = effect, []

    def __call__(self, _handle, number, argument):
        if number == uinput.BEGIN_UPLOAD:
            argument[8 : 8 + uinput.EFFECT_BYTES] = self.effect
        elif number == uinput.BEGIN_ERASE:
            argument[8:12] = b"\3\0\0\0"
        self.calls.append((number, bytes(argument) if isinstance(argument, bytearray) else argument))


def rumble(number, strong, weak, length_ms):
    head = int(Effect.RUMBLE).to_bytes(2, "little") + number.to_bytes(2, "little") + bytes(6)
    body = (
        length_ms.to_bytes(2, "little") + bytes(4) + strong.to_bytes(2, "little") + weak.to_bytes(2, "little")
    )
    return (head + body).ljust(uinput.EFFECT_BYTES, b"\0")


async def test_a_game_uploads_plays_and_erases(kernel, autojump_clock):
    handle, theirs = kernel
    wishes, ioctls = [], Ioctls(rumble(3, 0x4000, 0xFFFF, 300))
    pad = UinputPad(
        handle, PadView(), lambda wish: wishes.append((trio.current_time(), wish)), clock_ns, ioctls
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pad.run)
        theirs.send(uinput.build_event(Type.UINPUT, 1, 77))
        await wait_all_tasks_blocked()
        assert [number for number, _ in ioctls.calls] == [uinput.BEGIN_UPLOAD, uinput.END_UPLOAD]
        assert ioctls.calls[1][1][:8] == b"\x4d\0\0\0\0\0\0\0"
        begun = trio.current_time()
        theirs.send(uinput.build_event(Type.FF, 3, 1))
        await trio.sleep(1)
        assert [wish for _, wish in wishes] == [RumbleWish(0x4000, 0xFFFF), RumbleWish(0, 0)]
        assert wishes[1][0] - begun == pytest.approx(0.3, abs=0.001)
        theirs.send(uinput.build_event(Type.FF, 3, 1) + uinput.build_event(Type.FF, Effect.GAIN, 0x8000))
        await wait_all_tasks_blocked()
        theirs.send(uinput.build_event(Type.UINPUT, 2, 78))
        await wait_all_tasks_blocked()
        assert [wish.low for _, wish in wishes[2:]] == [0x2000, 0]
        assert ioctls.calls[-1][0] == uinput.END_ERASE
        nursery.cancel_scope.cancel()


async def test_an_effect_that_motors_cannot_play_is_refused(kernel):
    handle, theirs = kernel
    ioctls = Ioctls(bytes(uinput.EFFECT_BYTES))
    pad = UinputPad(handle, PadView(), lambda _wish: None, clock_ns, ioctls)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pad.run)
        theirs.send(uinput.build_event(Type.UINPUT, 1, 5))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert ioctls.calls[1][1][4:8] == (-22).to_bytes(4, "little", signed=True)


async def test_states_become_events(kernel):
    handle, theirs = kernel
    view = PadView()
    pad = UinputPad(handle, view, lambda _wish: None, clock_ns)
    view.buttons, view.left_trigger = int(Button.A), 9
    pad.show()
    pad.show()
    (message,) = heard(theirs)
    assert uinput.parse_events(message) == [(1, 0x130, 1), (3, Abs.Z, 9), (0, 0, 0)]


async def test_how_a_device_is_made():
    ioctls = Ioctls()
    make_uinput(5, XBOX_360, ioctls)
    numbers = [number for number, _ in ioctls.calls]
    assert numbers[-1] == uinput.DEV_CREATE
    assert numbers.count(uinput.SET_ABS) == 8
    assert (uinput.SET_EVBIT, int(Type.FF)) in ioctls.calls
    assert (uinput.set_bit(Type.FF), int(Effect.RUMBLE)) in ioctls.calls


async def test_nodes_that_cannot_be_used_say_what_helps(tmp_path, monkeypatch):
    missing = tmp_path / "uinput"
    assert "is not loaded" in examine_node(missing).problem
    with pytest.raises(EnvironmentProblem) as raised:
        open_node(missing)
    assert "punktfunk pads setup" in raised.value.hint
    missing.touch()
    assert examine_node(missing).usable
    monkeypatch.setattr(access.os, "access", lambda *_: False)
    assert "may not open" in examine_node(missing).problem


async def test_addresses_are_stable_and_apart():
    first, again, other = PadPlace(0, "phone", 0), PadPlace(3, "phone", 0), PadPlace(0, "phone", 1)
    assert first.mac == again.mac != other.mac
    assert first.mac[0] == 2
