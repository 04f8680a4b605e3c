"""Which backend a ``display`` setting means, and why: the table of them, and the walk through it.

    auto      the desktop that this user runs, whichever it is -> a private session -> the portal
              -> the test card
    attach    only the desktop that runs
    a name    that one, and no other

Backends are loaded when they are asked for: each brings bindings that the others do not need.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from punktfunk.control.displays.base import Capabilities, DisplayBackend, DisplayOptions
from punktfunk.control.displays.following import AbsentBackend, FollowingBackend
from punktfunk.control.displays.limit import LimitedBackend
from punktfunk.control.system.journal import Journal
from punktfunk.errors import ConfigError, EnvironmentProblem

BACKENDS: Final[dict[str, str]] = {
    "sway-attached": "punktfunk.control.displays.attached:AttachedSway",
    "sway": "punktfunk.control.displays.spawned:SpawnedSway",
    "hyprland": "punktfunk.control.displays.hyprland.attached:AttachedHyprland",
    "hyprland-own": "punktfunk.control.displays.hyprland.spawned:SpawnedHyprland",
    "kwin": "punktfunk.control.displays.kwin.backend:KWinDisplays",
    "gnome": "punktfunk.control.displays.mutter.backend:Gnome",
    "gamescope-attached": "punktfunk.control.displays.gamescope.attached:AttachedGamescope",
    "gamescope": "punktfunk.control.displays.gamescope.spawned:SpawnedGamescope",
    "wlroots": "punktfunk.control.displays.wlroots:SpawnedWlroots",
    "mirror": "punktfunk.control.displays.mirror.backend:Mirror",
    "portal": "punktfunk.control.displays.portal.backend:PortalDesktop",
    "testcard": "punktfunk.control.displays.testcard:Testcard",
}
"""Every backend: where its class is, which is made with ``(journal, options=, environment=)``."""

DESKTOPS: Final = ("sway-attached", "hyprland", "kwin", "gnome", "gamescope-attached")
"""Backends that join a desktop that runs already, in the order of asking."""
PRIVATE: Final = ("sway", "wlroots")
"""Backends that start a session of their own for every stream."""
LAST: Final = ("portal", "testcard")
"""What is left for ``auto``."""


ABSENT: Final = re.compile(r"no (\S+).* of this user runs(?: \(.*\))?")
"""How the backend of a desktop says that it found none."""
LOG_IN: Final = 'Log into a desktop, or set display = "sway" for a private session.'


def settings_known() -> tuple[str, ...]:
    """List the values that the ``display`` setting may have here."""
    return ("auto", "attach", *(name for name in BACKENDS if not name.endswith(("-attached", "-own"))))


@dataclass(frozen=True, slots=True)
class Choice:
    """The backend that is used, what it found, and every one before it with what kept it from being used."""

    backend: DisplayBackend
    found: Capabilities
    refused: tuple[tuple[str, Capabilities], ...]
    name: str = ""  # in the table

    @property
    def reasons(self) -> list[str]:
        """Why this one: what kept the others from being used, then what it found.

        Once a desktop was found nobody asks about those that do not run.
        """
        told = self.failed if self.name in DESKTOPS else self.refused
        return [*word_refusals(told), self.found.reason]

    @property
    def failed(self) -> tuple[tuple[str, Capabilities], ...]:
        """Those refused although their desktop runs: their owner may want to do something about it."""
        return tuple((name, found) for name, found in self.refused if not is_absent(name, found))


async def choose_backend(
    setting: str,
    runtime_folder: Path,
    options: DisplayOptions | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    testcard_noise: bool = False,
    may_wait: bool = False,
) -> tuple[DisplayBackend, str]:
    """Pick the backend of a ``display`` setting and say why; the reason names every one that was refused.

    ``environment``: the variables of the session to look at, by default our own. A backend asked for by name
    is the one that is used: if it does not work, EnvironmentProblem says why.

    What joins a desktop is settled anew for every display: a user may log in, or into another one, while the
    host runs. With ``may_wait`` a desktop that is not there yet is no error either: displays are refused
    until it is.
    """
    options = options or DisplayOptions()
    made: dict[str, DisplayBackend] = {}

    async def choose() -> tuple[DisplayBackend, str]:
        choice = await walk_backends(
            setting, runtime_folder, options, environment, noise=testcard_noise, made=made
        )
        asked = [] if setting == "auto" else ["asked for"]
        told = [*asked, *choice.reasons]
        wanted = options.arrangement
        if wanted not in choice.found.arrangements:
            told.append(
                f"it cannot do display_arrangement = {wanted!r}: {choice.found.arrangements[0]} it is"
            )
        return choice.backend, "; ".join(told)

    joins = setting in {"auto", "attach", *DESKTOPS}
    try:
        backend, reason = await choose()
    except EnvironmentProblem as problem:
        if not (may_wait and joins):
            raise
        why = str(problem).removeprefix(f"display {setting}: ")
        backend, reason = (
            AbsentBackend(setting, problem),
            f"not there yet: {why}; clients are refused until it is",
        )
    if joins:
        backend = FollowingBackend(backend, choose)
    return LimitedBackend(backend, options.limit), reason


async def walk_backends(
    setting: str,
    runtime_folder: Path,
    options: DisplayOptions | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    noise: bool = False,
    made: dict[str, DisplayBackend] | None = None,
) -> Choice:
    """Ask backends in their order until one works; see ``choose_backend``.

    ``made`` keeps those that were asked, for the next time: what they know of their displays is in them.
    """
    made = {} if made is None else made
    if setting not in settings_known():
        raise ConfigError(f"display = {setting!r}", hint=f"Choose one of {', '.join(settings_known())}.")
    options = options or DisplayOptions()
    environment = os.environ if environment is None else environment
    walked = {
        "auto": (*DESKTOPS, *PRIVATE, *LAST),
        "attach": DESKTOPS,
        "hyprland": ("hyprland", "hyprland-own"),
    }.get(setting, (setting,))
    refused: list[tuple[str, Capabilities]] = []
    for name in walked:
        if name not in made:
            made[name] = make_backend(name, Journal(runtime_folder), options, environment, noise=noise)
        found = await made[name].probe()
        if found.available:
            return Choice(made[name], found, tuple(refused), name)
        refused.append((name, found))
    # The remedy of a desktop that runs helps more than to be told to log into another one.
    hints = [found.hint for name, found in refused if len(walked) == 1 or not is_absent(name, found)]
    raise EnvironmentProblem(
        f"display {setting}: {'; '.join(word_refusals(refused))}", hint=hints[0] if hints else LOG_IN
    )


def is_absent(name: str, found: Capabilities) -> bool:
    """Tell whether a backend was refused for the mere reason that its desktop does not run."""
    return name in DESKTOPS and ABSENT.fullmatch(found.reason) is not None


def word_refusals(refused: Sequence[tuple[str, Capabilities]]) -> list[str]:
    """Make a sentence of each refusal; desktops that do not run share one."""
    absent = [
        match[1] for name, found in refused if name in DESKTOPS and (match := ABSENT.fullmatch(found.reason))
    ]
    others = [found.reason for name, found in refused if not is_absent(name, found)]
    if len(absent) < 2:
        return [found.reason for _, found in refused]
    return [f"no desktop of this user runs ({', '.join(absent)})", *others]


def make_backend(
    name: str,
    journal: Journal,
    options: DisplayOptions,
    environment: Mapping[str, str],
    *,
    noise: bool = False,
) -> DisplayBackend:
    """Load and make one backend of the table."""
    module, _, kind = BACKENDS[name].partition(":")
    made = getattr(import_module(module), kind)
    if name == "testcard":
        return cast("DisplayBackend", made(noise=noise))
    return cast("DisplayBackend", made(journal, options=options, environment=environment))
