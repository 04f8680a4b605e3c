"""``punktfunk serve``: settings, log, and then the host."""

import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from punktfunk.config_loading import load_settings
from punktfunk.control.holders import refuse_held_ports
from punktfunk.log import printable, set_up_logging


def serve(flags: Mapping[str, object], config_file: Path | None) -> None:
    """Run the host until it is told to stop."""
    settings = load_settings(flags, file=config_file).settings
    set_up_logging(settings.log_level)
    refuse_held_ports(
        settings.port if settings.gamestream else None,
        settings.bind,
        settings.native_port if settings.native else None,
    )

    import trio

    from punktfunk.control import host

    if trio.run(partial(host.serve, settings, report=report)) is signal.SIGINT:
        raise KeyboardInterrupt  # the command line's exit code 130


def report(line: str) -> None:
    """Print one event at once, also into a pipe. Whoever closes that pipe does not end the host."""
    try:
        print(printable(line), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
