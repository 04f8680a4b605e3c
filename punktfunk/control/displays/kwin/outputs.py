"""The outputs of a KWin as it describes them (kde_output_device_v2), kept up to date while one looks.

Up to version 20 each output is a global of its own; since version 21 a registry announces them
(kde-output-device-v2.xml). Their order is told by kde_output_order_v1: the first one is the primary.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from punktfunk.control.displays.base import Region
from punktfunk.control.displays.wayland import WaylandConnection
from punktfunk.plan import Mode
from punktfunk.wire.wayland.kde_output_device_v2 import KdeOutputDeviceRegistryV2, KdeOutputDeviceV2
from punktfunk.wire.wayland.kde_output_order_v1 import KdeOutputOrderV1

CAN_CUSTOM_MODES: Final = 0x2000
"""Capability of an output that takes modes of our own (kde_output_device_v2.capability)."""


@dataclass(eq=False, slots=True)
class OutputDevice:
    """One output; ``proxy`` names it in requests. While it is off, its mode is the last one that it had."""

    proxy: Any
    name: str = ""
    is_enabled: bool = False
    x: int = 0
    y: int = 0
    scale: float = 1.0
    capabilities: int = 0
    mirrored: str = ""
    modes: dict[Any, list[int]] = field(default_factory=dict)
    current: Any = None
    is_described: bool = False

    @property
    def mode(self) -> Mode | None:
        """The mode that it shows; None until KWin has said."""
        return self.mode_of(self.current)

    def mode_of(self, proxy: Any) -> Mode | None:
        """Describe one of its modes."""
        width, height, refresh = self.modes.get(proxy, (0, 0, 0))
        return Mode(width, height, refresh) if width and height and refresh else None

    @property
    def takes_custom_modes(self) -> bool:
        """Whether ``set_custom_modes`` means anything to it."""
        return bool(self.capabilities & CAN_CUSTOM_MODES)

    @property
    def region(self) -> Region:
        """Where it lies on the desktop, in logical coordinates."""
        mode = self.mode or Mode(0, 0, 1)
        width, height = round(mode.width_px / self.scale), round(mode.height_px / self.scale)
        return Region(self.x, self.y, width, height)


class Devices:
    """All outputs of one KWin, and the order in which it ranks them."""

    def __init__(self, connection: WaylandConnection) -> None:
        self._connection = connection
        self._by_global: dict[int, OutputDevice] = {}
        self._announced: list[OutputDevice] = []
        self._changed = trio.Event()
        self._order_so_far: list[str] = []
        self.order: tuple[str, ...] = ()
        self._kept: list[Any] = []  # objects that must live as long as we listen

    def begin(self) -> None:
        """Ask for all outputs; two round trips later they are described."""
        connection = self._connection
        if connection.offers(KdeOutputOrderV1):
            order = connection.bind(KdeOutputOrderV1)
            order.dispatcher["output"] = self._on_ranked
            order.dispatcher["done"] = self._on_order_done
            self._kept.append(order)
        if connection.offers(KdeOutputDeviceRegistryV2):
            registry = connection.bind(KdeOutputDeviceRegistryV2)
            registry.dispatcher["output"] = self._on_announced
            self._kept.append(registry)
            return
        connection.on_global = self._on_global
        connection.on_removal = self._on_removal
        for number, version in connection.globals_of(KdeOutputDeviceV2):
            self._on_global(number, KdeOutputDeviceV2.name, version)

    def all(self) -> list[OutputDevice]:
        """List the outputs that KWin has described, disabled ones too."""
        return [device for device in (*self._by_global.values(), *self._announced) if device.is_described]

    def find(self, name: str) -> OutputDevice | None:
        """Look one output up by its name; None if it is gone or not there yet."""
        return next((device for device in self.all() if device.name == name), None)

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait for the outputs to fulfil a condition; False if they do not within ``timeout_s``."""
        with trio.move_on_after(timeout_s):
            await trio.lowlevel.checkpoint()
            while not condition():
                await self._changed.wait()
        return condition()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _on_global(self, number: int, interface: str, version: int) -> None:
        if interface == KdeOutputDeviceV2.name:
            version = min(version, KdeOutputDeviceV2.version)
            proxy = self._connection.registry.bind(number, KdeOutputDeviceV2, version)
            self._by_global[number] = self._follow(proxy)

    def _on_removal(self, number: int) -> None:
        if self._by_global.pop(number, None) is not None:
            self._tell()

    def _on_announced(self, _registry: Any, proxy: Any) -> None:
        self._announced.append(self._follow(self._connection.adopt(proxy)))

    def _on_ranked(self, _order: Any, name: str) -> None:
        self._order_so_far.append(name)

    def _on_order_done(self, _order: Any) -> None:
        self.order, self._order_so_far = tuple(self._order_so_far), []
        self._tell()

    def _follow(self, proxy: Any) -> OutputDevice:
        device = OutputDevice(proxy)

        def on_geometry(_proxy: Any, x: int, y: int, *_rest: object) -> None:
            device.x, device.y = x, y

        def on_mode(_proxy: Any, mode: Any) -> None:
            self._follow_mode(device, self._connection.adopt(mode))

        def on_done(_proxy: Any) -> None:
            device.is_described = True
            self._tell()

        def on_removed(_proxy: Any) -> None:
            if device in self._announced:
                self._announced.remove(device)
                proxy.release()
                self._tell()

        handlers = proxy.dispatcher
        handlers["geometry"], handlers["mode"] = on_geometry, on_mode
        handlers["done"], handlers["removed"] = on_done, on_removed
        handlers["name"] = _setter(device, "name", str)
        handlers["enabled"] = _setter(device, "is_enabled", bool)
        handlers["scale"] = _setter(device, "scale", float)
        handlers["current_mode"] = _setter(device, "current", _same)
        handlers["capabilities"] = _setter(device, "capabilities", int)
        handlers["replication_source"] = _setter(device, "mirrored", str)
        return device

    def _follow_mode(self, device: OutputDevice, mode: Any) -> None:
        numbers = device.modes[mode] = [0, 0, 0]

        def on_size(_mode: Any, width: int, height: int) -> None:
            numbers[:2] = width, height

        def on_refresh(_mode: Any, millihertz: int) -> None:
            numbers[2] = millihertz

        def on_removed(_mode: Any) -> None:
            device.modes.pop(mode, None)

        mode.dispatcher["size"], mode.dispatcher["refresh"] = on_size, on_refresh
        mode.dispatcher["removed"] = on_removed


def _same(value: Any) -> Any:
    return value


def _setter(device: OutputDevice, field_name: str, kind: Callable[[Any], Any]) -> Callable[[Any, Any], None]:
    def on_event(_proxy: Any, value: Any) -> None:
        setattr(device, field_name, kind(value))

    return on_event


@asynccontextmanager
async def following_outputs(connection: WaylandConnection) -> AsyncGenerator[Devices]:
    """Follow the outputs of a KWin; EnvironmentProblem if it does not answer."""
    devices = Devices(connection)
    devices.begin()
    await connection.roundtrip()
    await connection.roundtrip()  # the second one brings what the announced objects say of themselves
    yield devices
