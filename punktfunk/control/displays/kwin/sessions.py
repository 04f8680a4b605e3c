"""Which KWin a session's variables mean, and how applications reach it."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from punktfunk.control.displays.kwin.door import is_kwin
from punktfunk.control.displays.wayland import open_wayland
from punktfunk.errors import EnvironmentProblem

INHERITED: Final = (
    "DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_ID",
)
SHELL: Final = "plasmashell"
PROC: Final = Path("/proc")


def runtime_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of the session's sockets."""
    return Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


def find_sockets(environment: Mapping[str, str]) -> list[str]:
    """List the Wayland sockets of this user: the one that the variables name first, then the newest."""
    folder = runtime_folder(environment)
    named = environment.get("WAYLAND_DISPLAY", "")
    found = [(folder / named)] if named else []
    try:
        others = [path for path in folder.glob("wayland-*") if not path.name.endswith(".lock")]
        found += sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        pass  # a folder that is not there holds no session
    return list(dict.fromkeys(os.fspath(path) for path in found if _is_our_socket(path)))


def _is_our_socket(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid()


async def find_kwin(environment: Mapping[str, str]) -> str:
    """Return the socket of the KWin that runs; EnvironmentProblem if none does."""
    for path in find_sockets(environment):
        try:
            async with open_wayland(path) as connection:
                if is_kwin(connection):
                    return path
        except EnvironmentProblem:
            continue  # not a compositor, or one that has died
    raise EnvironmentProblem("no Plasma session (KWin) of this user runs", hint="Log into Plasma (Wayland).")


def inside(environment: Mapping[str, str], socket_path: str) -> dict[str, str]:
    """Return the variables that an application needs to open in the session.

    A host that was started from elsewhere, over SSH or at boot, lacks some: the desktop's own shell has them.
    """
    folder, name = os.path.split(socket_path)
    found = {variable: environment[variable] for variable in INHERITED if environment.get(variable)}
    missing = [variable for variable in INHERITED if variable not in found]
    if missing:
        shell = _variables_of_shell(name)
        found |= {variable: shell[variable] for variable in missing if shell.get(variable)}
    return {
        **found,
        "XDG_RUNTIME_DIR": folder,
        "WAYLAND_DISPLAY": name,
        "XDG_SESSION_TYPE": "wayland",
    }


def _variables_of_shell(display: str) -> dict[str, str]:
    """Read the variables of this user's Plasma shell on that display; none if it does not run."""
    for folder in PROC.glob("[0-9]*"):
        try:
            if (folder / "comm").read_text(encoding="utf-8", errors="replace").strip() != SHELL:
                continue
            pairs = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # gone meanwhile, or another user's
        found = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if found.get("WAYLAND_DISPLAY", display) == display:
            return found
    return {}


def pipewire_socket(environment: Mapping[str, str]) -> str:
    """Return the path of the session's PipeWire socket (pipewire(1), PIPEWIRE_REMOTE)."""
    folder = environment.get("PIPEWIRE_RUNTIME_DIR") or runtime_folder(environment)
    named = environment.get("PIPEWIRE_REMOTE") or "pipewire-0"
    return named if named.startswith("/") else os.fspath(Path(folder) / named)
