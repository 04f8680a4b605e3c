"""Verbs that talk to the running host over its unix socket: ``pair``, ``clients``, ``apps``."""

import json
import sys
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
PAIRING_S = 60.0
"""A pairing goes on for four more requests of the client after the PIN is known."""


def ask(state: Path | None, request: dict[str, object], timeout_s: float = ANSWER_S) -> dict[str, Any]:
    """Send one request to the host of this state folder and return its answer."""
    settings = load_settings({"state": state}).settings
    wanted = {key: value for key, value in request.items() if value is not None}
    return admin_client.call(paths.admin_socket(settings.state), wanted, timeout_s)


def pair(pin: str, name: str | None, address: str | None, state: Path | None) -> None:
    """Give the host the PIN that a client shows."""
    answer = ask(state, {"verb": "pair", "pin": pin, "name": name, "address": address}, PAIRING_S)
    print(f"paired: {printable(answer.get('name') or name or 'client')}")


def list_clients(state: Path | None, *, as_json: bool) -> None:
    """Print the paired clients as a table."""
    found = ask(state, {"verb": "clients.list"})["clients"]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    if not found:
        print("No client is paired yet. Start Moonlight, choose this host, then: punktfunk pair PIN")
        return
    rows = [
        [
            client["name"],
            client["fingerprint"][:16],
            client.get("added_at", ""),
            client.get("last_seen") or "never",
        ]
        for client in found
    ]
    print_table(("name", "fingerprint", "paired", "last seen"), rows)


def rename_client(client: str, name: str, state: Path | None) -> None:
    """Give a client another name."""
    ask(state, {"verb": "clients.rename", "client": client, "name": name})
    print(f"renamed: {name}")


def remove_client(client: str, state: Path | None) -> None:
    """Unpair a client."""
    ask(state, {"verb": "clients.remove", "client": client})
    print(f"removed: {client}")


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
