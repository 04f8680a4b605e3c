"""``punktfunk status``: its flags. What it prints: ``punktfunk.commands.status``."""

from pathlib import Path
from typing import Annotated

import typer


def status(
    *,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="FOLDER", help="State folder of the host (key, paired clients)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Say what the running host does: its display, who streams, at what mode and rate, and which apps wait.

    \b
    Examples:
      punktfunk status
      punktfunk status --json
    """
    from punktfunk.commands.status import show_status

    show_status(state, as_json=as_json)
