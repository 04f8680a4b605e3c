"""One client's output on a KWin: its cast, its mode and its place, and the desktop around it.

The desktop as it was before the first output of this host is kept until the last one has gone: then it is put
back, while our output is still there, as KWin must never be without one, and looked at again afterwards.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import trio

from punktfunk.control.displays.base import DisplayOptions, Region, refresh_note
from punktfunk.control.displays.kwin.arrange import Arranger, Layout, arranged, fits, layout_of
from punktfunk.control.displays.kwin.outputs import Devices, OutputDevice, following_outputs
from punktfunk.control.displays.kwin.restore import KIND, details_of
from punktfunk.control.displays.kwin.screencast import Cast, Screencasts
from punktfunk.control.displays.wayland import WaylandConnection
from punktfunk.control.system.journal import Entry, Journal, new_entry
from punktfunk.control.system.processes import read_identity
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode
from punktfunk.wire.wayland.fake_input import OrgKdeKwinFakeInput

APPEAR_S: Final = 5.0
SETTLE_S: Final = 3.0
CLEANUP_S: Final = 10.0
BIRTH_MILLIHERTZ: Final = 60_000
EXTRA_LINES: Final = 16
"""What is added to an output that will get another mode at once.

KWin offers a cast's rates to PipeWire when the output is made, at 60 Hz, and again only when its size
changes: an output that is to have 120 Hz must be made in another size than it will have.
"""


class Shared:
    """What the outputs of one host share: the desktop before the first, and the turn to change it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.turn = trio.Lock()
        self.before: Layout | None = None
        self._count = 0
        self._entry: Entry | None = None

    def join(self, connection: WaylandConnection, devices: Devices, socket_path: str) -> None:
        """Remember the desktop, if this is the first output; journal it before anything is changed."""
        self._count += 1
        if self._count > 1:
            return
        self.before = layout_of(devices)
        identity = read_identity(connection.peer_pid())
        self._entry = self.journal.write(
            new_entry(
                KIND,
                socket_path=socket_path,
                outputs_before=self.before.order,
                processes=(identity,) if identity is not None else (),
                details=details_of(self.before),
            )
        )

    def leave(self) -> Layout | None:
        """Return the desktop to put back, if this was the last output."""
        self._count -= 1
        return self.before if self._count == 0 else None

    def forget(self) -> None:
        """Take the entry out of the journal: the desktop is as it was, or its KWin is gone."""
        if self._entry is not None:
            self.journal.remove(self._entry.token)
            self._entry = self.before = None


