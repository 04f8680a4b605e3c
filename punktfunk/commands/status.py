"""The verb ``status``: what the running host says of itself, for people."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from punktfunk.commands.admin import ask
from punktfunk.log import printable


def show_status(state: Path | None, *, as_json: bool) -> None:
    """Ask the host and print its answer."""
    answer = ask(state, {"verb": "status"})
    print(json.dumps(answer, indent=2) if as_json else "\n".join(map(printable, describe(answer))))


def describe(answer: Mapping[str, Any]) -> list[str]:
    """Say it in lines, one for each client."""
    ready = "ready" if answer["ready"] else f"starting: {answer['waiting_for']}"
    head = f"{answer['name']}: punktfunk {answer['version']}, process {answer['pid']}"
    lines = [f"{head}, display {answer['display'] or 'none yet'}, {ready}"]
    lines += _parts(answer.get("session"))
    lines += [_sound(node) for node in answer.get("sound", [])]
    alone = len(lines)
    for run in answer["gamestream"]:
        shown = f"shown to {run['client']}" if run["client"] else f"waits for {run['owner']} to come back"
        lines.append(f"GameStream: {run['app']}, {shown}")
    sessions = answer.get("native")
    if sessions is None:
        return [*lines, "punktfunk/1 is switched off"]
    lines += [_session(session) for session in sessions]
    return lines if len(lines) > alone else [*lines, "nobody streams"]


def _parts(session: Mapping[str, Any] | None) -> list[str]:
    """Say of every part of a session of the host's own how it is."""
    if session is None:
        return []
    lines = [f"{session['kind']} session:"]
    for part in session["parts"]:
        words = [f"runs as process {part['pid']}" if part["state"] == "up" else f"is {part['state']}"]
        words += [part["note"]] * bool(part["note"])
        words += [f"started again {part['restarts']} times"] * bool(part["restarts"])
        last = "the last time: " if part["state"] == "up" else ""
        why = f" ({last}{part['why']})" if part["why"] else ""
        lines.append(f"  {part['part']}: {part['program']} {', '.join(words)}{why}")
    return lines


def _sound(node: Mapping[str, Any]) -> str:
    """Say of a sink or microphone of ours whether it is there, and how old its sound is when it leaves."""
    head = f"sound: {node['description']}"
    if not node["node_generation"]:
        return f"{head}: no sound server"
    if node["role"] != "sink":
        return f"{head}: {node['node_short']} samples came too late"
    if not node["delay_us"]:
        return f"{head}: no program has played yet"
    return f"{head}: leaves {node['delay_us'] / 1000:.1f} ms after it is played"


def _session(session: Mapping[str, Any]) -> str:
    if session.get("waiting"):
        return f"punktfunk/1: {session['app']} waits for {session['client']} to come back"
    head = f"punktfunk/1 session {session['number']}: {session['client']} at {session['address']}"
    if "mode" not in session:
        return f"{head}, starting"
    return (
        f"{head}, {session['app'] or 'no display yet'}, {session['mode']} {session['codec']}, "
        f"{session['bitrate_kbps'] / 1000:.1f} Mbit/s with {session['fec_percent']} % parity, "
        f"{session['loss_ppm'] / 10_000:.2f} % lost, {session['frames']} frames in {session['seconds']} s"
    )
