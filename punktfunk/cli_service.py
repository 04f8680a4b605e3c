"""``punktfunk service``: its flags. What it prints: ``punktfunk.commands.service``."""

from typing import Annotated

import typer


def service(
    *,
    session: Annotated[
        str,
        typer.Option(
            metavar="sway|gnome|plasma|gamescope|off",
            help="Desktop session that the service starts for itself; off shows the desktop you log into.",
        ),
    ] = "sway",
    user: Annotated[
        str, typer.Option(metavar="NAME", help="Who runs it; you, if not given. Never root.")
    ] = "",
    user_unit: Annotated[
        bool, typer.Option("--user-unit", help="For your own systemd --user instead of the system's.")
    ] = False,
) -> None:
    """Print a systemd unit that starts the host at boot, with the commands that install it.

    Nothing is installed or changed. The unit runs as an ordinary user: a machine without monitor and without
    login can be streamed from boot on.

    \b
    Examples:
      punktfunk service --session sway | sudo tee /etc/systemd/system/punktfunk.service
      punktfunk service --session gnome --user games
      punktfunk service --session off --user-unit > ~/.config/systemd/user/punktfunk.service
    """
    from punktfunk.commands.service import show_service

    show_service(session, user=user, as_user_unit=user_unit)
