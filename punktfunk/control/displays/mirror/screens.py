"""Which monitor is shown, and what a stream makes of it."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from punktfunk.control.displays.base import DisplayOptions, Region, VirtualOutput, refresh_note
from punktfunk.control.input.base import Injector
from punktfunk.control.input.mapped import MappedInjector, letterbox
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import FrameSource, Mode

OpenInput = Callable[[], AbstractAsyncContextManager[Injector]]


@dataclass(frozen=True, slots=True)
class Screen:
    """One monitor as people see it: turned upright; ``mode`` in its own pixels."""

    name: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class Shown:
    """A monitor that is being shown: where its pictures come from and its input goes.

    source   for a stream of a mode
    """

    screen: Screen
    source: Callable[[Mode], FrameSource]
    open_input: OpenInput
    environment: Mapping[str, str]
    input_kind: str = "compositor"
    pipewire_remote: str = ""
    dbus_address: str = ""
    region: Region | None = field(default=None)


class Way(Protocol):
    """How one kind of desktop shows its monitors."""

    title: str

    async def screens(self) -> list[Screen]:
        """List the monitors that are on; EnvironmentProblem where this desktop does not run."""

    def show(self, screen: Screen, options: DisplayOptions) -> AbstractAsyncContextManager[Shown]:
        """Show a monitor for the length of the block. Raises EnvironmentProblem."""


def choose_screen(screens: Sequence[Screen], wanted: str) -> Screen:
    """Choose the monitor of a name, or the first; EnvironmentProblem if there is none."""
    for screen in screens:
        if not wanted or screen.name == wanted:
            return screen
    names = ", ".join(screen.name for screen in screens)
    if not names:
        raise EnvironmentProblem("no monitor is on", hint="Switch one on, or let punktfunk make a display.")
    raise EnvironmentProblem(
        f"no monitor is called {wanted}", hint=f"Set display_monitor to one of: {names}."
    )


def describe(backend: str, shown: Shown, asked: Mode) -> VirtualOutput:
    """Describe a monitor for a stream: its pictures are scaled into the mode, input is scaled back."""
    screen = shown.screen.mode
    mode = replace(asked, refresh_millihertz=min(asked.refresh_millihertz, screen.refresh_millihertz))
    place = letterbox(mode, screen)

    @asynccontextmanager
    async def open_input() -> AsyncGenerator[Injector]:
        async with shown.open_input() as injector:
            yield MappedInjector(injector, place)

    notes = [f"monitor {shown.screen.name} is shown as it is"]
    if (screen.width_px, screen.height_px) != (mode.width_px, mode.height_px):
        sizes = [f"{each.width_px}x{each.height_px}" for each in (screen, mode)]
        notes[0] += f", its {sizes[0]} scaled to {sizes[1]}"
    return VirtualOutput(
        shown.screen.name,
        mode,
        shown.source(mode),
        backend,
        shown.environment,
        notes=(*notes, *refresh_note(f"monitor {shown.screen.name}", asked, mode)),
        open_input=open_input,
        input_kind="eis" if shown.input_kind == "eis" else "compositor",
        pipewire_remote=shown.pipewire_remote,
        dbus_address=shown.dbus_address,
        region=shown.region,
    )
