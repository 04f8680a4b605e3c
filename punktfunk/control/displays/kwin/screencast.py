"""Screencasts of KWin (zkde_screencast_unstable_v1): of an output made for the cast, or of one that is there.

What they give is a node of PipeWire: up to version 5 its id (``created``), since version 6 its object serial
in two halves (``serial``), which no other node will ever have.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from punktfunk.control.displays.wayland import WaylandConnection
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import CursorMode, Mode
from punktfunk.wire.wayland.zkde_screencast_unstable_v1 import ZkdeScreencastUnstableV1

START_S: Final = 10.0
SINCE_VIRTUAL, SINCE_DESCRIPTION = 2, 4
POINTERS: Final = {CursorMode.HIDDEN: 1, CursorMode.EMBEDDED: 2, CursorMode.METADATA: 4}
DESCRIPTION: Final = "punktfunk"
NO_OPENGL_HINT: Final = (
    "KWin records the screen only where it draws with OpenGL: it needs a GPU with a render node (/dev/dri)."
)
NO_VIRTUAL_HINT: Final = (
    "A Plasma session on real hardware can add displays; kwin_wayland --virtual can since KWin 6.5.6."
)


@dataclass(eq=False, slots=True)
class Cast:
    """One cast: the node to capture, and whether KWin has ended it."""

    target: int = 0
    is_serial: bool = False
    closed: trio.Event = field(default_factory=trio.Event)


class Screencasts:
    """Starts casts over one connection."""

    def __init__(self, connection: WaylandConnection) -> None:
        self._connection = connection
        self._manager = connection.bind(ZkdeScreencastUnstableV1)
        offered = connection.globals_of(ZkdeScreencastUnstableV1)[0][1]
        self._version = min(offered, ZkdeScreencastUnstableV1.version)
        if self._version < SINCE_VIRTUAL:
            raise EnvironmentProblem(
                f"this KWin cannot add displays ({ZkdeScreencastUnstableV1.name} {self._version})",
                hint="Plasma 6 is needed.",
            )

    @asynccontextmanager
    async def virtual_output(self, name: str, mode: Mode, cursor: CursorMode) -> AsyncGenerator[Cast]:
        """Make an output of that size at 60 Hz, unscaled, and cast it; both end with the block.

        KWin calls it "Virtual-" and the name. Raises EnvironmentProblem with KWin's reason.
        """
        size, scale, pointer = (mode.width_px, mode.height_px), 1.0, POINTERS[cursor]
        if self._version >= SINCE_DESCRIPTION:
            stream = self._manager.stream_virtual_output_with_description(
                name, DESCRIPTION, *size, scale, pointer
            )
        else:
            stream = self._manager.stream_virtual_output(name, *size, scale, pointer)
        async with self._cast(stream) as cast:
            yield cast

    @asynccontextmanager
    async def existing_output(self, name: str, cursor: CursorMode) -> AsyncGenerator[Cast]:
        """Cast an output that is there already; EnvironmentProblem if there is none of that name."""
        output = self._connection.output(name)
        async with self._cast(self._manager.stream_output(output, POINTERS[cursor])) as cast:
            yield cast

    @asynccontextmanager
    async def _cast(self, stream: Any) -> AsyncGenerator[Cast]:
        try:
            yield await self._started(stream)
        finally:
            if self._connection.alive:
                stream.close()
                self._connection.flush()

    async def _started(self, stream: Any) -> Cast:
        cast = Cast()
        answered = trio.Event()
        failures: list[str] = []

        def on_created(_stream: Any, node: int) -> None:
            if not cast.is_serial:
                cast.target = node
            answered.set()

        def on_serial(_stream: Any, high: int, low: int) -> None:
            cast.target, cast.is_serial = high << 32 | low, True
            answered.set()

        def on_failed(_stream: Any, error: str) -> None:
            failures.append(error)
            answered.set()

        def on_closed(_stream: Any) -> None:
            cast.closed.set()
            answered.set()

        handlers = stream.dispatcher
        handlers["created"], handlers["serial"] = on_created, on_serial
        handlers["failed"], handlers["closed"] = on_failed, on_closed
        self._connection.flush()
        has_answered = await self._connection.answer(answered, START_S)
        if failures:
            raise EnvironmentProblem(f"KWin makes no cast: {failures[0]}", hint=_hint(failures[0]))
        if not has_answered or cast.closed.is_set():
            raise EnvironmentProblem("KWin makes no cast and does not say why", hint="Does PipeWire run?")
        return cast


def _hint(failure: str) -> str:
    """Explain the two refusals that people meet (KWin's texts are translated: others get both hints)."""
    if "compositing" in failure.lower():
        return NO_OPENGL_HINT
    if "output" in failure.lower():
        return NO_VIRTUAL_HINT
    return f"{NO_VIRTUAL_HINT} {NO_OPENGL_HINT}"
