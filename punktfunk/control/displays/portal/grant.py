"""What the user agreed to, kept so that the next session asks nobody: the portal's restore token.

A token is good for one start; the portal gives a new one with each. It lets its owner see the screen, so the
file is the user's alone.
"""

import logging
from pathlib import Path
from typing import Any, Final

from punktfunk.control.store import StateFile
from punktfunk.errors import EnvironmentProblem

logger = logging.getLogger(__name__)
FILE: Final = "portal.json"
LONGEST_TOKEN: Final = 4096


class Grant:
    """The token of one host, in its state folder; None keeps it for as long as the host runs."""

    def __init__(self, state_folder: Path | None) -> None:
        self._file = None if state_folder is None else StateFile(state_folder / FILE, "grant of the portal")
        self._token = ""

    def token(self) -> str:
        """Return the token; empty if there is none, or none that can be read."""
        if self._file is None:
            return self._token
        try:
            return self._file.load(interpret) or ""
        except EnvironmentProblem as error:
            logger.warning("grant not read reason=%r", str(error))
            return ""

    def keep(self, token: str) -> None:
        """Keep a new token; the old one is used up. Without one the user is asked again."""
        self._token = token if len(token) <= LONGEST_TOKEN else ""
        if self._file is None or (not self._token and not self.token()):
            return
        try:
            self._file.save({"token": self._token})
        except EnvironmentProblem as error:
            logger.warning("grant not kept reason=%r", str(error))


def interpret(content: dict[str, Any]) -> str:
    """Read the content of the file; ValueError for anything that is none."""
    token = content["token"]
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
        raise ValueError("a token that is no text")
    return token
