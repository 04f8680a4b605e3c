"""The front door: ``punktfunk VERB``. Verbs and flags live here, what they do in ``punktfunk.commands``.

Nothing heavy is imported before a verb runs, so that ``--help`` answers at once (benchmarks/startup.py).
Exit codes: 0 done, 1 failed, 2 misuse, 130 interrupted.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from punktfunk.cli_bench import bench
from punktfunk.cli_bench_displays import convert, displays
from punktfunk.cli_clients import clients, pair
from punktfunk.cli_connect import add_to as add_client
from punktfunk.cli_lab import lab
from punktfunk.cli_measure import add_to as add_measurements
from punktfunk.cli_pads import pads
from punktfunk.cli_plasma import plasma
from punktfunk.cli_portal import portal
from punktfunk.cli_service import service
from punktfunk.cli_status import status
from punktfunk.errors import Misuse, PunktfunkError

DONE, FAILED, MISUSE, INTERRUPTED = 0, 1, 2, 130

_VERBS = (
    *("serve", "connect", "pair", "clients", "apps", "hosts", "status", "doctor", "config", "warm"),
    *("service", "pads", "plasma", "portal"),
    *("probe", "why-late", "loss", "record", "replay", "dissect", "bench", "lab", "version"),
)


class _ByUse(TyperGroup):
    """Lists what everybody needs first, and the instruments after it."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Name all verbs, in the order in which somebody new needs them."""
        return sorted(super().list_commands(ctx), key=_VERBS.index)


app = typer.Typer(
    name="punktfunk",
    cls=_ByUse,
    help="Stream this machine's desktop and games to Moonlight and to other machines with punktfunk.",
    epilog="Start with: punktfunk doctor, then punktfunk serve. "
    "Exit codes: 0 done, 1 failed, 2 misuse, 130 interrupted.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
apps = typer.Typer(help="Apps that clients can start.", rich_markup_mode=None, no_args_is_help=True)
config = typer.Typer(help="Settings: show, path, check.", rich_markup_mode=None, no_args_is_help=True)
app.command("pair")(pair)
app.command("status")(status)
bench.command()(displays)
bench.command()(convert)
app.command("service")(service)
app.add_typer(clients, name="clients")
app.add_typer(apps, name="apps")
app.add_typer(config, name="config")
app.add_typer(plasma, name="plasma")
app.add_typer(portal, name="portal")
app.add_typer(bench, name="bench")
app.add_typer(lab, name="lab")
app.add_typer(pads, name="pads")
add_measurements(app)
add_client(app)

State = Annotated[
    Path | None,
    typer.Option("--state", metavar="FOLDER", help="State folder of the host (key, paired clients)."),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings file instead of the usual one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.callback()
def everywhere(
    *,
    debug: Annotated[  # main() takes it out of any position; it stands here for --help
        bool, typer.Option("--debug", help="Show the traceback of an error. May stand anywhere.")
    ] = False,
) -> None:
    """Stream this machine's desktop and games to Moonlight and to other machines with punktfunk."""


@app.command()
def serve(
    *,
    display: Annotated[
        str | None,
        typer.Option(
            metavar="auto|attach|sway|gnome|kwin|...", help="Where the picture comes from; docs/displays.md."
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(
            metavar="sway|gnome|plasma|gamescope", help="Start and serve a desktop session of the host's own."
        ),
    ] = None,
    bind: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Listen here only. May be repeated.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="BASE", help="HTTP port; the others follow at fixed distances.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name that clients show.")] = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="debug|info|warning|error", help="Least important log line shown.")
    ] = None,
    state: State = None,
    config_file: ConfigFile = None,
) -> None:
    """Run the host until Ctrl-C or SIGTERM.

    It prints its name, addresses, ports, display and encoder with the reason for each choice, then one line
    per event. When a client asks to pair, type the client's PIN into this terminal or give it to
    `punktfunk pair` in another.

    \b
    Examples:
      punktfunk serve
      punktfunk serve --display testcard --name "Living room"
      punktfunk serve --session sway
      punktfunk serve --bind 192.168.1.5 --port 48989 --state ~/second-host
    """
    from punktfunk.commands.serve import serve

    flags = {
        "display": display,
        "session": session,
        "bind": tuple(bind) if bind else None,
        "port": port,
        "name": name,
        "log_level": log_level,
        "state": state,
    }
    serve(flags, config_file)


@apps.command("list")
def apps_list(*, state: State = None, as_json: AsJson = False) -> None:
    """List the apps that the running host offers, with the ids that clients remember.

    \b
    Example:
      punktfunk apps list
    """
    from punktfunk.commands.admin import list_apps

    list_apps(state, as_json=as_json)


@config.command("show")
def config_show(
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also print meaning, range and variable of each.")
    ] = False,
    state: State = None,
    config_file: ConfigFile = None,
) -> None:
    """Print every setting as it would be used, and where its value comes from.

    The output is a valid settings file. Each setting may also be given as an environment variable
    (PUNKTFUNK_PORT=48989); a flag is stronger than a variable, a variable stronger than the file.

    \b
    Examples:
      punktfunk config show
      punktfunk config show --explain
      punktfunk config show > ~/settings-of-today.toml
    """
    from punktfunk.commands.config import show

    show(state, config_file, explain=explain)


@config.command("path")
def config_path() -> None:
    """Print the path of the settings file.

    \b
    Example:
      $EDITOR "$(punktfunk config path)"
    """
    from punktfunk.commands.config import path

    path()


@config.command("check")
def config_check(config_file: ConfigFile = None) -> None:
    """Check the settings without starting anything. Exit code 1 if something is wrong.

    \b
    Example:
      punktfunk config check
    """
    from punktfunk.commands.config import check

    check(config_file)


@app.command()
def doctor(*, as_json: AsJson = False, state: State = None, config_file: ConfigFile = None) -> None:
    """Look at this machine: what streaming needs, what is here, what to do about the rest.

    Each line says ok, degraded or missing; what follows from it; and the remedy. Exit code 1 if `serve` could
    not stream.

    \b
    Examples:
      punktfunk doctor
      punktfunk doctor --json
    """
    from punktfunk.commands.doctor import doctor

    raise typer.Exit(DONE if doctor(state, config_file, as_json=as_json) else FAILED)


@app.command()
def warm() -> None:
    """Compile the kernels now, with a progress bar, instead of at the first start.

    It takes tens of seconds once; the result stays in the cache folder until punktfunk is updated.

    \b
    Example:
      punktfunk warm
    """
    from punktfunk.commands.warm import warm

    warm()


@app.command()
def version() -> None:
    """Print the version.

    \b
    Example:
      punktfunk version
    """
    from punktfunk import __version__

    print(f"punktfunk {__version__}")


def main() -> None:
    """Run one verb and end the process with its exit code."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    exit_code = 0
    try:
        app(args=arguments, prog_name="punktfunk")
    except* (PunktfunkError, OSError) as group:
        if debug:
            raise
        problems = _leaves(group)
        for error in problems:
            _print_error(error)
        exit_code = MISUSE if all(isinstance(error, Misuse) for error in problems) else FAILED
    if exit_code:
        sys.exit(exit_code)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _print_error(error: BaseException) -> None:
    print(f"punktfunk: {error}", file=sys.stderr)
    hint = getattr(error, "hint", "")
    if hint:
        print(f"  {hint}", file=sys.stderr)


if __name__ == "__main__":
    main()
