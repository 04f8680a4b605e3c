"""What a display backend is, what it gives, and how one is chosen.

A backend makes an output of exactly the client's size for the length of an ``async with`` and hands out a
frozen description of it; frames never pass through here.
"""

import shutil
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.plan import FrameSource, Mode

SETTINGS = ("auto", "attach", "sway", "testcard")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do here; ``reason`` says what was found, or why it is unavailable."""

    available: bool
    reason: str
    hint: str = ""
    version: str = ""
    removes_outputs: bool = True
    takes_input: bool = True


@dataclass(frozen=True, slots=True)
class VirtualOutput:
    """One output, made for one client, and how to reach it.

    environment       what an application needs in its environment to appear on this output
    ipc_socket_path   the compositor's control socket; None for the test card
    notes             sentences that the user should read, such as what the compositor cannot do
    """

    name: str
    mode: Mode
    source: FrameSource
    backend: str
    environment: Mapping[str, str] = field(default_factory=dict)
    ipc_socket_path: str | None = None
    notes: tuple[str, ...] = ()


class DisplayBackend(Protocol):
    """One way to make outputs."""

    name: str

    async def probe(self) -> Capabilities:
        """Say whether this backend works here. Raises nothing."""

    def create(self, mode: Mode, identity: str) -> AbstractAsyncContextManager[VirtualOutput]:
        """Make an output for the client ``identity``; it is gone when the block ends.

        Raises EnvironmentProblem if the output or its exact mode cannot be had.
        """

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Give an output another mode and return its new description. Raises EnvironmentProblem."""


async def choose_backend(
    setting: str, runtime_folder: Path, *, testcard_noise: bool = False
) -> tuple[DisplayBackend, str]:
    """Pick the backend of a ``display`` setting and say why.

    ``auto`` attaches to a running sway, else spawns one, else shows the test card. A backend asked for by
    name is the one that is used: if it does not work, EnvironmentProblem says why.
    """
    # Backends are imported late: they import this module for its types.
    from punktfunk.control.displays.attached import AttachedSway
    from punktfunk.control.displays.spawned import SpawnedSway
    from punktfunk.control.displays.testcard import Testcard
    from punktfunk.control.system.journal import Journal

    journal = Journal(runtime_folder)
    backends: dict[str, DisplayBackend] = {
        "attach": AttachedSway(journal),
        "sway": SpawnedSway(journal),
        "testcard": Testcard(noise=testcard_noise),
    }
    if setting == "auto":
        refusals: list[str] = []
        for backend in backends.values():
            found = await backend.probe()
            if found.available:
                return backend, "; ".join([*refusals, found.reason])
            refusals.append(found.reason)
    if setting not in backends:
        raise ConfigError(f"display = {setting!r}", hint=f"Choose one of {', '.join(SETTINGS)}.")
    found = await backends[setting].probe()
    if not found.available:
        raise EnvironmentProblem(f"display {setting}: {found.reason}", hint=found.hint)
    return backends[setting], f"asked for; {found.reason}"


def find_terminal() -> list[str] | None:
    """Find a terminal to open on an otherwise empty desktop; None if there is none."""
    for name in ("foot", "alacritty", "kitty", "wezterm", "konsole", "gnome-terminal", "xterm"):
        if path := shutil.which(name):
            return [path]
    return None
