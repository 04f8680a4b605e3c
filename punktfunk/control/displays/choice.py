"""Which backend a ``display`` setting means, and why: the table of them, and the walk through it.

    auto      the desktop that this user runs, whichever it is -> a private session -> the portal
              -> the test card
    attach    only the desktop that runs
    a name    that one, and no other

Backends are loaded when they are asked for: each brings bindings that the others do not need.
"""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final, cast

from punktfunk.control.displays.base import DisplayBackend, DisplayOptions
from punktfunk.control.displays.limit import LimitedBackend
from punktfunk.control.system.journal import Journal
from punktfunk.errors import ConfigError, EnvironmentProblem

BACKENDS: Final[dict[str, str]] = {
    "sway-attached": "punktfunk.control.displays.attached:AttachedSway",
    "sway": "punktfunk.control.displays.spawned:SpawnedSway",
    "hyprland": "punktfunk.control.displays.hyprland.attached:AttachedHyprland",
    "kwin": "punktfunk.control.displays.kwin.backend:KWinDisplays",
    "gnome": "punktfunk.control.displays.mutter.backend:Gnome",
    "gamescope-attached": "punktfunk.control.displays.gamescope.attached:AttachedGamescope",
    "gamescope": "punktfunk.control.displays.gamescope.spawned:SpawnedGamescope",
    "wlroots": "punktfunk.control.displays.wlroots:SpawnedWlroots",
    "testcard": "punktfunk.control.displays.testcard:Testcard",
}
"""Every backend: where its class is, which is made with ``(journal, options=, environment=)``."""

DESKTOPS: Final = ("sway-attached", "hyprland", "kwin", "gnome", "gamescope-attached")
"""Backends that join a desktop that runs already, in the order of asking."""
PRIVATE: Final = ("sway", "wlroots")
"""Backends that start a session of their own for every stream."""
LAST: Final = ("testcard",)
"""What is left for ``auto``."""


def settings_known() -> tuple[str, ...]:
    """List the values that the ``display`` setting may have here."""
    return ("auto", "attach", *(name for name in BACKENDS if not name.endswith("-attached")))


async def choose_backend(
    setting: str,
    runtime_folder: Path,
    options: DisplayOptions | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    testcard_noise: bool = False,
) -> tuple[DisplayBackend, str]:
    """Pick the backend of a ``display`` setting and say why; the reason names every one that was refused.

    ``environment``: the variables of the session to look at, by default our own. A backend asked for by name
    is the one that is used: if it does not work, EnvironmentProblem says why.
    """
    if setting not in settings_known():
        raise ConfigError(f"display = {setting!r}", hint=f"Choose one of {', '.join(settings_known())}.")
    options = options or DisplayOptions()
    environment = os.environ if environment is None else environment
    walked = {"auto": (*DESKTOPS, *PRIVATE, *LAST), "attach": DESKTOPS}.get(setting, (setting,))
    refusals: list[str] = []
    hints: list[str] = []
    for name in walked:
        backend = make_backend(name, Journal(runtime_folder), options, environment, noise=testcard_noise)
        found = await backend.probe()
        if found.available:
            asked = [] if setting == "auto" else ["asked for"]
            return LimitedBackend(backend, options.limit), "; ".join([*asked, *refusals, found.reason])
        refusals.append(found.reason)
        hints.append(found.hint)
    raise EnvironmentProblem(f"display {setting}: {'; '.join(refusals)}", hint=hints[0])


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
