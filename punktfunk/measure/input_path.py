"""How long input takes from its packet to a program: a datagram of punktfunk/1 in, a line of ``wev`` out.

Between them lie the parser, the rights, the queue, the injector, a real sway with a display of its own,
Wayland, and wev's own printing through a pipe. The network is not in it: `punktfunk probe` measures that.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import trio

from punktfunk.control.displays.spawned import SpawnedSway
from punktfunk.control.input.session import InputMeans, open_session_input
from punktfunk.control.native.access import Access
from punktfunk.control.native.hands import Hands
from punktfunk.control.system.journal import Journal
from punktfunk.control.trust import ClientBook
from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.paired import Row, single
from punktfunk.plan import Mode
from punktfunk.wire.input import MouseButton
from punktfunk.wire.native.capabilities import GamepadKind, Grant
from punktfunk.wire.native.datagrams import build_datagram
from punktfunk.wire.native.input import ButtonEdge, KeyEdge, NativeInput, PointerMove, TextScalar

NAME: Final = "input"
MODE: Final = Mode(1280, 720, 60_000)
P99_MOST_MS: Final = 5.0
PATIENCE_S: Final = 10.0
GAP_S: Final = 0.01
_VK_A: Final = 0x41

CASES: Final[dict[str, tuple[tuple[NativeInput, str], ...]]] = {
    "key": (
        (KeyEdge(_VK_A, pressed=True), "key: 38; state: 1"),
        (KeyEdge(_VK_A, pressed=False), "key: 38; state: 0"),
    ),
    "motion": ((PointerMove(1, 0), "] motion:"), (PointerMove(-1, 0), "] motion:")),
    "button": (
        (ButtonEdge(MouseButton.LEFT, pressed=True), "button: 272 (left), state: 1"),
        (ButtonEdge(MouseButton.LEFT, pressed=False), "button: 272 (left), state: 0"),
    ),
    "character by another keymap": ((TextScalar(0x65E5), "utf8: '日'"), (TextScalar(0x672C), "utf8: '本'")),
}
"""What is sent in turn, and what a line of wev then has."""


@dataclass(frozen=True, slots=True)
class InputOptions:
    """How often each case is measured."""

    events: int = 300


class Sample(NamedTuple):
    """One event: until the compositor has it in its socket, and until wev has said so."""

    own_ms: float
    whole_ms: float


def rows(options: InputOptions) -> Iterator[Row]:
    """Measure everything; some seconds for each hundred events. EnvironmentProblem without sway and wev."""
    for program in ("sway", "wev", "stdbuf"):
        if shutil.which(program) is None:
            raise EnvironmentProblem(f"{program} is not installed", hint="Install the packages sway and wev.")
    if os.geteuid() == 0:
        raise EnvironmentProblem("sway does not run as root", hint="Run this as an ordinary user.")
    for case, samples in trio.run(_measure, options.events).items():
        yield from _summed(case, samples)


def _summed(case: str, samples: list[Sample]) -> Iterator[Row]:
    own_ms, whole_ms = (sorted(values) for values in zip(*samples, strict=True))
    yield single(NAME, f"{case}, packet to compositor's socket, p99", "ms", _percentile(own_ms, 99))
    yield single(NAME, f"{case}, packet to wev, p50", "ms", _percentile(whole_ms, 50))
    row = single(NAME, f"{case}, packet to wev, p99", "ms", _percentile(whole_ms, 99))
    yield replace(row, floor=P99_MOST_MS, floor_on="ours")


def _percentile(ordered: list[float], percent: int) -> float:
    return ordered[len(ordered) * percent // 100]


async def _measure(count: int) -> dict[str, list[Sample]]:
    with tempfile.TemporaryDirectory(prefix="punktfunk-input-") as folder:
        async with _wev(Path(folder)) as (hands, lines):
            return {
                case: [await _once(hands, lines, *steps[turn % len(steps)]) for turn in range(count)]
                for case, steps in CASES.items()
            }


async def _once(hands: Hands, lines: "_Lines", event: NativeInput, wanted: str) -> Sample:
    await trio.sleep(GAP_S)  # what still comes of the event before
    lines.forget()
    packet = build_datagram(event)
    began_ns = time.monotonic_ns()
    hands.take_datagram(packet)
    handed_ns = time.monotonic_ns()
    ended_ns = await lines.until(wanted)
    return Sample((handed_ns - began_ns) / 1e6, (ended_ns - began_ns) / 1e6)


class _Lines:
    """What wev prints; a line counts from the moment that it has been read."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._text = ""

    def forget(self) -> None:
        self._text = ""

    async def until(self, wanted: str) -> int:
        with trio.move_on_after(PATIENCE_S):
            while wanted not in self._text:
                self._text += (await self._stream.receive_some(65536)).decode(errors="replace")
        if wanted not in self._text:
            raise EnvironmentProblem(f"wev did not say {wanted!r} within {PATIENCE_S:g} s")
        return time.monotonic_ns()


@asynccontextmanager
async def _wev(folder: Path) -> AsyncGenerator[tuple[Hands, _Lines]]:
    """Show wev on a display of its own, with a client's hands on it."""
    async with SpawnedSway(Journal(folder)).create(MODE, "benchmark") as output:
        process = await trio.lowlevel.open_process(
            ["stdbuf", "-oL", "wev"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **output.environment},
        )
        assert process.stdout is not None
        try:
            lines = _Lines(process.stdout)
            await lines.until("xdg_surface")
            async with (
                open_session_input(output, InputMeans(), "benchmark", lambda *_: None) as joined,
                trio.open_nursery() as nursery,
            ):
                hands = Hands(Access(ClientBook(folder), None, stranger=Grant.ALL), GamepadKind.AUTO)
                await lines.until("wl_keyboard] enter")
                nursery.start_soon(hands.deliver, joined)
                yield hands, lines
                nursery.cancel_scope.cancel()
        finally:
            process.terminate()
            with trio.CancelScope(shield=True):
                await process.wait()
