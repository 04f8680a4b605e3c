"""``punktfunk plasma``: its verbs. What they do: ``punktfunk.commands.plasma``."""

import typer

plasma = typer.Typer(
    help="Let punktfunk into KDE Plasma: install, remove, status.",
    epilog="KWin, Plasma's compositor, lets only programs that it knows by path add displays and send input. "
    "`install` makes a program of punktfunk's own for that, so that not every Python program is let in.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@plasma.command("install")
def install() -> None:
    """Make the program that KWin lets in, and the .desktop file that names it.

    Run it as the user of the session: nothing needs root, and both files lie in your own home. Run it again
    after Python was updated to another minor version; `punktfunk doctor` says when.

    \b
    Example:
      punktfunk plasma install
    """
    from punktfunk.commands.plasma import install

    install()


@plasma.command("remove")
def remove() -> None:
    """Take both away again: KWin then lets punktfunk in no more."""
    from punktfunk.commands.plasma import remove

    remove()


@plasma.command("status")
def status() -> None:
    """Say what is installed, where, and whether it works. Exit code 1 if it does not."""
    from punktfunk.commands.plasma import show_status

    if not show_status():
        raise typer.Exit(1)
