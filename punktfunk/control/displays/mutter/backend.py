"""GNOME, attached: a virtual monitor added to the desktop that runs, and gone at the end of the block.

    cast begun -> a first consumer fixes size and refresh: the monitor is there -> arranged -> handed out
    -> input closed, cast stopped -> mutter takes the monitor away -> the others as they were

The desktop may be this user's own or one that the host started; the variables say which.
"""

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import trio

from punktfunk.control.displays.base import (
    ARRANGEMENTS,
    Capabilities,
    DisplayOptions,
    Region,
    VirtualOutput,
    refresh_note,
)
from punktfunk.control.displays.mutter.cast import REMOTE, SCREEN_CAST, Cast, open_cast
from punktfunk.control.displays.mutter.desktop import Desktop, lock_place
from punktfunk.control.displays.mutter.display_config import (
    NAME,
    PATH,
    new_monitors,
    read_state,
    wait_for_mode,
    wait_for_monitor,
)
from punktfunk.control.displays.session_variables import runtime_folder_of, session_bus_of
from punktfunk.control.displays.topology import topology_lock
from punktfunk.control.system.dbus_link import BusLink, open_link
from punktfunk.control.system.journal import Journal
from punktfunk.control.system.serving import serving_nursery
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode, PipeWireSource

SETTLE_NS: Final = 8_000_000_000
LEAVE_S: Final = 8.0
REST_S: Final = 0.5
SHELL: Final = "org.gnome.Shell"
SCALE_SLACK: Final = 0.05
INSIDE: Final = (
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "DISPLAY",
    "XAUTHORITY",
)


@dataclass
class Shown:
    """One monitor of ours: what its tasks and its injector share."""

    cast: Cast
    connector: str
    mode: Mode
    region: Region | None = None
    scale: float = 1.0
    changed_s: float = -math.inf  # when it last took another mode, by Trio's clock


class Gnome:
    """Adds monitors to a running mutter or GNOME Shell."""

    name = "gnome"
    sends_pointer = True

    def __init__(
        self,
        journal: Journal,
        *,
        options: DisplayOptions,
        environment: Mapping[str, str],
    ) -> None:
        self._options = options
        self._environment = environment
        self._folder = str(runtime_folder_of(environment))
        self._address = session_bus_of(environment)
        self._remote = f"{self._folder}/pipewire-0"
        self._desktop = Desktop(journal, options)
        self._shown: dict[str, Shown] = {}

    async def probe(self) -> Capabilities:
        """Look for a GNOME that offers screen casts on this session's bus."""
        try:
            async with open_link(self._address) as link:
                if not (await link.has_owner(SCREEN_CAST) and await link.has_owner(REMOTE)):
                    return _absent("no GNOME session of this user runs")
                version = await shell_version(link)
                pid = await link.pid_of(SCREEN_CAST)
        except EnvironmentProblem as error:
            return _absent(f"no GNOME session of this user runs ({error})")
        found = f"{f'GNOME Shell {version}' if version else 'mutter'} runs as process {pid}"
        if not await trio.Path(self._remote).exists():
            return Capabilities(
                available=False,
                reason=f"{found}, but no PipeWire in its session: it gives no pictures without",
                hint="Install pipewire and wireplumber and log in again, or start them:  "
                "systemctl --user start pipewire wireplumber",
                version=version,
            )
        return Capabilities(available=True, reason=found, version=version, arrangements=ARRANGEMENTS)

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - mutter names its monitors itself
        """Add a monitor, hand it out, and take it away again."""
        shown: Shown | None = None
        try:
            async with open_link(self._address) as link, open_cast(link, self._options.cursor) as cast:
                shown = await self._show(cast, mode)
                self._shown[shown.connector] = shown
                try:
                    async with _following(shown, self._desktop, self._folder):
                        yield self._describe(shown, mode)
                finally:
                    await let_rest(shown)
        finally:
            # The cast's connection is closed by now, so mutter takes the monitor away however this ended.
            with trio.move_on_after(LEAVE_S, shield=True):
                await self._leave(shown)

    async def _show(self, cast: Cast, mode: Mode) -> Shown:
        """Let the monitor appear, and give it its place."""
        link = cast.link
        async with topology_lock(lock_place(self._folder)):
            before = frozenset(monitor.connector for monitor in (await self._desktop.note(link)).monitors)
            settled = await settle(self._source(cast, mode))
            state = await wait_for_monitor(link, before)
            connector = new_monitors(state, before)[0]
            self._desktop.ours.append(connector)
            try:
                state = await self._desktop.arrange(link)
            except EnvironmentProblem:
                self._desktop.ours.remove(connector)
                raise
        monitor = state.monitor(connector)
        current = monitor.current if monitor is not None else None
        got = current.as_mode() if current is not None else settled
        logical = state.logical(connector)
        return Shown(cast, connector, got, state.region(connector), logical.scale if logical else 1.0)

    async def _leave(self, shown: Shown | None) -> None:
        """Arrange what is left, over a connection of its own."""
        connector = shown.connector if shown is not None else ""
        self._shown.pop(connector, None)
        try:
            async with open_link(self._address) as link, topology_lock(lock_place(self._folder)):
                await self._desktop.leave(link, connector)
        except EnvironmentProblem:
            # The desktop is gone, or does not answer: the journal still has what was to be put back.
            if connector in self._desktop.ours:
                self._desktop.ours.remove(connector)

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give the monitor another mode; while it is captured, capture's next agreement changes its size."""
        shown = self._shown.get(output.name)
        if shown is None:
            raise EnvironmentProblem(f"{output.name} is no monitor of GNOME that is ours")
        same_size = (mode.width_px, mode.height_px) == (shown.mode.width_px, shown.mode.height_px)
        if mode != shown.mode:
            if not await is_captured(self._source(shown.cast, mode)):
                await self._settle_anew(shown, mode, same_size=same_size)
            elif same_size:
                pass  # mutter changes a rate together with the size only
            else:
                shown.mode = mode
        return self._describe(shown, mode)

    async def _settle_anew(self, shown: Shown, mode: Mode, *, same_size: bool) -> None:
        async with topology_lock(lock_place(self._folder)):
            if same_size:
                # Mutter takes a new rate only with a new size: so there is one in between.
                await self._settle_as(shown, replace(mode, height_px=mode.height_px + 2))
            shown.mode = await self._settle_as(shown, mode)
            state = await self._desktop.arrange(shown.cast.link)
            monitor = state.monitor(shown.connector)
            if monitor is not None and monitor.current is not None:
                shown.mode = monitor.current.as_mode()
            shown.region = state.region(shown.connector)

    async def _settle_as(self, shown: Shown, mode: Mode) -> Mode:
        """Agree on a mode, and wait until the monitor has it."""
        settled = await settle(self._source(shown.cast, mode))
        await wait_for_mode(shown.cast.link, shown.connector, settled)
        shown.changed_s = trio.current_time()
        return settled

    def _source(self, cast: Cast, mode: Mode) -> PipeWireSource:
        return PipeWireSource(mode, cast.node_id, remote=self._remote, cursor=self._options.cursor)

    def _describe(self, shown: Shown, asked: Mode) -> VirtualOutput:
        from punktfunk.control.displays.mutter.hands import (
            input_kind,
            open_hands,
        )  # late: it needs what only input needs

        inside = {name: self._environment[name] for name in INSIDE if self._environment.get(name)}
        inside["XDG_RUNTIME_DIR"] = self._folder
        inside["DBUS_SESSION_BUS_ADDRESS"] = self._address
        inside["WAYLAND_DISPLAY"] = self._environment.get("WAYLAND_DISPLAY") or "wayland-0"
        inside["XDG_SESSION_TYPE"] = "wayland"
        return VirtualOutput(
            shown.connector,
            shown.mode,
            self._source(shown.cast, shown.mode),
            self.name,
            inside,
            notes=(
                *refresh_note("GNOME", asked, shown.mode),
                *scale_note(self._options.scale, shown.scale),
            ),
            input_kind=input_kind(shown.cast),
            open_input=partial(open_hands, shown.cast, lambda: shown.region, inside),
            pipewire_remote=self._remote,
            dbus_address=self._address,
            region=shown.region,
        )


