"""``punktfunk pads``: its flags. What it does: ``punktfunk.commands.pads``."""

from typing import Annotated

import typer

pads = typer.Typer(
    help="Gamepads on this machine: show, setup, undo.", no_args_is_help=True, rich_markup_mode=None
)
OnlyPrint = Annotated[bool, typer.Option("--print", help="Print the commands and run none.")]


@pads.command("show")
def pads_show(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say which pads can be made here, and why others cannot.

    \b
    Example:
      punktfunk pads show
    """
    from punktfunk.commands.pads import show

    show(as_json=as_json)


@pads.command("setup")
def pads_setup(*, only_print: OnlyPrint = False) -> None:
    """Let this user make gamepads: a group, a udev rule and two kernel modules.

    It prints every command before it runs it, by sudo where it must. `undo` takes all of it away.

    \b
    Examples:
      punktfunk pads setup
      punktfunk pads setup --print
    """
    from punktfunk.commands.pads import setup

    setup(only_print=only_print)


@pads.command("undo")
def pads_undo(*, only_print: OnlyPrint = False) -> None:
    """Take away what `setup` has made.

    \b
    Example:
      punktfunk pads undo
    """
    from punktfunk.commands.pads import undo

    undo(only_print=only_print)
