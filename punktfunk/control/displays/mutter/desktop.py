"""The monitors of one desktop while clients are on it: how they lay before, which are ours, how they lie now.

All displays of the host on one desktop share this, as they share the layout: the first one notes how the
monitors lay, each that comes or goes arranges the rest, and the last one puts back what it was. The journal
has it too, for the host that is killed in between.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from punktfunk.control.displays.base import DisplayOptions
from punktfunk.control.displays.mutter.display_config import (
    NAME,
    build_layout,
    change_layout,
    new_monitors,
    parse_layout,
    read_state,
    wait_until_gone,
)
from punktfunk.control.displays.mutter.monitors import Logical, State, arrange
from punktfunk.control.system.dbus_link import BusLink, open_link
from punktfunk.control.system.journal import Entry, Journal, new_entry
from punktfunk.control.system.processes import is_alive, read_identity
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError

KIND: Final = "gnome-monitors"
GONE_MILLISECONDS: Final = 300


@dataclass
class Desktop:
    """What the displays of one host on one desktop share. The caller holds the topology lock."""

    journal: Journal
    options: DisplayOptions
    ours: list[str] = field(default_factory=list)
    before: tuple[Logical, ...] = ()
    entry: Entry | None = None

    async def note(self, link: BusLink) -> State:
        """Remember how the monitors lie, before the first of ours; return how they lie now."""
        state = await read_state(link)
        if not self.ours:
            self.before = state.logicals
            if self.options.arrangement != "extend" and self.entry is None and self.before:
                compositor = read_identity(await link.pid_of(NAME))
                self.entry = self.journal.write(
                    new_entry(
                        KIND,
                        processes=(compositor,) if compositor else (),
                        details={"layout": build_layout(self.before), "bus": link.address},
                    )
                )
        return state

    async def arrange(self, link: BusLink) -> State:
        """Lay out all monitors as the options say."""
        return await change_layout(link, lambda state: arrange(state, self.ours, self.before, self.options))

    async def leave(self, link: BusLink, connector: str) -> None:
        """Take note that a monitor of ours goes; arrange the rest, or put back what was."""
        if connector in self.ours:
            self.ours.remove(connector)
        # Changing monitors while mutter takes one away has crashed it: wait until it is gone.
        if connector and not await wait_until_gone(link, connector):
            raise EnvironmentProblem(f"GNOME keeps the monitor {connector}")
        if self.ours:
            await self.arrange(link)
            return
        if self.options != DisplayOptions():
            await change_layout(link, returning(self.before))
        self.forget()

    def forget(self) -> None:
        """Let the journal know that nothing is left to put back."""
        if self.entry is not None:
            self.journal.remove(self.entry.token)
            self.entry = None


def returning(before: tuple[Logical, ...]) -> Callable[[State], tuple[Logical, ...]]:
    """Plan the layout that was: monitors that were unplugged since leave it as mutter made it."""

    def plan(state: State) -> tuple[Logical, ...]:
        there = {monitor.connector: {mode.mode_id for mode in monitor.modes} for monitor in state.monitors}
        whole = all(
            mode in there.get(connector, ()) for logical in before for connector, mode in logical.shown_by
        )
        return before if whole and not any(monitor.virtual for monitor in state.monitors) else ()

    return plan


async def put_back(journal: Journal, entry: Entry) -> str:
    """Put back the monitors of a desktop whose host died; ``reclaim`` calls it.

    Mutter itself takes our monitor away when the host's connection ends, and usually turns the others on
    again; this makes sure of it.
    """
    if not entry.processes or not is_alive(entry.processes[0]):
        journal.remove(entry.token)
        return "the desktop whose monitors were arranged is gone"
    try:
        layout = parse_layout(entry.details.get("layout", ""))
        async with open_link(entry.details.get("bus", "")) as link:
            with trio.move_on_after(GONE_MILLISECONDS / 1000):
                while new_monitors(await read_state(link), frozenset()):  # noqa: ASYNC110 - mutter's state
                    await trio.sleep(0.02)
            state = await change_layout(link, returning(layout))
    except RemoteProtocolError as error:
        journal.remove(entry.token)
        return f"the monitors of GNOME stay as they are: {error}"
    except EnvironmentProblem as error:
        return f"the monitors of GNOME are not put back yet: {error}"
    journal.remove(entry.token)
    on = ", ".join(name for logical in state.logicals for name in logical.connectors)
    return f"put back the monitors of GNOME ({on or 'none is on'})"


def lock_place(environment_folder: str) -> str:
    """Name what :func:`topology_lock` locks: the runtime folder of the desktop."""
    return os.path.join(environment_folder, "bus")  # noqa: PTH118 - a name, whether or not it is there
