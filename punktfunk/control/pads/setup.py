"""What lets an ordinary user make input devices: a group, a udev rule, two modules; and how to undo it.

A group of its own, as the group ``input`` may also read every keyboard. Whoever is logged in at the machine
gets access by the rule's ``uaccess``; the group is for services and remote logins.
"""

import grp
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GROUP: Final = "punktfunk-input"
RULES_FILE: Final = Path("/etc/udev/rules.d/60-punktfunk.rules")
MODULES_FILE: Final = Path("/etc/modules-load.d/punktfunk.conf")
MODULES: Final = ("uinput", "uhid")
MODULES_TEXT: Final = "# What punktfunk makes gamepads with.\nuinput\nuhid\n"
_GRANT: Final = f'GROUP="{GROUP}", MODE="0660", TAG+="uaccess"'
RULES_TEXT: Final = f"""\
# Virtual input devices of punktfunk: written by `punktfunk pads setup`, removed by `punktfunk pads undo`.
KERNEL=="uinput", SUBSYSTEM=="misc", OPTIONS+="static_node=uinput", {_GRANT}
KERNEL=="uhid", SUBSYSTEM=="misc", OPTIONS+="static_node=uhid", {_GRANT}
# DualSense, DualShock 4 and Switch Pro, for games that talk to them directly.
SUBSYSTEM=="hidraw", KERNELS=="*:054C:0CE6.*", {_GRANT}
SUBSYSTEM=="hidraw", KERNELS=="*:054C:09CC.*", {_GRANT}
SUBSYSTEM=="hidraw", KERNELS=="*:057E:2009.*", {_GRANT}
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One command: why, its words, what it reads, and whether the rest needs it."""

    why: str
    words: tuple[str, ...]
    text: str = ""
    needed: bool = True

    def __str__(self) -> str:
        """Return the command as one would type it."""
        line = shlex.join(self.words)
        return f"{line} <<'END'\n{self.text}END" if self.text else line


_RELOAD: Final = (
    Step("read the rules again", ("udevadm", "control", "--reload"), needed=False),
    Step(
        "apply them to what is there",
        ("udevadm", "trigger", "--subsystem-match=misc", "--sysname-match=uinput", "--sysname-match=uhid"),
        needed=False,
    ),
)


def members(group: str = GROUP) -> list[str] | None:
    """List the members of a group; None if there is no such group."""
    try:
        return grp.getgrnam(group).gr_mem
    except KeyError:
        return None


def setup_steps(user: str, in_group: Sequence[str] | None) -> list[Step]:
    """List what is to be done for a user; files are written again, so that they are this version's."""
    steps: list[Step] = []
    if in_group is None:
        steps.append(Step("a group that may make input devices", ("groupadd", "--system", GROUP)))
    if user not in (in_group or ()):
        steps.append(Step(f"{user} belongs to it", ("usermod", "-aG", GROUP, user)))
    return [
        *steps,
        Step("a rule that gives it the kernel's nodes", ("tee", str(RULES_FILE)), RULES_TEXT),
        Step("the modules behind them at every start", ("tee", str(MODULES_FILE)), MODULES_TEXT),
        Step("and now", ("modprobe", "-a", *MODULES), needed=False),
        *_RELOAD,
    ]


def undo_steps(user: str, in_group: Sequence[str] | None) -> list[Step]:
    """List what takes everything away again that ``setup_steps`` made."""
    steps = [
        Step("the rule and the list of modules", ("rm", "-f", str(RULES_FILE), str(MODULES_FILE))),
        *_RELOAD,
    ]
    if in_group is not None:
        others = [name for name in in_group if name != user]
        if others:
            steps.append(Step(f"{user} leaves the group", ("gpasswd", "-d", user, GROUP), needed=False))
        else:
            steps.append(Step("the group", ("groupdel", GROUP)))
    return steps


def as_root(step: Step) -> tuple[str, ...]:
    """Return the words to run: by sudo, unless this is root already."""
    return step.words if os.geteuid() == 0 else ("sudo", *step.words)
