"""How sway is started as the desktop of a session of our own: no output of its own, clients bring theirs."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from punktfunk.control.desktop.parts import Part, Ready, Start, listens
from punktfunk.control.displays.sway_config import build_config, find_renderers

PACKAGES: Final = {name: ["sway"] for name in ("debian", "fedora", "arch", "suse")}
WAYLAND_DISPLAY: Final = "wayland-1"
"""Sway takes the first free name of wayland-1 to wayland-32 (sway, server.c, server_init)."""


def compositor(folder: Path, environment: Mapping[str, str]) -> list[Part]:
    """Build the compositor; writes its configuration into the folder.

    It is drawn by the GPU where there is one that it starts on, else by the CPU.
    """
    config = folder / "sway.conf"
    has_xwayland = shutil.which("Xwayland", path=environment.get("PATH")) is not None
    config.write_text(build_config(None, xwayland=has_xwayland), encoding="utf-8")
    socket = folder / "sway.sock"
    gives = {
        "SWAYSOCK": str(socket),
        "WAYLAND_DISPLAY": WAYLAND_DISPLAY,
        "XDG_CURRENT_DESKTOP": "sway",
        "XDG_SESSION_DESKTOP": "sway",
    }
    ready = _both(listens(socket), listens(folder / WAYLAND_DISPLAY))
    starts = [
        Start(
            ["sway", "-c", str(config)],
            ready,
            environment={
                "SWAYSOCK": str(socket),
                "XDG_CURRENT_DESKTOP": "sway",
                "WLR_BACKENDS": "headless",
                "WLR_HEADLESS_OUTPUTS": "0",
                "WLR_LIBINPUT_NO_DEVICES": "1",
                "WLR_RENDERER": renderer,
            },
            gives=gives,
            # Sway uses a name of SWAYSOCK only if nothing has it (sway, ipc-server.c, ipc_user_sockaddr).
            leftovers=[socket, folder / WAYLAND_DISPLAY],
            note=f"drawn by {renderer or 'the GPU'}",
        )
        for renderer in find_renderers()
    ]
    return [Part("compositor", "sway", PACKAGES, starts)]


def _both(first: Ready, second: Ready) -> Ready:
    async def check() -> bool:
        return await first() and await second()

    return check
