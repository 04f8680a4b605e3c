"""Whether this user may make input devices, and what to do if not."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from punktfunk.errors import EnvironmentProblem

UINPUT: Final = Path("/dev/uinput")
UHID: Final = Path("/dev/uhid")
REMEDY: Final = (
    "Run `punktfunk pads setup` once; it prints what it does and asks for sudo only where it must."
)


@dataclass(frozen=True, slots=True)
class Access:
    """One node: empty ``problem`` means that it can be used."""

    node: Path
    problem: str

    @property
    def usable(self) -> bool:
        """Whether devices can be made by it."""
        return not self.problem


def examine_node(node: Path) -> Access:
    """Look at a node without opening it: opening /dev/uhid and closing it again is not for nothing."""
    if not node.exists():
        return Access(node, f"{node} does not exist: the kernel module {node.name} is not loaded")
    if not os.access(node, os.R_OK | os.W_OK):
        return Access(node, f"this user may not open {node}")
    return Access(node, "")


def open_node(node: Path) -> int:
    """Open a node for reading and writing without waiting; EnvironmentProblem says why not and what helps."""
    try:
        return os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO)
        why = "the kernel module is not loaded" if missing else error.strerror or "refused"
        raise EnvironmentProblem(f"cannot open {node}: {why}", hint=REMEDY) from error
