"""Mutter's monitors as values: what DisplayConfig tells, and what it should be told. No D-Bus in here.

    GetCurrentState      ua((ssss)a(siiddada{sv})a{sv})a(iiduba(ssss)a{sv})a{sv}
    ApplyMonitorsConfig  uua(iiduba(ssa{sv}))a{sv}

Source: mutter, data/dbus-interfaces/org.gnome.Mutter.DisplayConfig.xml. A logical monitor is a rectangle of
the desktop that one monitor, or several with the same picture, show.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from punktfunk.control.displays.base import Arrangement, DisplayOptions, Position, Region
from punktfunk.errors import RemoteProtocolError
from punktfunk.plan import Mode

PHYSICAL_LAYOUT: Final = 2
"""``layout-mode`` in which a scaled monitor takes as much room as an unscaled one."""
CAST_PRODUCT: Final = "Virtual remote monitor"
"""What mutter calls the monitors of screen casts (meta-screen-cast-virtual-stream-src.c)."""
MOST_MONITORS: Final = 64


@dataclass(frozen=True, slots=True)
class MonitorMode:
    """A mode that a monitor has; ``scales`` are those that mutter allows in it."""

    mode_id: str
    width_px: int
    height_px: int
    refresh_hz: float
    preferred_scale: float
    scales: tuple[float, ...]
    current: bool

    def as_mode(self) -> Mode:
        """Describe it as everybody else does."""
        return Mode(self.width_px, self.height_px, round(self.refresh_hz * 1000))


@dataclass(frozen=True, slots=True)
class Monitor:
    """A monitor that is plugged in, or that a screen cast made."""

    connector: str
    vendor: str
    product: str
    serial: str
    modes: tuple[MonitorMode, ...]

    @property
    def virtual(self) -> bool:
        """Whether a screen cast made it."""
        return self.product == CAST_PRODUCT

    @property
    def current(self) -> MonitorMode | None:
        """The mode that it shows; None while it is off."""
        return next((mode for mode in self.modes if mode.current), None)


@dataclass(frozen=True, slots=True)
class Logical:
    """A logical monitor: where it is, how large things are on it, which monitors show it in which mode."""

    x: int
    y: int
    scale: float
    transform: int
    primary: bool
    shown_by: tuple[tuple[str, str], ...]  # (connector, mode id)

    @property
    def connectors(self) -> tuple[str, ...]:
        """The monitors that show it."""
        return tuple(connector for connector, _mode in self.shown_by)


@dataclass(frozen=True, slots=True)
class State:
    """Everything that DisplayConfig tells; ``serial`` must come back with the next change."""

    serial: int
    monitors: tuple[Monitor, ...]
    logicals: tuple[Logical, ...]
    physical_layout: bool

    def monitor(self, connector: str) -> Monitor | None:
        """Find a monitor by its connector."""
        return next((monitor for monitor in self.monitors if monitor.connector == connector), None)

    def logical(self, connector: str) -> Logical | None:
        """Find the logical monitor that a monitor shows; None while it is off."""
        return next((logical for logical in self.logicals if connector in logical.connectors), None)

    def size(self, logical: Logical) -> tuple[int, int]:
        """Return the width and height of a logical monitor on the desktop."""
        connector, mode_id = logical.shown_by[0]
        monitor = self.monitor(connector)
        modes = monitor.modes if monitor else ()
        mode = next((mode for mode in modes if mode.mode_id == mode_id), None)
        if mode is None:
            return 0, 0
        width, height = mode.width_px, mode.height_px
        if logical.transform % 2:
            width, height = height, width
        if self.physical_layout:
            return width, height
        return round(width / logical.scale), round(height / logical.scale)

    def region(self, connector: str) -> Region | None:
        """Say where a monitor lies on the desktop."""
        logical = self.logical(connector)
        return Region(logical.x, logical.y, *self.size(logical)) if logical else None


def parse_state(body: Sequence[Any]) -> State:
    """Read the answer of GetCurrentState; RemoteProtocolError for anything else."""
    try:
        serial, monitors, logicals, properties = body
        if len(monitors) > MOST_MONITORS or len(logicals) > MOST_MONITORS:
            raise RemoteProtocolError(f"{len(monitors)} monitors, at most {MOST_MONITORS} expected")
        read = tuple(_monitor(*monitor) for monitor in monitors)
        current = {monitor.connector: monitor.current for monitor in read}
        return State(
            int(serial),
            read,
            tuple(_logical(current, *logical) for logical in logicals),
            properties.get("layout-mode", ("u", 1))[1] == PHYSICAL_LAYOUT,
        )
    except (TypeError, ValueError, AttributeError, IndexError, KeyError, OverflowError) as error:
        raise RemoteProtocolError(f"DisplayConfig told a state that is none: {error}") from error


def _monitor(spec: Sequence[Any], modes: Sequence[Any], _properties: Any) -> Monitor:
    connector, vendor, product, serial = (str(part) for part in spec)
    return Monitor(connector, vendor, product, serial, tuple(_mode(*mode) for mode in modes))


def _mode(
    mode_id: Any, width: Any, height: Any, refresh: Any, preferred: Any, scales: Any, flags: Any
) -> MonitorMode:
    current = bool(flags.get("is-current", ("b", False))[1])
    allowed = tuple(float(scale) for scale in scales)
    return MonitorMode(
        str(mode_id), int(width), int(height), float(refresh), float(preferred), allowed, current
    )


def _logical(
    current: dict[str, MonitorMode | None],
    x: Any,
    y: Any,
    scale: Any,
    transform: Any,
    primary: Any,
    specs: Any,
    _properties: Any,
) -> Logical:
    connectors = [str(spec[0]) for spec in specs]
    shown = tuple((name, mode.mode_id) for name in connectors if (mode := current.get(name)))
    if not shown or not float(scale) > 0:
        raise RemoteProtocolError(f"a logical monitor of scale {scale} that {connectors} show")
    return Logical(int(x), int(y), float(scale), int(transform), bool(primary), shown)


def nearest_scale(mode: MonitorMode, wanted: float) -> float:
    """Choose the allowed scale that comes nearest."""
    return min(mode.scales or (1.0,), key=lambda scale: abs(scale - wanted))


def arrange(
    state: State, ours: Collection[str], others: Sequence[Logical], options: DisplayOptions
) -> tuple[Logical, ...]:
    """Lay out the desktop with our monitors as the options say; ``others``: how the rest lay before us.

    Those of ``others`` that are no longer there are left out; monitors of other screen casts stay on whatever
    the arrangement, as somebody looks at them.
    """
    kept = [logical for logical in others if _still_there(state, logical)]
    strangers = [
        logical
        for logical in state.logicals
        if not any(name in ours or _shown(kept, name) for name in logical.connectors)
        and any(_is_virtual(state, name) for name in logical.connectors)
    ]
    if options.arrangement == "exclusive":
        kept = []
    placed = [*kept, *strangers]
    for connector in ours:
        monitor = state.monitor(connector)
        if monitor is None or (mode := monitor.current or next(iter(monitor.modes), None)) is None:
            continue
        scale = nearest_scale(mode, options.scale)
        logical = Logical(0, 0, scale, 0, False, ((connector, mode.mode_id),))  # noqa: FBT003 - field order is the wire's
        placed.append(_put_beside(state, placed, logical, options.position))
    return _settled(placed, ours, options.arrangement)


def _shown(logicals: Sequence[Logical], connector: str) -> bool:
    return any(connector in logical.connectors for logical in logicals)


def _is_virtual(state: State, connector: str) -> bool:
    monitor = state.monitor(connector)
    return monitor is not None and monitor.virtual


def _still_there(state: State, logical: Logical) -> bool:
    for connector, mode_id in logical.shown_by:
        monitor = state.monitor(connector)
        if monitor is None or mode_id not in {mode.mode_id for mode in monitor.modes}:
            return False
    return True


def _put_beside(state: State, placed: Sequence[Logical], new: Logical, position: Position) -> Logical:
    """Put a rectangle beside the outermost one, edge at edge: mutter refuses gaps and overlaps."""
    if not placed:
        return new
    width, height = state.size(new)
    boxes = [(logical.x, logical.y, *state.size(logical)) for logical in placed]
    match position:
        case "right":
            x, y, wide, _high = max(boxes, key=lambda box: box[0] + box[2])
            return replace(new, x=x + wide, y=y)
        case "left":
            x, y, _wide, _high = min(boxes, key=lambda box: box[0])
            return replace(new, x=x - width, y=y)
        case "below":
            x, y, _wide, high = max(boxes, key=lambda box: box[1] + box[3])
            return replace(new, x=x, y=y + high)
        case "above":
            x, y, _wide, _high = min(boxes, key=lambda box: box[1])
            return replace(new, x=x, y=y - height)


def _settled(
    placed: Sequence[Logical], ours: Collection[str], arrangement: Arrangement
) -> tuple[Logical, ...]:
    """Begin the desktop at 0, 0, and choose the one primary monitor."""
    if not placed:
        return ()
    left, top = min(logical.x for logical in placed), min(logical.y for logical in placed)
    mine = [index for index, logical in enumerate(placed) if set(logical.connectors) & set(ours)]
    were = [index for index, logical in enumerate(placed) if logical.primary]
    chosen = next(iter([*were, *mine] if arrangement == "extend" else [*mine, *were]), 0)
    return tuple(
        replace(logical, x=logical.x - left, y=logical.y - top, primary=index == chosen)
        for index, logical in enumerate(placed)
    )


def build_config(logicals: Sequence[Logical]) -> list[tuple[Any, ...]]:
    """Write logical monitors as ApplyMonitorsConfig wants them."""
    return [
        (
            logical.x,
            logical.y,
            logical.scale,
            logical.transform,
            logical.primary,
            [(connector, mode_id, {}) for connector, mode_id in logical.shown_by],
        )
        for logical in logicals
    ]


def same_layout(one: Collection[Logical], other: Collection[Logical]) -> bool:
    """Tell whether two layouts are the same, whatever their order."""
    return set(one) == set(other)
