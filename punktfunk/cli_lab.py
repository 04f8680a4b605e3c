"""``punktfunk lab``: the verbs of the command line for researchers."""

import typer

lab = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