async def shell_version(link: BusLink) -> str:
    """Ask GNOME Shell for its version; empty for a mutter that runs alone."""
    if not await link.has_owner(SHELL):
        return ""
    return str(await link.get(SHELL, "/org/gnome/Shell", SHELL, "ShellVersion"))


def scale_note(wanted: float, given: float) -> tuple[str, ...]:
    """Word what a client is told whose scale mutter does not allow in its mode: too little would fit."""
    if abs(wanted - given) <= SCALE_SLACK:
        return ()
    return (f"GNOME allows a scale of {given:.3g} in this mode, not {wanted:.3g}",)


async def settle(source: PipeWireSource) -> Mode:
    """Agree on a format with the node of a cast, so that its monitor appears."""
    from punktfunk.realtime import settle_source  # late: it loads libpipewire

    return await trio.to_thread.run_sync(settle_source, source, SETTLE_NS)


async def is_captured(source: PipeWireSource) -> bool:
    """Tell whether somebody takes pictures of a cast, so that its format is fixed."""
    from punktfunk.realtime import source_is_used

    return await trio.to_thread.run_sync(source_is_used, source)


async def let_rest(shown: Shown) -> None:
    """Wait until the monitor has had its mode for a moment.

    Mutter 48.7 dies (SIGSEGV in meta_renderer_native_create_view) about once in seventy times when a monitor
    is taken away right after it changed its mode; with this pause not once in 400.
    """
    with trio.CancelScope(shield=True):
        await trio.sleep_until(shown.changed_s + REST_S)


@asynccontextmanager
async def _following(shown: Shown, desktop: Desktop, folder: str) -> AsyncGenerator[None]:
    """Follow what becomes of the monitors meanwhile; see :func:`_follow`."""
    async with serving_nursery() as nursery:
        nursery.start_soon(_follow, shown, desktop, folder)
        yield


async def _follow(shown: Shown, desktop: Desktop, folder: str) -> None:
    """Keep the region right, and arrange the monitors anew when ours has changed its mode.

    Mutter forgets the arrangement then, as it was made for a mode that is no more. What the user changes by
    hand is left as the user made it.
    """
    link, last = shown.cast.link, (shown.mode.width_px, shown.mode.height_px)
    try:
        async with link.signals(NAME, "MonitorsChanged", PATH) as changes:
            async for _change in changes:
                state = await read_state(link)
                monitor = state.monitor(shown.connector)
                if monitor is None or monitor.current is None:
                    continue
                size = (monitor.current.width_px, monitor.current.height_px)
                if size != last:
                    last, shown.changed_s = size, trio.current_time()
                    async with topology_lock(lock_place(folder)):
                        state = await desktop.arrange(link)
                shown.region = state.region(shown.connector)
    except EnvironmentProblem:
        return  # the desktop hung up: capture says so


def _absent(reason: str) -> Capabilities:
    return Capabilities(
        available=False,
        reason=reason,
        hint='Log into GNOME on Wayland, or set session = "gnome" for a desktop of the host\'s own.',
    )
