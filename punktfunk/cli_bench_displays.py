"""``punktfunk bench displays``: its flags, apart from the others as it is about desktops, not the engine."""

from typing import Annotated

import typer

from punktfunk.cli_bench import JsonFile, PlotFile, whole_number


def displays(
    *,
    session: Annotated[
        list[str] | None,
        typer.Option(
            metavar="sway|gnome|plasma", help="Which desktop. May be repeated; else sway and gnome."
        ),
    ] = None,
    seconds: Annotated[
        int, typer.Option(metavar="S", parser=whole_number, help="How long each is captured.")
    ] = 10,
    connects: Annotated[
        int, typer.Option(metavar="N", parser=whole_number, help="Clients that dial, one after the other.")
    ] = 8,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure desktop sessions of the host's own: what a picture costs, and how soon a client sees one.

    From the compositor's stamp to the encoder's planes, the CPU of a picture, and from dialling to the first
    decoded picture. Desktops that are not installed are left out, with a note. Takes a minute for each.

    \b
    Examples:
      punktfunk bench displays
      punktfunk bench displays --session sway --seconds 30
    """
    from punktfunk.commands.bench import Outputs, bench
    from punktfunk.measure.options import DisplaysOptions

    chosen = {"sessions": tuple(session)} if session else {}
    options = DisplaysOptions(**chosen, seconds=seconds, connects=connects)
    bench("displays", options, (), Outputs(json_file, plot_file))
