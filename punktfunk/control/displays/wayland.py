"""A Wayland connection in the Trio thread: for requests (input, idle), never for pictures.

Requests are queued in memory and flushed without blocking; a task reads what the compositor says. Handlers
run in the Trio thread, get the event's object first, return None and raise nothing (the library would swallow
it).
"""

import os
import socket
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from pywayland.protocol.wayland import WlOutput

from punktfunk.errors import EnvironmentProblem, PunktfunkError
from punktfunk.wayland_display import open_display

ANSWER_S = 5.0
OUTPUT_VERSION = 4
"""wl_output names itself since version 4 (wayland.xml); wlroots 0.15 and later have it."""


class WaylandConnection:
    """Globals by interface name and outputs by their own name, over one open display.

    alive           False once the compositor is gone; requests then go nowhere
    stalled         True while the compositor does not read; see ``on_recovered``
    on_global       told of every global that appears later: number, interface, version
    on_removal      told of the number of every global that goes away
    """

    def __init__(self, display: Any) -> None:
        self._display = display
        self.alive = True
        self.stalled = False
        self.on_recovered: Callable[[], None] = _nothing
        self.on_global: Callable[[int, str, int], None] = _ignore
        self.on_removal: Callable[[int], None] = _ignore
        self._stalled_event = trio.Event()
        self._awaited: set[trio.Event] = set()
        self.registry = display.get_registry()
        self.registry.dispatcher["global"] = self._on_global
        self.registry.dispatcher["global_remove"] = self._on_removal
        self._globals: dict[str, tuple[int, int]] = {}
        self._every_global: dict[int, tuple[str, int]] = {}
        self._outputs: dict[int, Any] = {}

    def _on_global(self, registry: Any, name: int, interface: str, version: int) -> None:
        self._globals.setdefault(interface, (name, version))
        self._every_global[name] = (interface, version)
        if interface == "wl_output" and version >= OUTPUT_VERSION:
            output = registry.bind(name, WlOutput, OUTPUT_VERSION)
            output.dispatcher["name"] = _remember_name
            self._outputs[name] = output
        self.on_global(name, interface, version)

    def _on_removal(self, _registry: Any, name: int) -> None:
        self._every_global.pop(name, None)
        self._outputs.pop(name, None)
        self.on_removal(name)

    def globals_of(self, interface: Any) -> list[tuple[int, int]]:
        """List number and version of each global of that interface: of some there are several."""
        found = self._every_global.items()
        return [(number, version) for number, (name, version) in found if name == interface.name]

    def adopt(self, proxy: Any) -> Any:
        """Take an object that an event brought as our own, and return it.

        pywayland 0.4.19 gives such objects to any display that is open (protocol_core/message.py), also to
        one of another thread, which would then destroy them when it closes.
        """
        if proxy._display is not self._display:  # noqa: SLF001 - there is no other way to it
            proxy._display._children.discard(proxy)  # noqa: SLF001
            proxy._display = self._display  # noqa: SLF001
            self._display._children.add(proxy)  # noqa: SLF001
        return proxy

    def offers(self, interface: Any) -> bool:
        """Tell whether the compositor has a global of that interface."""
        return interface.name in self._globals

    def bind(self, interface: Any) -> Any:
        """Bind a global at the highest version that both know; EnvironmentProblem if there is none."""
        if not self.offers(interface):
            raise EnvironmentProblem(f"the compositor has no {interface.name}")
        name, version = self._globals[interface.name]
        return self.registry.bind(name, interface, min(version, interface.version))

    def output_names(self) -> list[str]:
        """List the names of all outputs."""
        return [output.user_data for output in self._outputs.values() if output.user_data]

    def output(self, wanted: str) -> Any:
        """Return the output of that name; EnvironmentProblem if there is none."""
        for output in self._outputs.values():
            if output.user_data == wanted:
                return output
        raise EnvironmentProblem(f"the compositor has no output {wanted}")

    def peer_pid(self) -> int:
        """Return the pid of who listens on the socket (unix(7), SO_PEERCRED)."""
        with socket.socket(fileno=os.dup(self._display.get_fd())) as copy:
            pid, _uid, _gid = struct.unpack(
                "=iII", copy.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            )
        return int(pid)

    def flush(self) -> None:
        """Send what is queued as far as the socket takes it; the rest follows as soon as it does."""
        # -1 also stands for a dead socket, which the reading task notices.
        if self.alive and not self.stalled and self._display.flush() < 0:
            self.stalled = True
            self._stalled_event.set()

    async def roundtrip(self) -> None:
        """Wait until the compositor has handled every request so far; EnvironmentProblem if it does not."""
        done = trio.Event()
        callback = self._display.sync()

        def on_done(_callback: Any, _serial: int) -> None:
            done.set()

        callback.dispatcher["done"] = on_done
        self.flush()
        answered = await self.answer(done, ANSWER_S)
        callback.destroy()
        if not answered:
            raise EnvironmentProblem("the compositor does not answer")

    async def answer(self, event: trio.Event, timeout_s: float) -> bool:
        """Wait for what a handler will set; False if it does not come in time, or the compositor is gone."""
        self._awaited.add(event)
        with trio.move_on_after(timeout_s if self.alive else 0):
            await event.wait()
        self._awaited.discard(event)
        return self.alive and event.is_set()

    async def read(self) -> None:
        """Dispatch events until the compositor is gone."""
        fd = self._display.get_fd()
        try:
            while True:
                await trio.lowlevel.wait_readable(fd)
                self._display.read()
                self._display.dispatch(block=False)
                self.flush()
        except RuntimeError:
            self.alive = False
            for event in self._awaited:
                event.set()

    async def drain(self) -> None:
        """Flush again whenever a stalled compositor reads again."""
        fd = self._display.get_fd()
        while True:
            await self._stalled_event.wait()
            await trio.lowlevel.wait_writable(fd)
            if not self.alive:
                return
            if self._display.flush() >= 0:
                self._stalled_event = trio.Event()
                self.stalled = False
                self.on_recovered()
            else:
                await trio.sleep(0.005)  # writable, yet not for all of it


