"""What a display backend is and what it gives; how one is chosen: ``choice``.

A backend makes an output of exactly the client's size for the length of an ``async with`` and hands out a
frozen description of it; frames never pass through here.
"""

import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol

from punktfunk.plan import CursorMode, FrameSource, Mode

if TYPE_CHECKING:
    from punktfunk.control.input.base import Injector

Arrangement = Literal["extend", "primary", "exclusive"]
Position = Literal["right", "left", "above", "below"]
ARRANGEMENTS: Final[tuple[Arrangement, ...]] = ("extend", "primary", "exclusive")


@dataclass(frozen=True, slots=True)
class DisplayOptions:
    """How a client's output joins a desktop; the host's settings, the same for every backend.

    arrangement   extend: one more output. primary: it is also where new windows and panels go.
                  exclusive: the others are off for the session, and on again after it, also after a crash
    scale         of the output; 2.0 makes everything twice as large
    position      on which side of the outputs that are there already
    limit         displays that may exist at once, over all clients
    cursor        what becomes of the mouse pointer in the pictures
    monitor       name of the one that a mirror shows; empty: the first
    state_folder  where is kept what a user agreed to for good; None: nowhere
    """

    arrangement: Arrangement = "extend"
    scale: float = 1.0
    position: Position = "right"
    limit: int = 4
    cursor: CursorMode = CursorMode.EMBEDDED
    monitor: str = ""
    state_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do here; ``reason`` says what was found, or why it is unavailable.

    refresh_most_millihertz   the highest refresh of its outputs; 0: any
    arrangements              those of ``DisplayOptions`` that it can do
    """

    available: bool
    reason: str
    hint: str = ""
    version: str = ""
    removes_outputs: bool = True
    takes_input: bool = True
    refresh_most_millihertz: int = 0
    arrangements: tuple[Arrangement, ...] = ("extend",)


@dataclass(frozen=True, slots=True)
class Region:
    """Where an output lies on its desktop, in the compositor's logical coordinates."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class VirtualOutput:
    """One output, made for one client, and how to reach it.

    mode              what the compositor gave: its refresh may differ from what was asked for, and
                      ``notes`` then say so
    environment       what an application needs in its environment to appear on this output
    ipc_socket_path   the control socket of sway; None for every other backend
    notes             sentences that the user should read, such as what the compositor cannot do
    open_input        opens the injector of a backend whose input is not by wlr protocols
    input_kind        what that one speaks: EIS, or a protocol of the compositor
    pipewire_remote   path of the PipeWire socket of the session where applications play; "": our own user's
    dbus_address      session bus of the desktop; "": unknown or none
    region            for absolute input by global coordinates; None where the output itself is addressed
    bit_depth         of its pictures, per colour
    """

    name: str
    mode: Mode
    source: FrameSource
    backend: str
    environment: Mapping[str, str] = field(default_factory=dict)
    ipc_socket_path: str | None = None
    notes: tuple[str, ...] = ()
    open_input: "Callable[[], AbstractAsyncContextManager[Injector]] | None" = None
    input_kind: Literal["eis", "compositor"] = "compositor"
    pipewire_remote: str = ""
    dbus_address: str = ""
    region: Region | None = None
    bit_depth: int = 8


class DisplayBackend(Protocol):
    """One way to make outputs.

    Made with ``(journal, options=, environment=)``: the variables say which session to look at, as the host
    may serve another one than its own. Nothing deeper reads ``os.environ``.
    """

    @property
    def name(self) -> str:
        """The word for it in settings and messages."""

    async def probe(self) -> Capabilities:
        """Say whether this backend works here. Raises nothing."""

    def create(self, mode: Mode, identity: str) -> AbstractAsyncContextManager[VirtualOutput]:
        """Make an output for the client ``identity``; it is gone when the block ends.

        Raises EnvironmentProblem if the output or its size cannot be had.
        """

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give an output another mode and return its new description. Raises EnvironmentProblem."""


def find_terminal() -> list[str] | None:
    """Find a terminal to open on an otherwise empty desktop; None if there is none."""
    for name in ("foot", "alacritty", "kitty", "wezterm", "konsole", "gnome-terminal", "xterm"):
        if path := shutil.which(name):
            return [path]
    return None


def refresh_note(compositor: str, asked: Mode, got: Mode) -> tuple[str, ...]:
    """Word what a client is told whose refresh the compositor cannot do; nothing if it can, to 0.5 Hz."""
    if abs(asked.refresh_millihertz - got.refresh_millihertz) <= 500:
        return ()
    wanted, given = (f"{mode.refresh_millihertz / 1000:g} Hz" for mode in (asked, got))
    return (f"{compositor} gives {given}, not the {wanted} that were asked for",)
