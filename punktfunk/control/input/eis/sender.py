"""One connection to an EIS server through python-libei, run in the Trio thread.

    connect -> seat: bind what we use -> devices added -> resumed: emulation begins -> events, each its frame

A server pauses and removes devices as it likes, such as when its monitors or its keymap change, and adds new
ones: whoever sends asks for the device of the moment. Source: libei.h, "Protocol"; the names are libei's.
"""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import trio

from punktfunk.control.displays.base import Region
from punktfunk.control.system.serving import serving_nursery
from punktfunk.errors import EnvironmentProblem

if TYPE_CHECKING:
    from libei import ei

READY_S: Final = 3.0
MAXIMUM_KEYMAP_BYTES: Final = 1 << 20
NAME: Final = "punktfunk"


def import_libei() -> "Any":
    """Import python-libei; EnvironmentProblem if it, or libei itself, is not there."""
    try:
        from libei import ei
    except ImportError as error:
        raise EnvironmentProblem(
            "python-libei is not installed", hint="Install it beside punktfunk: pip install python-libei"
        ) from error
    if not ei.is_available():
        raise EnvironmentProblem(
            "libei.so.1 is not installed",
            hint="Install the package libei1 (Debian 13, Ubuntu 24.04 and later) or libei (Fedora, Arch).",
        )
    return ei


@dataclass(frozen=True)
class EisDevice:
    """One device that may be used now; what it is asked for with every event is read once."""

    handle: Any
    capabilities: frozenset[str]
    regions: tuple[tuple[str, Region], ...]  # (mapping id or "", place)


class EisSender:
    """The devices of one connection; see :func:`open_sender`.

    ready   set when the seat is bound and its first device may be used
    gone    set when the server has hung up
    """

    def __init__(self, context: "ei.Sender", library: Any) -> None:
        self.ready = trio.Event()
        self.gone = trio.Event()
        self.on_lost: Callable[[EisDevice], None] = lambda _device: None
        """Told of a device that the server takes away: what it held is up."""
        self.on_resumed: Callable[[EisDevice], None] = lambda _device: None
        self._context = context
        self._library = library
        self._devices: list[EisDevice] = []

    def device(self, capability: str) -> EisDevice | None:
        """Find the device of the moment with a capability such as ``KEYBOARD``."""
        return next((device for device in self._devices if capability in device.capabilities), None)

    def region(self, capability: str, mapping_id: str) -> tuple[EisDevice, Region] | None:
        """Find the device and the region that show an output: the one with its id, else the only one."""
        found = [
            (device, name, place)
            for device in self._devices
            if capability in device.capabilities
            for name, place in device.regions
        ]
        named = [(device, place) for device, name, place in found if mapping_id and name == mapping_id]
        if named:
            return named[0]
        return (found[0][0], found[0][2]) if len(found) == 1 else None

    async def run(self) -> None:
        """Follow the server until it hangs up."""
        try:
            while not self.gone.is_set():
                self._context.dispatch()
                for event in self._context.events:
                    self._follow(event)
                if not self.gone.is_set():
                    await trio.lowlevel.wait_readable(self._context.fd)
        finally:
            self._devices.clear()
            self.gone.set()

    def _follow(self, event: Any) -> None:
        kinds = self._library.EventType
        match event.event_type:
            case kinds.SEAT_ADDED:
                self._bind(event.seat)
            case kinds.DEVICE_RESUMED:
                self._gain(event.device)
            case kinds.DEVICE_PAUSED | kinds.DEVICE_REMOVED:
                self._lose(event.device)
            case kinds.DISCONNECT:
                self.gone.set()

    def _bind(self, seat: Any) -> None:
        capabilities = self._library.DeviceCapability
        names = ("POINTER", "POINTER_ABSOLUTE", "KEYBOARD", "TOUCH", "SCROLL", "BUTTON", "TEXT")
        offered = seat.capabilities
        wanted = tuple(capabilities[name] for name in names if capabilities[name] in offered)
        if wanted:
            seat.bind(wanted)

    def _gain(self, handle: Any) -> None:
        handle.start_emulating()
        regions = tuple(
            (region.mapping_id or "", Region(*region.position, *region.dimension))
            for region in handle.regions
        )
        names = frozenset(capability.name for capability in handle.capabilities)
        device = EisDevice(handle, names, regions)
        self._devices.append(device)
        self.on_resumed(device)
        self.ready.set()

    def _lose(self, handle: Any) -> None:
        for device in [device for device in self._devices if device.handle == handle]:
            self._devices.remove(device)
            self.on_lost(device)


def read_keymap(device: EisDevice) -> bytes | None:
    """Read the keymap of a keyboard; None if the server gives none."""
    keymap = device.handle.keymap
    if keymap is None or keymap.size > MAXIMUM_KEYMAP_BYTES:
        return None
    with keymap.fd as file:
        return os.pread(file.fileno(), keymap.size, 0).rstrip(b"\0")


@asynccontextmanager
async def open_sender(fd: int) -> AsyncGenerator[EisSender]:
    """Speak to the EIS server behind a connected socket, which is ours from now on.

    Raises EnvironmentProblem if libei is missing, or the server offers no device within some seconds.
    """
    try:
        library = import_libei()
        context = library.Sender.create_for_fd(fd, name=NAME)
    except EnvironmentProblem:
        os.close(fd)
        raise
    except library.Error as error:
        raise EnvironmentProblem(f"EIS cannot be set up: {error}") from error
    try:
        async with serving_nursery() as nursery:
            sender = EisSender(context, library)
            nursery.start_soon(sender.run)
            with trio.move_on_after(READY_S):
                await sender.ready.wait()
            if not sender.ready.is_set():
                raise EnvironmentProblem(f"the EIS server offered no device within {READY_S:g} s")
            yield sender
    finally:
        context.release()