def _remember_name(output: Any, name: str) -> None:
    output.user_data = name


def _nothing() -> None:
    """Do nothing on recovery."""


def _ignore(*_about: object) -> None:
    """Do nothing about a global that comes or goes."""


@asynccontextmanager
async def open_wayland(socket_path: str) -> AsyncGenerator[WaylandConnection]:
    """Connect, learn globals and outputs, and disconnect at the end.

    Raises EnvironmentProblem if nobody listens or answers. A compositor that dies later only turns ``alive``
    False: whoever captures from it notices first.
    """
    try:
        stream = await trio.open_unix_socket(socket_path)
    except OSError as error:
        raise EnvironmentProblem(f"no compositor answers on {socket_path}: {error.strerror}") from error
    handle = stream.socket.detach()
    async with open_wayland_on(handle) as connection:
        yield connection


@asynccontextmanager
async def open_wayland_on(handle: int) -> AsyncGenerator[WaylandConnection]:
    """Talk over a connected socket, which is closed at the end; otherwise as ``open_wayland``."""
    display = open_display(handle)
    problem: PunktfunkError | None = None
    try:
        async with trio.open_nursery() as nursery:
            connection = WaylandConnection(display)
            nursery.start_soon(connection.read)
            nursery.start_soon(connection.drain)
            try:
                await connection.roundtrip()
                await connection.roundtrip()  # the second one brings the names of the outputs just bound
                yield connection
                connection.flush()
            except PunktfunkError as error:
                problem = error  # out of the nursery it would come wrapped
            finally:
                nursery.cancel_scope.cancel()
        if problem is not None:
            raise problem
    finally:
        # Without this the interpreter crashes at exit: proxies outlive the library's state.
        connection.registry.destroy()
        display.disconnect()
