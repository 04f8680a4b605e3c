"""Open pads: the kernel's end is a file of /dev/uhid or /dev/uinput, and the device lives as long as it does.

Reports are written at once and never wait: the kernel takes them or they are dropped. What the kernel and
games say is read by :meth:`run`. Opening and closing go through a thread, as the kernel may take its time.
"""

import fcntl
import os
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Protocol

import trio

from punktfunk.control.pads.access import UHID, UINPUT, open_node
from punktfunk.control.pads.kinds import XBOX
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.wire.evdev import uinput
from punktfunk.wire.evdev.codes import FF_ERASE, FF_UPLOAD, Effect, Type
from punktfunk.wire.input import PadModel
from punktfunk.wire.pads import uhid
from punktfunk.wire.pads.dualsense import DualSense
from punktfunk.wire.pads.dualshock4 import DualShock4
from punktfunk.wire.pads.hid import HidPad
from punktfunk.wire.pads.motors import Motors
from punktfunk.wire.pads.pad import PadView
from punktfunk.wire.pads.switch_pro import SwitchPro
from punktfunk.wire.pads.wishes import PadWish, RumbleWish
from punktfunk.wire.pads.xbox import XBOX_360, XBOX_ONE, XboxEvents

CLOSE_S: Final = 5.0
EVENTS_AT_ONCE: Final = 64
EINVAL: Final = 22
LOCAL_ADDRESS: Final = 0x02

Wish = Callable[[PadWish], None]
Ioctl = Callable[[int, int, Any], Any]
Clock = Callable[[], int]

HID_PADS: Final[dict[PadModel, Callable[[bytes], HidPad]]] = {
    PadModel.DUALSENSE: DualSense,
    PadModel.DUALSHOCK_4: DualShock4,
    PadModel.SWITCH_PRO: SwitchPro,
}


class PadDevice(Protocol):
    """A virtual pad that games see."""

    has_motion: bool

    def show(self) -> None:
        """Tell games the state of its view. Never waits, raises nothing."""

    async def run(self) -> None:
        """Serve the kernel and games until cancelled; EnvironmentProblem if the kernel takes the pad away."""


@dataclass(frozen=True, slots=True)
class PadPlace:
    """Which pad it is: its player's slot, and whose it is, which makes its address the same every time."""

    slot: int
    owner: str
    pad: int

    @property
    def mac(self) -> bytes:
        """Its address: of nobody's range, and no other pad's."""
        return bytes((LOCAL_ADDRESS,)) + sha256(f"{self.owner}/{self.pad}".encode()).digest()[:5]


OpenPad = Callable[[PadModel, PadPlace, PadView, Wish], Any]
"""Opens a pad for the length of an ``async with``."""


