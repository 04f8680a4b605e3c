"""Changes to the outputs of a KWin (kde_output_management_v2), and the way back.

KWin keeps what it was told for every set of outputs that it ever saw and restores it when that set comes
again: whoever made the others dark once finds them dark at the next session. So nothing is left to memory:
every change says of every output whether it is on, where it lies and how it ranks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import trio

from punktfunk.control.displays.base import DisplayOptions, Region
from punktfunk.control.displays.kwin.outputs import Devices, OutputDevice
from punktfunk.control.displays.wayland import WaylandConnection
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode
from punktfunk.wire.wayland.kde_output_management_v2 import KdeOutputManagementV2

ANSWER_S: Final = 5.0
SINCE_PRIMARY, SINCE_PRIORITY, SINCE_MIRRORING, SINCE_CUSTOM_MODES = 2, 3, 13, 18
RATES_TRIED: Final = (0, 20, 40, 60, 80)
"""How many ten-thousandths more than the rate to ask for: clocks are rounded down, the best is then taken."""

OURS: Final = "Virtual-punktfunk"
"""How the names of our outputs begin: KWin puts "Virtual-" before the name that it is given."""


@dataclass(frozen=True, slots=True)
class Place:
    """How one output was before we came, or shall be."""

    x: int
    y: int
    is_enabled: bool

    def __str__(self) -> str:
        return f"{self.x},{self.y},{'on' if self.is_enabled else 'off'}"


@dataclass(frozen=True, slots=True)
class Layout:
    """A whole desktop: the place of each output by name, and the order in which KWin ranks them."""

    places: Mapping[str, Place]
    order: tuple[str, ...]


def parse_place(text: str) -> Place | None:
    """Read what ``str(Place)`` wrote; None for anything else."""
    match text.split(","):
        case [x, y, ("on" | "off") as state]:
            try:
                return Place(int(x), int(y), state == "on")
            except ValueError:
                return None
    return None


def layout_of(devices: Devices, *, with_ours: bool = False) -> Layout:
    """Describe the desktop as it is, with or without outputs of punktfunk."""
    shown = [device for device in devices.all() if with_ours or not device.name.startswith(OURS)]
    places = {device.name: Place(device.x, device.y, device.is_enabled) for device in shown}
    return Layout(places, tuple(name for name in devices.order if name in places))


def arranged(before: Layout, regions: Mapping[str, Region], ours: str, options: DisplayOptions) -> Layout:
    """Decide where everything goes once ``ours`` joins.

    ``regions``: extent of every output, ours included. No place is negative: KWin wants the origin in the
    corner of the outermost outputs (kde-output-management-v2.xml, position).
    """
    places = {name: place for name, place in before.places.items() if name != ours}
    if options.arrangement == "exclusive":
        places = {
            name: place if name.startswith(OURS) else Place(place.x, place.y, is_enabled=False)
            for name, place in places.items()
        }
    neighbours = [regions[name] for name, place in places.items() if place.is_enabled and name in regions]
    places[ours] = Place(*_corner(options.position, neighbours, regions[ours]), is_enabled=True)
    visible = [place for place in places.values() if place.is_enabled]
    left, top = min(place.x for place in visible), min(place.y for place in visible)
    shifted = {
        name: Place(place.x - left, place.y - top, place.is_enabled) if place.is_enabled else place
        for name, place in places.items()
    }
    others = tuple(name for name in before.order if name != ours)
    return Layout(shifted, (*others, ours) if options.arrangement == "extend" else (ours, *others))


def _corner(position: str, others: Sequence[Region], ours: Region) -> tuple[int, int]:
    if not others:
        return 0, 0
    left, top = min(region.x for region in others), min(region.y for region in others)
    right = max(region.x + region.width for region in others)
    bottom = max(region.y + region.height for region in others)
    corners = {
        "right": (right, top),
        "left": (left - ours.width, top),
        "above": (left, top - ours.height),
        "below": (left, bottom),
    }
    return corners[position]


class Arranger:
    """Applies changes, all or none, and waits until KWin says that they hold."""

    def __init__(self, connection: WaylandConnection, devices: Devices) -> None:
        self._connection = connection
        self._devices = devices
        self._management = connection.bind(KdeOutputManagementV2)
        versions = connection.globals_of(KdeOutputManagementV2)
        self.version = min(versions[0][1], KdeOutputManagementV2.version)

    @property
    def takes_custom_modes(self) -> bool:
        """Whether this KWin knows modes of our own, and with them other refresh rates than 60 Hz."""
        return self.version >= SINCE_CUSTOM_MODES

    async def lay_out(self, layout: Layout, *, scale: Mapping[str, float] | None = None) -> None:
        """Bring every output that is there to its place; EnvironmentProblem if KWin refuses."""
        there = {device.name: device for device in self._devices.all()}
        configuration = self._management.create_configuration()
        for name, place in layout.places.items():
            device = there.get(name)
            if device is None:
                continue
            configuration.enable(device.proxy, int(place.is_enabled))
            if place.is_enabled:
                configuration.position(device.proxy, place.x, place.y)
            if device.mirrored and name.startswith(OURS) and self.version >= SINCE_MIRRORING:
                configuration.set_replication_source(device.proxy, "")
        for name, factor in (scale or {}).items():
            if name in there:
                configuration.scale(there[name].proxy, float(factor))
        self._rank(configuration, [there[name] for name in layout.order if name in there])
        await self._apply(configuration)

    def _rank(self, configuration: Any, ranked: Sequence[OutputDevice]) -> None:
        if self.version >= SINCE_PRIORITY:
            for priority, device in enumerate(ranked, start=1):
                configuration.set_priority(device.proxy, priority)
        elif ranked and self.version >= SINCE_PRIMARY:
            configuration.set_primary_output(ranked[0].proxy)

    async def set_mode(self, device: OutputDevice, mode: Mode) -> None:
        """Give an output a mode, which is made for it if need be; EnvironmentProblem if KWin will not.

        KWin times custom modes like a monitor's (CVT) and may round the width down to a multiple of 8 and the
        refresh to what a clock in steps of 0.25 MHz allows: look at ``device.mode`` afterwards.
        """
        found = _closest(device, mode)
        if found is None:
            await self._add_mode(device, mode)
            found = _closest(device, mode)  # KWin tells of its outputs first, and then that all was applied
        if found is None:
            raise EnvironmentProblem(f"KWin did not make the mode {mode} for {device.name}")
        configuration = self._management.create_configuration()
        configuration.mode(device.proxy, found)
        await self._apply(configuration)
        if not await self._devices.wait_until(lambda: device.current is found, ANSWER_S):
            raise EnvironmentProblem(f"KWin was asked for {mode} on {device.name} and shows {device.mode}")

    async def _add_mode(self, device: OutputDevice, mode: Mode) -> None:
        if not self.takes_custom_modes:
            raise EnvironmentProblem(
                "this KWin knows no custom modes",
                hint="Plasma 6.6 and later can change the mode of a display.",
            )
        modes = self._management.create_mode_list()
        modes.set_resolution(mode.width_px, mode.height_px)
        modes.set_reduced_blanking(0)
        for more in RATES_TRIED:
            modes.set_refresh_rate(mode.refresh_millihertz + mode.refresh_millihertz * more // 10_000)
            modes.add_mode()
        configuration = self._management.create_configuration()
        configuration.set_custom_modes(device.proxy, modes)
        await self._apply(configuration)
        modes.destroy()

    async def _apply(self, configuration: Any) -> None:
        answered = trio.Event()
        reasons: list[str] = []

        def on_applied(_configuration: Any) -> None:
            answered.set()

        def on_reason(_configuration: Any, reason: str) -> None:
            reasons.append(reason)

        def on_failed(_configuration: Any) -> None:
            reasons.append("")
            answered.set()

        configuration.dispatcher["applied"] = on_applied
        configuration.dispatcher["failed"] = on_failed
        configuration.dispatcher["failure_reason"] = on_reason
        configuration.apply()
        self._connection.flush()
        has_answered = await self._connection.answer(answered, ANSWER_S)
        configuration.destroy()
        if reasons:
            raise EnvironmentProblem(f"KWin refused the arrangement of outputs{_because(reasons[0])}")
        if not has_answered:
            raise EnvironmentProblem("KWin does not answer about the arrangement of outputs")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def fits(shown: Mode, asked: Mode) -> bool:
    """Tell whether a mode is what was asked for, up to KWin's rounding of width and refresh."""
    narrower = asked.width_px - shown.width_px
    near = abs(shown.refresh_millihertz - asked.refresh_millihertz) < 1000
    return shown.height_px == asked.height_px and 0 <= narrower < 8 and near


def _closest(device: OutputDevice, wanted: Mode) -> Any:
    """Find the mode of a device that comes nearest to the wanted one; None if none fits."""

    def distance(proxy: Any) -> tuple[int, int]:
        mode = device.mode_of(proxy)
        assert mode is not None
        off = abs(mode.refresh_millihertz - wanted.refresh_millihertz)
        return wanted.width_px - mode.width_px, off

    fitting = [proxy for proxy in device.modes if (mode := device.mode_of(proxy)) and fits(mode, wanted)]
    return min(fitting, key=distance, default=None)
