"""What verbs that talk to the running host over its unix socket share; and ``apps``."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from punktfunk import paths
from punktfunk.config_loading import load_settings
from punktfunk.control import admin_client
from punktfunk.log import printable

ANSWER_S = 10.0
PIPED_COLUMNS = 250


def ask(state: Path | None, request: Mapping[str, object], timeout_s: float = ANSWER_S) -> dict[str, Any]:
    """Send one request to the host of this state folder and return its answer."""
    settings = load_settings({"state": state}).settings
    wanted = {key: value for key, value in request.items() if value is not None}
    return admin_client.call(paths.admin_socket(settings.state), wanted, timeout_s)


def list_apps(state: Path | None, *, as_json: bool) -> None:
    """Print the apps that clients see."""
    found = ask(state, {"verb": "apps.list"})["apps"]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print_table(("id", "title"), [[str(entry["app_id"]), entry["title"]] for entry in found])


def print_table(header: tuple[str, ...], rows: list[list[str]]) -> None:
    """Print a table; into a pipe as wide as it needs, so that whatever reads it finds whole lines."""
    table = Table(*header, box=box.SIMPLE, pad_edge=False)
    for row in rows:
        table.add_row(*map(printable, row))
    width = None if sys.stdout.isatty() else PIPED_COLUMNS
    Console(highlight=False, markup=False, width=width).print(table)
