"""``punktfunk portal``: its verbs. What they do: ``punktfunk.commands.portal``."""

from pathlib import Path
from typing import Annotated

import typer

portal = typer.Typer(
    help="Choose the screen that your desktop's portal shares: ask, forget.",
    epilog='For display = "portal": desktops that punktfunk cannot add a display to. Without `ask` the first '
    "client makes the desktop ask, and somebody must sit there then.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

State = Annotated[
    Path | None,
    typer.Option("--state", metavar="FOLDER", help="State folder of the host (key, paired clients)."),
]


@portal.command("ask")
def ask(*, state: State = None) -> None:
    """Let the desktop ask you now which screen to share, and keep the answer for clients that come.

    Run it inside the desktop's session, as the user who runs `punktfunk serve`.

    \b
    Example:
      punktfunk portal ask
    """
    from punktfunk.commands.portal import ask

    ask(state)


@portal.command("forget")
def forget(*, state: State = None) -> None:
    """Forget the answer: the next client makes the desktop ask again."""
    from punktfunk.commands.portal import forget

    forget(state)
