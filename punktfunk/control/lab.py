"""Variants of the running stream, for the admin socket: exchange one, see what made which frame, compare two.

A researcher's variant is loaded only if a check of its file as it is now has left a stamp; the check itself
never happens in this process (``measure.lab``). Streams begin with the defaults, always.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.realtime import load_checked, unpack_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from punktfunk.realtime import Variant

DEFAULT: Final = "default"
LONGEST_S: Final = 60.0
SHORTEST_TURN_S, LONGEST_TURN_S = 0.05, 10.0
PARTS: Final = {"fec8": "fec", "fec16": "fec", "seal": "seal", "pace": "pace"}
"""Which part of a frame's record a kind stands in. A host decodes nothing, so ``decode`` is not there."""

Result = dict[str, Any]
Verb = Callable[[Mapping[str, str]], Awaitable[Result]]


class LabStream(Protocol):
    """A pipeline, as far as the lab needs it."""

    def swap(self, kind: str, variant: "Variant | None") -> None:
        """Use a variant, or the default again, from the next frame on."""

    def latencies(self) -> "NDArray[np.int64] | None":
        """Copy the rows of the last frames, oldest first; None once it has ended."""


class LabDesk:
    """Answers the verbs that begin with ``lab.``; ``find_stream`` gives the stream that runs now."""

    def __init__(self, find_stream: Callable[[], LabStream | None]) -> None:
        self._find_stream = find_stream
        self._turn = trio.Lock()
        self._names: dict[tuple[str, int], str] = {}
        self._in_use: dict[str, Variant] = {}
        self._stream: LabStream | None = None

    def verbs(self) -> dict[str, Verb]:
        """Give every verb with what answers it."""
        return {"lab.swap": self._swap, "lab.frames": self._frames, "lab.compare": self._compare}

    async def _swap(self, request: Mapping[str, str]) -> Result:
        """Use ``name`` of ``kind`` (from ``folder``) from the next frame on."""
        async with self._turn:
            stream, kind = self._running(), _kind(request)
            variant = await self._load(request)
            before = self._in_use.get(kind)
            await self._use(stream, kind, variant)
        return {
            "kind": kind,
            "name": variant.name if variant else DEFAULT,
            "number": variant.number if variant else 0,
            "before": before.name if before else DEFAULT,
        }

    async def _frames(self, _request: Mapping[str, str]) -> Result:
        """List the last frames with what made them."""
        async with self._turn:
            rows = self._rows(self._running())
        return {"frames": [self._described(row) for row in rows]}

    async def _compare(self, request: Mapping[str, str]) -> Result:
        """Alternate default and variant for ``seconds``, each for ``turn_s``; then it is as it was before.

        Answers one row for each frame: number of its variant, ns from encoded to first and to last datagram,
        bytes of its access unit.
        """
        seconds = _number(request, "seconds", 1.0, LONGEST_S)
        turn_s = _number(request, "turn_s", SHORTEST_TURN_S, LONGEST_TURN_S)
        async with self._turn:
            stream, kind = self._running(), _kind(request)
            variant = await self._load(request)
            if variant is None:
                raise RemoteProtocolError("the default needs no comparison with itself")
            before = self._in_use.get(kind)
            try:
                rows = await self._alternate(stream, kind, variant, seconds, turn_s)
            finally:
                with trio.CancelScope(shield=True):
                    await self._use(stream, kind, before)
        frames = [
            [unpack_numbers(row[4])[PARTS[kind]], row[2] - row[1], row[3] - row[1], row[5]] for row in rows
        ]
        return {"number": variant.number, "frames": frames}

    async def _alternate(
        self, stream: LabStream, kind: str, variant: "Variant", seconds: float, turn_s: float
    ) -> list[list[int]]:
        rows = self._rows(stream)
        last_ns = rows[-1][2] if rows else 0
        collected: list[list[int]] = []
        turn: Variant | None = None
        ends_s = trio.current_time() + seconds
        while trio.current_time() < ends_s:
            await self._use(stream, kind, turn)
            turn = variant if turn is None else None
            await trio.sleep(turn_s)
            fresh = [row for row in self._rows(stream) if row[2] > last_ns]
            last_ns = fresh[-1][2] if fresh else last_ns
            collected += fresh
        return collected

    async def _load(self, request: Mapping[str, str]) -> "Variant | None":
        kind, name = request.get("kind", ""), request.get("name", "")
        if name == DEFAULT:
            return None
        folder = request.get("folder", "")
        if not folder.startswith("/"):
            raise RemoteProtocolError("a lab's folder is named from the root on")
        variant = await trio.to_thread.run_sync(load_checked, Path(folder), kind, name)
        known = self._names.setdefault((PARTS[kind], variant.number), name)
        if known != name:
            raise EnvironmentProblem(
                f"{kind} {name} would be recorded like {known}: their numbers are the same",
                hint="Rename it, or change a comment in it.",
            )
        return variant

    async def _use(self, stream: LabStream, kind: str, variant: "Variant | None") -> None:
        await trio.to_thread.run_sync(stream.swap, kind, variant)
        if variant is None:
            self._in_use.pop(kind, None)
        else:
            self._in_use[kind] = variant

    def _running(self) -> LabStream:
        stream = self._find_stream()
        if stream is None:
            raise EnvironmentProblem("no stream is running", hint="Start one in the client.")
        if stream is not self._stream:
            self._stream = stream
            self._in_use.clear()
        return stream

    @staticmethod
    def _rows(stream: LabStream) -> list[list[int]]:
        rows = stream.latencies()
        if rows is None:
            raise EnvironmentProblem("the stream has ended", hint="Start another in the client.")
        found: list[list[int]] = rows.tolist()
        return found

    def _described(self, row: list[int]) -> Result:
        captured_ns, encoded_ns, first_ns, last_ns, packed, size = row[:6]
        made = {
            part: self._names.get((part, number), DEFAULT if number == 0 else str(number))
            for part, number in unpack_numbers(packed).items()
        }
        return {
            "captured_ns": captured_ns,
            "encoded_ns": encoded_ns,
            "first_ns": first_ns,
            "last_ns": last_ns,
            "bytes": size,
            **made,
        }


def _kind(request: Mapping[str, str]) -> str:
    kind = request.get("kind", "")
    if kind not in PARTS:
        raise RemoteProtocolError(
            f"a stream of the host has no variant of {kind[:64]!r}", hint=f"It has {', '.join(PARTS)}."
        )
    return kind


def _number(request: Mapping[str, str], key: str, least: float, most: float) -> float:
    try:
        value = float(request.get(key, ""))
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise RemoteProtocolError(f"{key} is a number from {least:g} to {most:g}")
    return value
