"""``punktfunk pair`` and ``punktfunk clients``: what they ask the running host, and how they print it."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from punktfunk.commands.admin import ask, print_table
from punktfunk.log import printable

PAIRING_S = 60.0
"""A GameStream pairing goes on for four more requests of the client after the PIN is known."""
AFTER_WINDOW_S = 180.0
"""A device that began in the window's last second has this long for its three steps."""


def pair(pin: str, name: str | None, address: str | None, state: Path | None) -> None:
    """Give the host the PIN that a client shows."""
    answer = ask(state, {"verb": "pair", "pin": pin, "name": name, "address": address}, PAIRING_S)
    print(f"paired: {printable(answer.get('name') or name or 'client')}")


def pair_native(
    state: Path | None,
    *,
    window: str | None,
    device: str | None,
    grants: str | None,
    expires: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Let the host show a PIN; with ``wait``, say in the end who was paired."""
    request = {"verb": "pair.native", "for": window, "device": device, "grants": grants, "expires": expires}
    shown = ask(state, request)
    if as_json:
        print(json.dumps(shown), flush=True)
    else:
        only = f" by {shown['device'][:16]} only" if shown["device"] else ""
        print(f"PIN {shown['pin']}", flush=True)
        print(f"Type it on the device within {_spoken(shown['seconds'])}{only}. One attempt.", flush=True)
    if wait:
        done = ask(state, {"verb": "pair.native.wait"}, shown["seconds"] + AFTER_WINDOW_S)
        print(f"paired: {printable(done['name'])}")


def list_clients(state: Path | None, *, as_json: bool) -> None:
    """Print the paired clients as a table."""
    found = ask(state, {"verb": "clients.list"})["clients"]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    if not found:
        print(
            "No client is paired yet. Start Moonlight, choose this host, then: punktfunk pair PIN. "
            "Other devices: punktfunk pair --native"
        )
        return
    rows = [
        [
            client["name"],
            client["fingerprint"][:16],
            ",".join(client.get("kinds", [])),
            client.get("grants", ""),
            "over" if client.get("expired") else _minute(client.get("expires_at", "")) or "for ever",
            _minute(client.get("added_at", "")),
            _minute(client.get("last_seen", "")) or "never",
        ]
        for client in found
    ]
    print_table(("name", "fingerprint", "speaks", "may", "until", "paired", "last seen"), rows)


def list_pending(state: Path | None, *, as_json: bool) -> None:
    """Print the devices that ask to come in."""
    found = ask(state, {"verb": "clients.pending"})["clients"]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    if not found:
        print("No device waits. It appears here when it tries to connect and is not paired.")
        return
    rows = [
        [
            str(entry["number"]),
            entry["name"],
            entry["address"],
            entry["fingerprint"][:16],
            f"{_spoken(entry['seconds'])} ago",
            entry["state"],
        ]
        for entry in found
    ]
    print_table(("number", "name", "address", "fingerprint", "asked", "state"), rows)
    print("Let one in: punktfunk clients approve NUMBER")


def approve(
    device: str, name: str | None, grants: str | None, expires: str | None, state: Path | None
) -> None:
    """Let a waiting device in."""
    request = {
        "verb": "clients.approve",
        "client": device,
        "name": name,
        "grants": grants,
        "expires": expires,
    }
    print(f"approved: {_described(ask(state, request))}")


def deny(device: str, state: Path | None) -> None:
    """Turn a waiting device away."""
    answer = ask(state, {"verb": "clients.deny", "client": device})
    print(f"denied: {printable(answer['name'])}")


def grant(client: str, rights: str, lasting: str | None, state: Path | None) -> None:
    """Set what a client may do."""
    request = {"verb": "clients.grant", "client": client, "grants": rights, "for": lasting}
    print(f"granted: {_described(ask(state, request))}")


def expire(client: str, lasting: str, state: Path | None) -> None:
    """Set how long a client may come."""
    print(f"changed: {_described(ask(state, {'verb': 'clients.expire', 'client': client, 'for': lasting}))}")


def rename_client(client: str, name: str, state: Path | None) -> None:
    """Give a client another name."""
    ask(state, {"verb": "clients.rename", "client": client, "name": name})
    print(f"renamed: {name}")


def remove_client(client: str, state: Path | None) -> None:
    """Unpair a client."""
    ask(state, {"verb": "clients.remove", "client": client})
    print(f"removed: {client}")


def _described(client: dict[str, Any]) -> str:
    until = _minute(client["expires_at"])
    return f"{printable(client['name'])} may {client['grants']}, {f'until {until}' if until else 'for ever'}"


def _minute(iso: str) -> str:
    """Write a time of the host as this machine's clock shows it; nothing stays nothing."""
    return dt.datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M") if iso else ""


def _spoken(seconds: int) -> str:
    whole, rest = divmod(seconds, 60)
    if whole == 0:
        return f"{rest} s"
    return f"{whole} min" + (f" {rest} s" if rest else "")
