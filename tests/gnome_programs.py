"""GNOME for a host with a session of its own: the machine's, or that of the Debian 13 tree, each program inside it."""

import os
import shutil
from pathlib import Path

from gnome_session import INSIDE

PROGRAMS = ("dbus-daemon", "pipewire", "wireplumber", "gnome-shell", "mutter")
SOFTWARE = {"LIBGL_ALWAYS_SOFTWARE": "1", "GSETTINGS_BACKEND": "memory"}


def gnome_environment(folder: Path) -> dict[str, str] | None:
    """What to add to a host's variables so that it finds GNOME; None if there is none. ``folder`` holds wrappers."""
    if shutil.which("gnome-shell"):
        return dict(SOFTWARE)
    if INSIDE is None or not INSIDE.exists():
        return None
    programs = folder / "programs"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(f'#!/bin/sh\nexec {INSIDE} {name} "$@"\n')
        (programs / name).chmod(0o755)
    return SOFTWARE | {"PATH": f"{programs}:{os.environ['PATH']}"}
