"""Which sessions there are: the compositor of each, the backend that attaches to it, what else it needs.

The builder of a compositor lives beside its backend: ``compositor(folder, environment)`` lists its parts. The
first is the compositor, what follows it (a panel, a shell) needs it.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Final

from punktfunk.control.desktop.parts import Part
from punktfunk.control.desktop.services import (
    COMPOSITOR,
    PIPEWIRE,
    SESSION_BUS,
    SYSTEM_BUS,
    has_system_bus,
    session_bus,
    sound_parts,
    system_bus,
)
from punktfunk.control.system.packages import install_command
from punktfunk.errors import ConfigError, EnvironmentProblem


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of session.

    backend      name in ``displays.choice.BACKENDS`` of what makes outputs in it
    builder      "module:function" of its compositor; empty: every stream starts one of its own
    on_bus       the compositor does not work without a session bus, and ends with it
    on_system    it does not start without a system bus
    on_pipewire  its pictures go through PipeWire
    """

    backend: str
    builder: str
    on_bus: bool = True
    on_system: bool = False
    on_pipewire: bool = True

    @property
    def heart(self) -> str:
        """Name the part without which there are no displays."""
        return COMPOSITOR if self.builder else PIPEWIRE


KINDS: Final[Mapping[str, Kind]] = {
    "sway": Kind(
        "sway-attached",
        "punktfunk.control.displays.sway_start:compositor",
        on_bus=False,
        on_pipewire=False,
    ),
    "gnome": Kind("gnome", "punktfunk.control.displays.mutter.start:compositor", on_system=True),
    "plasma": Kind("kwin", "punktfunk.control.displays.kwin.start:compositor", on_system=True),
    "gamescope": Kind("gamescope", ""),
}


def find_kind(name: str) -> Kind:
    """Look a kind up; ConfigError if there is none of that name."""
    if name not in KINDS:
        raise ConfigError(f"session = {name!r}", hint=f"Choose one of off, {', '.join(KINDS)}.")
    return KINDS[name]


def build_parts(kind: Kind, folder: Path, environment: Mapping[str, str]) -> list[Part]:
    """List the parts of a session in the order of their start; writes their settings into the folder."""
    parts = [session_bus(folder, vital=kind.on_bus)]
    if kind.on_system and not has_system_bus():
        parts.append(system_bus(folder))
    parts += sound_parts(folder, vital=kind.on_pipewire)
    if not kind.builder:
        return parts
    module, _, function = kind.builder.partition(":")
    desktop: list[Part] = getattr(import_module(module), function)(folder, environment)
    compositor = desktop[0]
    needs = {SESSION_BUS} if kind.on_bus else set()
    if any(part.name == SYSTEM_BUS for part in parts):
        needs.add(SYSTEM_BUS)
    return [*parts, replace(compositor, name=COMPOSITOR, needs=compositor.needs | needs), *desktop[1:]]


def missing_parts(parts: Sequence[Part], environment: Mapping[str, str]) -> list[Part]:
    """List the parts whose program is not installed."""
    return [part for part in parts if shutil.which(part.program, path=environment.get("PATH")) is None]


def refuse(name: str, parts: Sequence[Part], environment: Mapping[str, str]) -> None:
    """Raise EnvironmentProblem if this session cannot be had here, with what to do about it."""
    if os.geteuid() == 0:
        raise EnvironmentProblem(
            f"session = {name}: compositors refuse to run as root",
            hint="Start punktfunk as an ordinary user: `punktfunk service` prints a unit that does.",
        )
    missing = missing_parts(parts, environment)
    vital = [part.program for part in missing if not part.without]
    if vital:
        raise EnvironmentProblem(
            f"session = {name}: not installed: {', '.join(dict.fromkeys(vital))}",
            hint=how_to_install(missing),
        )


def how_to_install(missing: Sequence[Part]) -> str:
    """Word the command that installs what is missing."""
    families = {family for part in missing for family in part.packages}
    return install_command(
        {
            family: list(dict.fromkeys(name for part in missing for name in part.packages.get(family, ())))
            for family in families
        }
    )


def absence(missing: Sequence[Part]) -> str:
    """Say what is not installed and what follows."""
    programs: dict[str, list[str]] = {}
    for part in missing:
        programs.setdefault(part.without, []).append(part.program)
    return "; ".join(f"{' and '.join(names)} not installed: {without}" for without, names in programs.items())
