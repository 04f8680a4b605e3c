"""Pairing in the host's own terminal: say who waits, and take PINs that are typed there."""

import os
import sys
from collections.abc import AsyncGenerator, Callable
from typing import TextIO

import trio

from punktfunk.control.admin import AdminDesk
from punktfunk.control.gamestream.pairing_desk import Attempt, Stage
from punktfunk.errors import PunktfunkError

Report = Callable[[str], None]

LONGEST_LINE_BYTES = 256
BACKGROUND_PAUSE_S = 1.0


class PairingAnnouncer:
    """Turns the desk's notifications into lines for people."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def note(self, attempt: Attempt) -> None:
        """Say what became of an attempt."""
        client = f"client {attempt.number} at {attempt.address}"
        match attempt.stage:
            case Stage.WAITING:
                how = "type it here, or run" if _is_terminal(sys.stdin) else "run"
                self._report(f"pairing: {client} shows a PIN; {how} `punktfunk pair PIN`")
            case Stage.PAIRED:
                self._report(f"paired: {attempt.name} at {attempt.address}")
            case Stage.FAILED:
                self._report(f"pairing: {client} failed: {attempt.reason}")
            case Stage.ACTIVE:
                pass


async def read_pins(source: TextIO | None, desk: AdminDesk, report: Report) -> None:
    """Read lines ``PIN [CLIENT]`` from a terminal until it closes; without a terminal, do nothing."""
    if not _is_terminal(source):
        await trio.lowlevel.checkpoint()
        return
    assert source is not None
    descriptor = _open_again(source.fileno())
    try:
        # A PIN takes until its client is through; the next line must not wait for it.
        async with trio.open_nursery() as nursery:
            async for line in _lines(descriptor):
                nursery.start_soon(_submit, line, desk, report)
    finally:
        os.close(descriptor)


async def _lines(descriptor: int) -> AsyncGenerator[str]:
    buffer = b""
    while True:
        # Readiness first: a thread blocked in read() could not be ended when the host stops.
        await trio.lowlevel.wait_readable(descriptor)
        if in_background(descriptor):
            await trio.sleep(BACKGROUND_PAUSE_S)
            continue
        try:
            data = os.read(descriptor, LONGEST_LINE_BYTES)
        except BlockingIOError:
            continue
        except OSError:  # EIO: the terminal was closed
            return
        if not data:
            return
        *lines, buffer = (buffer + data).split(b"\n")
        buffer = buffer[-LONGEST_LINE_BYTES:]
        for line in lines:
            yield line.decode("utf-8", "replace").strip()


def _is_terminal(source: TextIO | None) -> bool:
    return source is not None and not source.closed and source.isatty()


def _open_again(descriptor: int) -> int:
    """Open the terminal once more, non-blocking: set on the shell's own descriptor, it would break the shell.

    After ``su`` the terminal belongs to another user and cannot be opened; then a duplicate must do.
    """
    try:
        return os.open(
            f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        )
    except OSError:
        return os.dup(descriptor)


def in_background(descriptor: int) -> bool:
    """Tell whether the terminal's input is for others now; reading it would stop us with SIGTTIN."""
    try:
        return os.tcgetpgrp(descriptor) != os.getpgrp()
    except OSError:
        return False  # not our controlling terminal: nobody stops us


async def _submit(line: str, desk: AdminDesk, report: Report) -> None:
    pin, _, client = line.partition(" ")
    if not pin:
        return
    try:
        await desk.answer({"verb": "pair", "pin": pin, "address": client.strip()})
    except PunktfunkError as error:
        report(f"pairing: {error} {error.hint}".strip())
