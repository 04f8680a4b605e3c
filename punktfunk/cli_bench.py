"""``punktfunk bench``: the verbs of the command line for researchers."""

import typer

bench = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
