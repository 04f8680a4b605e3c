"""The wlroots compositors besides sway that are started for a stream: what each needs to run headless.

Each is given a shell as its first program: it writes the variables that programs need, as only children of a
compositor know them all, and shows that the compositor is up.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VARIABLES: Final = ("WAYLAND_DISPLAY", "DISPLAY")


@dataclass(frozen=True, slots=True)
class Compositor:
    """One program; ``command(folder, announce)`` is how it is started with the shell command ``announce``.

    oldest   the first version that streaming works with, as ``-v`` says it; () is any
    """

    program: str
    command: Callable[[Path, str], list[str]]
    oldest: tuple[int, ...] = ()

    def is_too_old(self, said: str) -> bool:
        """Tell whether what ``-v`` said names a version before ``oldest``; what cannot be read is none."""
        found = re.search(r"(\d+)\.(\d+)", said)
        return found is not None and (int(found[1]), int(found[2])) < self.oldest


def announcement(answer: Path) -> str:
    """Word the shell command that writes ``VARIABLES``, one a line, into a file, whole or not at all."""
    scratch = answer.with_suffix(".part")
    values = " ".join(f'"${name}"' for name in VARIABLES)
    files = f"{shlex.quote(str(scratch))} {shlex.quote(str(answer))}"
    return f"printf '%s\\n' {values} > {shlex.quote(str(scratch))} && mv {files}"


def _labwc(folder: Path, announce: str) -> list[str]:
    # A folder of its own: the user's autostart belongs to the user's own session (labwc(1), -C).
    settings = folder / "labwc"
    settings.mkdir(exist_ok=True)
    return ["labwc", "-C", str(settings), "-s", _script(folder, announce)]


def _wayfire(folder: Path, announce: str) -> list[str]:
    settings = folder / "wayfire.ini"
    settings.write_text(
        "[core]\nplugins = autostart alpha command cube decoration fast-switcher move place resize "
        "vswitch window-rules wm-actions\nxwayland = true\n"
        f"[autostart]\nautostart_wf_shell = false\nannounce = {_script(folder, announce)}\n"
        "[command]\nbinding_terminal = <super> KEY_ENTER\ncommand_terminal = foot\n",
        encoding="utf-8",
    )
    return ["wayfire", "-c", str(settings)]


def _river(folder: Path, announce: str) -> list[str]:
    # Without a layout generator river shows windows at the size of the screen, which suits one app.
    return ["river", "-c", _script(folder, announce)]


def _cage(folder: Path, announce: str) -> list[str]:
    # Cage ends with its first program, so that one stays; later windows are shown over the whole screen.
    return ["cage", "-s", "--", _script(folder, f"{announce}; exec sleep infinity")]


def _script(folder: Path, command: str) -> str:
    """Write a command into a script, as not every compositor takes quotes; return its path."""
    path = folder / "announce.sh"
    path.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    path.chmod(0o700)
    return str(path)


COMPOSITORS: Final = (
    Compositor("labwc", _labwc),
    Compositor("wayfire", _wayfire),
    Compositor("river", _river),
    Compositor("cage", _cage, oldest=(0, 2)),  # the first with zwlr_output_manager_v1
)
"""In the order of asking: desktops with windows, then one that tiles, then one that shows a single app."""


def read_announcement(text: str) -> Mapping[str, str]:
    """Read what the shell wrote; variables that were not set are left out."""
    return {name: value for name, value in zip(VARIABLES, text.split("\n"), strict=False) if value}