class Desk:
    """One output of ours and its cast."""

    def __init__(
        self,
        connection: WaylandConnection,
        devices: Devices,
        shared: Shared,
        options: DisplayOptions,
        name: str,
    ) -> None:
        self._connection = connection
        self._devices = devices
        self._shared = shared
        self._options = options
        self._name = name
        self._casts = Screencasts(connection)
        self._arranger = Arranger(connection, devices)
        self._stack = AsyncExitStack()
        self._device: OutputDevice | None = None
        self.cast = Cast()

    @property
    def output_name(self) -> str:
        """What KWin calls the output."""
        return self._device.name if self._device is not None else ""

    @property
    def region(self) -> Region:
        """Where the output lies on the desktop."""
        return self._device.region if self._device is not None else Region(0, 0, 0, 0)

    async def show(self, mode: Mode) -> tuple[Mode, tuple[str, ...]]:
        """Make the output, or give it another mode; return what KWin shows, and what the user should know.

        Raises EnvironmentProblem if there is no such output to be had.
        """
        async with self._shared.turn:
            device = self._device
            if device is None or device.mode is None:
                device = await self._make(mode)
            elif not fits(device.mode, mode):
                device = await self._change(device, mode)
            await self._arrange(device)
        return self._outcome(device, mode)

    def _outcome(self, device: OutputDevice, asked: Mode) -> tuple[Mode, tuple[str, ...]]:
        shown = device.mode or asked
        # Fewer pictures than the output shows are had from PipeWire: only more of them are not.
        refresh = shown.refresh_millihertz
        if not fits(shown, asked):
            refresh = min(refresh, asked.refresh_millihertz)
        got = Mode(shown.width_px, shown.height_px, refresh)
        notes = refresh_note("KWin", asked, got)
        if (got.width_px, got.height_px) != (asked.width_px, asked.height_px):
            notes += (f"KWin gives {got.width_px}x{got.height_px}, not what was asked for: {asked}",)
        return got, notes

    async def _make(self, mode: Mode) -> OutputDevice:
        wants_rate = mode.refresh_millihertz != BIRTH_MILLIHERTZ and self._arranger.takes_custom_modes
        birth = Mode(mode.width_px, mode.height_px + EXTRA_LINES * wants_rate, BIRTH_MILLIHERTZ)
        device = await self._cast_new(birth)
        if not wants_rate and device.mode == birth:
            return device
        try:
            await self._arranger.set_mode(device, mode)
        except EnvironmentProblem:
            if wants_rate:  # it would keep a size that nobody wants
                await self._end_cast()
                device = await self._cast_new(Mode(mode.width_px, mode.height_px, BIRTH_MILLIHERTZ))
        return device

    async def _cast_new(self, birth: Mode) -> OutputDevice:
        """Make an output, under another name where KWin refuses the usual one.

        It may have a setting stored for that name by which the output is off, and then calls it not found.
        """
        taken = {device.name for device in self._devices.all()}
        names = [f"{self._name}{suffix}" for suffix in ("", "-b", "-c", "-d")]
        free = [name for name in names if f"Virtual-{name}" not in taken][:2]
        for name in free:
            try:
                self.cast = await self._stack.enter_async_context(
                    self._casts.virtual_output(name, birth, self._options.cursor)
                )
                break
            except EnvironmentProblem:
                if name == free[-1]:
                    raise
        await self._devices.wait_until(lambda: self._newcomer(taken) is not None, APPEAR_S)
        device = self._newcomer(taken)
        if device is None:
            raise EnvironmentProblem("KWin was asked for an output and shows no new one")
        self._device = device
        return device

    def _newcomer(self, taken: set[str]) -> OutputDevice | None:
        return next(
            (device for device in self._devices.all() if device.name not in taken and device.mode), None
        )

    async def _change(self, device: OutputDevice, mode: Mode) -> OutputDevice:
        """Change the mode in place, or make the output anew where this KWin cannot."""
        try:
            await self._arranger.set_mode(device, mode)
        except EnvironmentProblem:
            assert device.mode is not None
            if (device.mode.width_px, device.mode.height_px) == (mode.width_px, mode.height_px):
                return device
            await self._end_cast()
            return await self._make(mode)
        return device

    async def _arrange(self, device: OutputDevice) -> None:
        before = self._shared.before or layout_of(self._devices)
        now = layout_of(self._devices, with_ours=True)
        wanted = Layout({**now.places, **before.places}, before.order + _only_ours(now, before))
        regions = {other.name: other.region for other in self._devices.all() if other.mode is not None}
        assert device.mode is not None
        scale = self._options.scale
        width, height = round(device.mode.width_px / scale), round(device.mode.height_px / scale)
        regions[device.name] = Region(device.x, device.y, width, height)
        layout = arranged(wanted, regions, device.name, self._options)
        await self._arranger.lay_out(layout, scale={device.name: scale})
        place = layout.places[device.name]
        await self._devices.wait_until(
            lambda: device.is_enabled and (device.x, device.y) == (place.x, place.y), SETTLE_S
        )
        self._bring_pointer()

    def _bring_pointer(self) -> None:
        """Put the pointer on the output: new windows open where it is."""
        if not self._connection.offers(OrgKdeKwinFakeInput):
            return
        fake = self._connection.bind(OrgKdeKwinFakeInput)
        fake.authenticate("punktfunk", "to open windows on the client's display")
        region = self.region
        fake.pointer_motion_absolute(region.x + region.width / 2, region.y + region.height / 2)
        fake.destroy()
        self._connection.flush()

    async def _end_cast(self) -> None:
        name = self.output_name
        await self._stack.aclose()
        self._device = None
        if self._connection.alive and name:
            await self._devices.wait_until(lambda: self._devices.find(name) is None, SETTLE_S)

    async def leave(self) -> None:
        """Put the desktop back if this was the last output, and let go of the output."""
        async with self._shared.turn:
            before = self._shared.leave()
            if self._connection.alive and before is not None:
                await self._put_back(before)
            await self._end_cast()
            if self._connection.alive and before is not None and not await self._put_back(before):
                return  # it stays in the journal, for the next start
            if before is not None:
                self._shared.forget()

    async def _put_back(self, before: Layout) -> bool:
        """Arrange the others as they were; tell whether they are."""
        if not self._is_as(before):
            try:
                await self._arranger.lay_out(before)
            except EnvironmentProblem:
                return False
        return await self._devices.wait_until(lambda: self._is_as(before), SETTLE_S)

    def _is_as(self, before: Layout) -> bool:
        now = layout_of(self._devices)
        return now.order == before.order and all(
            now.places[name] == place for name, place in before.places.items() if name in now.places
        )


def _only_ours(now: Layout, before: Layout) -> tuple[str, ...]:
    return tuple(name for name in now.order if name not in before.order)


@asynccontextmanager
async def open_desk(
    connection: WaylandConnection, shared: Shared, options: DisplayOptions, socket_path: str, name: str
) -> AsyncGenerator[Desk]:
    """Prepare an output called ``name``; after the block it is gone and the desktop is as it was."""
    async with following_outputs(connection) as devices:
        desk = Desk(connection, devices, shared, options, name)
        async with shared.turn:
            shared.join(connection, devices, socket_path)
        try:
            yield desk
        finally:
            # Shielded, with a bound: what could not be put back stays in the journal for the next start.
            with trio.move_on_after(CLEANUP_S, shield=True):
                await desk.leave()
