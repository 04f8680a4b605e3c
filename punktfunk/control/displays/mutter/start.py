"""How a GNOME of our own is started: without a monitor, as every client brings its own.

``gnome-shell --headless`` is the whole desktop; ``mutter --headless`` is a bare compositor, for machines that
have no shell. Both need a session bus, PipeWire and WirePlumber before them; the shell also wants a system
bus, however empty. They are drawn by the CPU where there is no GPU that EGL finds.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from punktfunk.control.desktop.parts import Part, Ready, Start
from punktfunk.control.displays.mutter.cast import REMOTE, SCREEN_CAST
from punktfunk.control.system.dbus_link import open_link
from punktfunk.errors import EnvironmentProblem

WAYLAND_DISPLAY: Final = "wayland-0"
SHELL: Final = "org.gnome.Shell"
SHELL_PACKAGES: Final = {name: ["gnome-shell"] for name in ("debian", "fedora", "arch", "suse")}
PATIENCE_S: Final = 40.0
"""A cold GNOME Shell on two slow cores takes its time."""


def command(program: str, *, xwayland: bool) -> list[str]:
    """Word the command that starts ``gnome-shell`` or ``mutter`` without a monitor."""
    words = [program, "--headless", "--wayland", "--wayland-display", WAYLAND_DISPLAY]
    return words if xwayland else [*words, "--no-x11"]


def compositor(folder: Path, environment: Mapping[str, str]) -> list[Part]:
    """Build the compositor of a session in ``folder``: GNOME Shell, else mutter where only that is there."""
    path = environment.get("PATH")
    xwayland = shutil.which("Xwayland", path=path) is not None
    bare = shutil.which("gnome-shell", path=path) is None and shutil.which("mutter", path=path) is not None
    program = "mutter" if bare else "gnome-shell"
    names = (SCREEN_CAST, REMOTE) if bare else (SCREEN_CAST, REMOTE, SHELL)
    start = Start(
        command(program, xwayland=xwayland),
        offered(f"unix:path={folder}/bus", names),
        environment={
            "XDG_SESSION_TYPE": "wayland",
            "XDG_CURRENT_DESKTOP": "GNOME",
            "XDG_SESSION_DESKTOP": "gnome",
        },
        gives={
            "WAYLAND_DISPLAY": WAYLAND_DISPLAY,
            "XDG_CURRENT_DESKTOP": "GNOME",
            "XDG_SESSION_DESKTOP": "gnome",
        },
        note="mutter alone, without GNOME Shell" if bare else "",
        patience_s=PATIENCE_S,
    )
    return [Part("compositor", program, SHELL_PACKAGES, [start])]


def offered(address: str, names: tuple[str, ...]) -> Ready:
    """Make a check that services are on a bus."""

    async def check() -> bool:
        try:
            async with open_link(address) as link:
                return all([await link.has_owner(name) for name in names])
        except EnvironmentProblem:
            return False

    return check
