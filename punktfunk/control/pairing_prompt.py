"""Pairing in the host's own terminal: say who waits, and take PINs that are typed there."""

import os
import sys
from collections.abc import Callable
from typing import TextIO

import trio

from punktfunk.control.admin import AdminDesk
from punktfunk.control.gamestream.pairing_desk import Attempt, Stage
from punktfunk.errors import PunktfunkError

Report = Callable[[str], None]

LONGEST_LINE_BYTES = 256


class PairingAnnouncer:
    """Turns the desk's notifications into lines for people."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def note(self, attempt: Attempt) -> None:
        """Say what became of an attempt."""
        client = f"client {attempt.number} at {attempt.address}"
        match attempt.stage:
            case Stage.WAITING:
                how = "type it here, or run" if sys.stdin and sys.stdin.isatty() else "run"
                self._report(f"pairing: {client} shows a PIN; {how} `punktfunk pair PIN`")
            case Stage.PAIRED:
                self._report(f"paired: {attempt.name} at {attempt.address}")
            case Stage.FAILED:
                self._report(f"pairing: {client} failed: {attempt.reason}")
            case Stage.ACTIVE:
                pass


async def read_pins(source: TextIO | None, desk: AdminDesk, report: Report) -> None:
    """Read lines ``PIN [CLIENT]`` from a terminal until it closes; without a terminal, do nothing."""
    if source is None or source.closed or not source.isatty():
        return
    descriptor, buffer = source.fileno(), b""
    while True:
        # Readiness first: a thread blocked in read() could not be ended when the host stops.
        await trio.lowlevel.wait_readable(descriptor)
        data = os.read(descriptor, LONGEST_LINE_BYTES)
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        buffer = buffer[-LONGEST_LINE_BYTES:]
        for line in lines:
            await _submit(line.decode("utf-8", "replace").strip(), desk, report)


async def _submit(line: str, desk: AdminDesk, report: Report) -> None:
    pin, _, client = line.partition(" ")
    if not pin:
        return
    try:
        await desk.answer({"verb": "pair", "pin": pin, "address": client.strip()})
    except PunktfunkError as error:
        report(f"pairing: {error} {error.hint}".strip())