class UhidPad:
    """See ``PadDevice``: a pad on the HID bus."""

    def __init__(self, handle: int, pad: HidPad, view: PadView, wish: Wish, clock_ns: Clock) -> None:
        self.has_motion = pad.has_motion
        self._handle, self._pad, self._view, self._wish = handle, pad, view, wish
        self._clock_ns = clock_ns

    def show(self) -> None:
        """See ``PadDevice``."""
        self._write(uhid.build_input(self._pad.report(self._view, self._clock_ns())))

    async def run(self) -> None:
        """See ``PadDevice``."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump)
            while True:
                await trio.lowlevel.wait_readable(self._handle)
                with suppress(BlockingIOError, RemoteProtocolError):
                    self._take(uhid.parse_event(_read(self._handle, uhid.EVENT_BYTES)))

    async def _pump(self) -> None:
        """Repeat the state: some drivers do nothing until they have seen a report."""
        while True:
            self.show()
            await trio.sleep(self._pad.period_ns / 1e9)

    def _take(self, event: uhid.UhidEvent | None) -> None:
        match event:
            case uhid.FeatureAsked():
                answer = self._pad.feature(event.report_id)
                self._write(uhid.build_feature_answer(event.number, answer))
            case uhid.ReportSet():
                if event.is_output:
                    self._obey(event.data)
                self._write(uhid.build_set_answer(event.number))
            case uhid.OutputReport():
                self._obey(event.data)
            case _:
                pass

    def _obey(self, data: bytes) -> None:
        answer = self._pad.output(data, self._view)
        for reply in answer.replies:
            self._write(uhid.build_input(reply))
        for wish in answer.wishes:
            self._wish(wish)

    def _write(self, event: bytes) -> None:
        with suppress(OSError):  # a kernel that takes the pad away is noticed by the reader
            os.write(self._handle, event)


@dataclass(slots=True)
class UinputPad:
    """See ``PadDevice``: an Xbox pad."""

    handle: int
    view: PadView
    wish: Wish
    clock_ns: Clock = time.monotonic_ns
    ioctl: Ioctl = fcntl.ioctl
    has_motion: bool = False
    _events: XboxEvents = field(default_factory=XboxEvents)
    _motors: Motors = field(default_factory=Motors)
    _told: tuple[int, int] = (0, 0)

    def show(self) -> None:
        """See ``PadDevice``."""
        events = self._events.changes(self.view)
        if events:
            with suppress(OSError):
                os.write(self.handle, b"".join(uinput.build_event(*event) for event in events))

    async def run(self) -> None:
        """See ``PadDevice``."""
        while True:
            deadline_ns = self._motors.deadline_ns(self.clock_ns())
            patience_s = float("inf") if deadline_ns is None else max(0, deadline_ns - self.clock_ns()) / 1e9
            with trio.move_on_after(patience_s):
                await trio.lowlevel.wait_readable(self.handle)
            with suppress(BlockingIOError):
                for event in uinput.parse_events(_read(self.handle, uinput.EVENT.size * EVENTS_AT_ONCE)):
                    self._take(*event)
            self._tell()

    def _take(self, kind: int, code: int, value: int) -> None:
        if kind == Type.FF and code == Effect.GAIN:
            self._motors.set_gain(value)
        elif kind == Type.FF:
            self._motors.play(code, value, self.clock_ns())
        elif kind == Type.UINPUT and code == FF_UPLOAD:
            self._upload(value)
        elif kind == Type.UINPUT and code == FF_ERASE:
            self._erase(value)

    def _upload(self, number: int) -> None:
        request = uinput.build_request(number, uinput.UPLOAD_BYTES)
        with suppress(OSError):  # the game has given up meanwhile
            self.ioctl(self.handle, uinput.BEGIN_UPLOAD, request)
            taken = self._motors.upload(*uinput.read_upload(bytes(request)))
            uinput.set_result(request, 0 if taken else -EINVAL)
            self.ioctl(self.handle, uinput.END_UPLOAD, request)

    def _erase(self, number: int) -> None:
        request = uinput.build_request(number, uinput.ERASE.size)
        with suppress(OSError):
            self.ioctl(self.handle, uinput.BEGIN_ERASE, request)
            self._motors.erase(uinput.ERASE.unpack(request)[2])
            uinput.set_result(request, 0)
            self.ioctl(self.handle, uinput.END_ERASE, request)

    def _tell(self) -> None:
        levels = self._motors.levels(self.clock_ns())
        if levels != self._told:
            self._told = levels
            self.wish(RumbleWish(*levels))


def _read(handle: int, size: int) -> bytes:
    try:
        return os.read(handle, size)
    except BlockingIOError:
        raise
    except OSError as error:
        raise EnvironmentProblem(f"the kernel took a pad away: {error.strerror}") from error


def make_uinput(handle: int, spec: uinput.DeviceSpec, ioctl: Ioctl = fcntl.ioctl) -> None:
    """Make a device on an open /dev/uinput; it is there at once and goes when the file is closed."""
    kinds = [kind for kind, _codes in spec.codes] + ([Type.ABS] if spec.axes else [])
    for kind in (Type.SYN, *kinds):
        ioctl(handle, uinput.SET_EVBIT, int(kind))
    for kind, codes in spec.codes:
        for code in codes:
            ioctl(handle, uinput.set_bit(kind), int(code))
    for prop in spec.properties:
        ioctl(handle, uinput.SET_PROPBIT, int(prop))
    ioctl(handle, uinput.DEV_SETUP, uinput.build_setup(spec))
    for code, axis in spec.axes:
        ioctl(handle, uinput.SET_ABS, uinput.build_axis(code, axis))
    ioctl(handle, uinput.DEV_CREATE, 0)


@asynccontextmanager
async def open_uinput_device(spec: uinput.DeviceSpec) -> AsyncGenerator[int]:
    """Make a device and yield its handle; EnvironmentProblem if it cannot be made."""
    handle = open_node(UINPUT)
    try:
        try:
            await trio.to_thread.run_sync(make_uinput, handle, spec)
        except OSError as error:
            raise EnvironmentProblem(f"the kernel makes no {spec.name}: {error.strerror}") from error
        yield handle
    finally:
        await _close(handle)


@asynccontextmanager
async def open_pad(model: PadModel, place: PadPlace, view: PadView, wish: Wish) -> AsyncGenerator[PadDevice]:
    """Make a pad; it is gone when the block ends. EnvironmentProblem if it cannot be made."""
    if model in XBOX:
        spec = XBOX_ONE if model is PadModel.XBOX_ONE else XBOX_360
        async with open_uinput_device(spec) as handle:
            yield UinputPad(handle, view, wish)
        return
    handle = open_node(UHID)
    try:
        pad = HID_PADS[model](place.mac)
        try:
            os.write(handle, uhid.build_create(pad.identity, f"punktfunk/{place.slot}", place.mac.hex(":")))
        except OSError as error:
            raise EnvironmentProblem(f"the kernel makes no {pad.identity.name}: {error.strerror}") from error
        yield UhidPad(handle, pad, view, wish, time.monotonic_ns)
    finally:
        await _close(handle)


async def _close(handle: int) -> None:
    """Close in a thread: the kernel waits for a driver that is still getting to know the pad."""
    with trio.move_on_after(CLOSE_S, shield=True):
        await trio.to_thread.run_sync(os.close, handle, abandon_on_cancel=True)
