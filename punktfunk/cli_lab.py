"""``punktfunk lab``: try an algorithm of your own in place of one of punktfunk's. See docs/lab.md."""

from pathlib import Path
from typing import Annotated

import typer

lab = typer.Typer(
    help="Variants of your own: new, list, check, compare, swap, frames.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="FOLDER", help="Your variants' folder, instead of the setting lab_folder."
    ),
]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="FOLDER", help="State folder of the host whose stream it is."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Pair = Annotated[str, typer.Argument(metavar="KIND=NAME", help="Such as fec8=mine.")]


@lab.command("new")
def lab_new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits, - and _.")],
    kind: Annotated[
        str, typer.Option("--kind", metavar="fec8|fec16|seal|pace|decode", help="What it does.")
    ] = "fec8",
    folder: Folder = None,
) -> None:
    """Write a file with a variant that works already, for you to change.

    \b
    Examples:
      punktfunk lab new mine
      punktfunk lab new eager --kind pace
    """
    from punktfunk.commands.lab import new

    new(name, kind, folder)


@lab.command("list")
def lab_list(*, folder: Folder = None, as_json: AsJson = False) -> None:
    """List your variants, and whether each has passed its check as it is now.

    \b
    Example:
      punktfunk lab list
    """
    from punktfunk.commands.lab import list_variants

    list_variants(folder, as_json=as_json)


@lab.command("check")
def lab_check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="NAME or KIND=NAME; all if none is given.")
    ] = None,
    folder: Folder = None,
) -> None:
    """Compile a variant and compare it with the textbook on many shapes, in a process of its own.

    A wrong one is refused with the first row and byte that differ. Only what has passed can be used in a
    stream. Exit code 1 if one fails.

    \b
    Examples:
      punktfunk lab check
      punktfunk lab check fec8=mine
    """
    from punktfunk.commands.lab import check

    check(names or [], folder)


@lab.command("compare")
def lab_compare(
    pair: Pair,
    *,
    shape: Annotated[
        list[str] | None,
        typer.Option("--shape", metavar="SHAPE", help="Such as 200:40x1408. May be repeated."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=10, max=1000, help="Pairs of measurements of each shape.")] = 60,
    live: Annotated[bool, typer.Option("--live", help="On the running stream, not here.")] = False,
    seconds: Annotated[float, typer.Option(min=1, max=60, help="How long a live comparison lasts.")] = 20,
    turn: Annotated[
        float, typer.Option(min=0.05, max=10, metavar="SECONDS", help="How long a turn of it lasts.")
    ] = 0.25,
    as_json: AsJson = False,
    folder: Folder = None,
    state: State = None,
) -> None:
    """Time a variant beside the default, interleaved, and give an interval and a verdict.

    With --live the running stream takes default and variant in turns, and what its frames recorded is
    compared; afterwards it goes on as before.

    \b
    Examples:
      punktfunk lab compare fec8=mine
      punktfunk lab compare fec8=mine --shape 20:4x1024 --shape 212:43x1408
      punktfunk lab compare pace=eager --live --seconds 30
    """
    from punktfunk.commands.lab import compare, compare_live

    if live:
        compare_live(pair, folder, state, seconds, turn, as_json=as_json)
    else:
        compare(pair, folder, shape or [], rounds, as_json=as_json)


@lab.command("swap")
def lab_swap(pair: Pair, folder: Folder = None, state: State = None) -> None:
    """Let the running stream use a variant from its next frame on; KIND=default takes it back.

    The variant must have passed its check. Every frame records what made it: punktfunk lab frames.

    \b
    Examples:
      punktfunk lab swap fec8=mine
      punktfunk lab swap fec8=default
    """
    from punktfunk.commands.lab import swap

    swap(pair, folder, state)


@lab.command("frames")
def lab_frames(*, as_json: AsJson = False, state: State = None) -> None:
    """Show the running stream's last frames by the variants that made them; --json lists every frame.

    \b
    Examples:
      punktfunk lab frames
      punktfunk lab frames --json > frames.json
    """
    from punktfunk.commands.lab import frames

    frames(state, as_json=as_json)
