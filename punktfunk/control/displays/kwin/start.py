"""How a Plasma of our own is started: KWin without a monitor (``--virtual``), and the Plasma shell in it.

Such a KWin always has one screen that nobody sees; the backend switches it off while a client's is there. It
needs a GPU with a render node, or a kernel's vgem and the CPU, as it records the screen with OpenGL only. It
lets everybody in (KWIN_WAYLAND_NO_PERMISSION_CHECKS): nobody else can reach its socket.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from punktfunk.control.desktop.parts import Part, Ready, Start, at_once
from punktfunk.control.displays.kwin.door import is_kwin
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.errors import EnvironmentProblem

WAYLAND_DISPLAY: Final = "wayland-0"
OPEN_TO_ALL: Final = "KWIN_WAYLAND_NO_PERMISSION_CHECKS"
UNSEEN_PX: Final = (1280, 720)
PATIENCE_S: Final = 60.0
KWIN_PACKAGES: Final = {
    "debian": ["kwin-wayland", "kwin-common"],
    "fedora": ["kwin-wayland"],
    "arch": ["kwin"],
    "suse": ["kwin6"],
}
SHELL_PACKAGES: Final = {
    "debian": ["plasma-workspace", "plasma-desktop"],
    "fedora": ["plasma-workspace", "plasma-desktop"],
    "arch": ["plasma-workspace", "plasma-desktop"],
    "suse": ["plasma6-workspace", "plasma6-desktop"],
}
SESSION: Final = {
    "XDG_SESSION_TYPE": "wayland",
    "XDG_CURRENT_DESKTOP": "KDE",
    "XDG_SESSION_DESKTOP": "KDE",
    "KDE_FULL_SESSION": "true",
    "KDE_SESSION_VERSION": "6",
    OPEN_TO_ALL: "1",
}
"""What programs of the session are given."""
COMPOSITOR: Final = SESSION | {"KDE_FULL_SESSION": "", "KDE_SESSION_VERSION": ""}
"""What KWin itself is given: with those two KWin 6.7.4 dies at its start (SIGSEGV) where Plasma's Qt theme
is not installed, as Qt then takes one of its own, which KWin's platform does not bear. Empty: taken away."""


def command(*, xwayland: bool) -> list[str]:
    """Word the command that starts KWin without a monitor."""
    width, height = map(str, UNSEEN_PX)
    words = ["kwin_wayland", "--virtual", "--no-lockscreen", "--socket", WAYLAND_DISPLAY]
    words += ["--width", width, "--height", height]
    return [*words, "--xwayland"] if xwayland else words


def compositor(folder: Path, environment: Mapping[str, str]) -> list[Part]:
    """Build KWin and the Plasma shell of a session in ``folder``."""
    xwayland = shutil.which("Xwayland", path=environment.get("PATH")) is not None
    kwin = Start(
        command(xwayland=xwayland),
        answers(folder / WAYLAND_DISPLAY),
        environment=COMPOSITOR,
        gives={"WAYLAND_DISPLAY": WAYLAND_DISPLAY, **SESSION},
        patience_s=PATIENCE_S,
    )
    shell = Start(["plasmashell", "--no-respawn"], at_once, environment={"QT_QPA_PLATFORM": "wayland"})
    return [
        Part("compositor", "kwin_wayland", KWIN_PACKAGES, [kwin]),
        Part(
            "shell",
            "plasmashell",
            SHELL_PACKAGES,
            [shell],
            needs=frozenset({"compositor"}),
            without="there is no panel and no menu, only what is started in the session",
        ),
    ]


def answers(path: Path) -> Ready:
    """Make a check that KWin answers on its socket."""

    async def check() -> bool:
        try:
            async with open_wayland(str(path)) as connection:
                return is_kwin(connection)
        except EnvironmentProblem:
            return False

    return check
