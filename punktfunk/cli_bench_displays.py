"""``punktfunk bench displays|convert``: flags of what is about pictures of desktops, not about sending."""

from typing import Annotated

import typer

from punktfunk.cli_bench import JsonFile, Modes, PlotFile, Rounds, whole_number


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


def convert(
    *,
    size: Annotated[
        list[str] | None,
        typer.Option(metavar="WIDTHxHEIGHT", help="Of a picture. May be repeated; else 1920x1080."),
    ] = None,
    rounds: Rounds = 40,
    mode: Modes = None,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
) -> None:
    """Measure colour conversion: captured pixels into an encoder's planes, against FFmpeg's swscale.

    4:2:0 and 4:4:4, of eight bits and of ten, on one thread, in microseconds of its CPU time. The luma of
    both is compared before it is timed.

    \b
    Examples:
      punktfunk bench convert
      punktfunk bench convert --size 1280x720 --size 3840x2160 --mode avx2
    """
    from punktfunk.commands.bench import Outputs, bench
    from punktfunk.measure.options import ConvertOptions, parse_size

    chosen = {"sizes": tuple(parse_size(text) for text in size)} if size else {}
    bench("convert", ConvertOptions(**chosen, rounds=rounds), mode or (), Outputs(json_file, plot_file))
