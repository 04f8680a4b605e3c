"""The first program in a gamescope of ours: it tells the variables of the session, then only stays.

gamescope ends with its first program. Games are started beside it, with the variables that it told.
"""

from collections.abc import Sequence
from pathlib import Path

from punktfunk.control.displays.gamescope.inside import VARIABLES
from punktfunk.control.displays.session_variables import asking_script

ANSWER = "variables"
MAXIMUM_ANSWER_BYTES = 64 * 1024


def holder(folder: Path) -> Sequence[str]:
    """Word the command of the first program."""
    script = asking_script(VARIABLES, folder / ANSWER)
    # A shell that waits, not sleep itself: busybox and coreutils differ in what "infinity" is.
    return ["sh", "-c", f"{script}trap 'exit 0' TERM INT\nwhile :; do sleep 86400 & wait $!; done"]


def read_answer(folder: Path) -> dict[str, str]:
    """Read what the first program told; empty before it did."""
    try:
        with (folder / ANSWER).open("rb") as file:
            lines = file.read(MAXIMUM_ANSWER_BYTES).decode(errors="replace").split("\n")
    except OSError:
        return {}
    return {name: value for name, value in zip(VARIABLES, lines, strict=False) if value}
