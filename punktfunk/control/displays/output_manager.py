"""Modes of outputs by zwlr_output_manager_v1 (wlr-output-management-unstable-v1.xml): any wlroots desktop.

A change is a whole new configuration with the serial of the last one seen. If the outputs change meanwhile,
the compositor answers ``cancelled``, and the change is made again on what is there then. What an output shows
is read from its wl_output: the manager of wlroots 0.15 does not tell of modes that are in no list.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import trio
from pywayland.protocol.wayland import WlOutput

from punktfunk.control.displays.wayland import OUTPUT_VERSION, WaylandConnection
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode
from punktfunk.wire.wayland.wlr_output_management_unstable_v1 import ZwlrOutputManagerV1

ANSWER_S: Final = 5.0
SETTLE_S: Final = 3.0
TRIES: Final = 4
CURRENT: Final = 1
"""wl_output.mode: the one that is shown."""
NORMAL: Final = 0
"""wl_output.transform: neither turned nor mirrored."""


@dataclass(slots=True)
class Head:
    """One output as the manager tells of it."""

    proxy: Any
    name: str = ""
    is_enabled: bool = False


class OutputManager:
    """The heads of one compositor. :meth:`settle` before they are read."""

    def __init__(self, connection: WaylandConnection) -> None:
        self._connection = connection
        self.heads: list[Head] = []
        self._serial = 0
        self._modes: dict[str, Mode] = {}
        self._kept: list[Any] = []  # an object that nobody refers to is destroyed, and its events with it
        for number, version in connection.globals_of(WlOutput):
            self._watch(number, WlOutput.name, version)
        connection.on_global = self._watch  # an output that is configured may come back as a new one
        self._manager = connection.bind(ZwlrOutputManagerV1)
        self._manager.dispatcher["head"] = self._on_head
        self._manager.dispatcher["done"] = self._on_done

    async def settle(self) -> None:
        """Wait for what the compositor has to say; EnvironmentProblem if it does not answer."""
        await self._connection.roundtrip()
        await self._connection.roundtrip()  # what was said about heads may have brought modes

    def head(self, name: str) -> Head:
        """Return the output of that name; EnvironmentProblem if there is none."""
        for head in self.heads:
            if head.name == name:
                return head
        raise EnvironmentProblem(f"the compositor has no output {name}")

    async def set_mode(self, name: str, mode: Mode, scale: float) -> Mode:
        """Give an output a mode of its own and return what it shows then; the refresh may differ.

        EnvironmentProblem if the compositor refuses it, or shows another size.
        """
        for _ in range(TRIES):
            answer = await self._apply(name, mode, scale)
            await self.settle()
            if answer != "cancelled":
                break
        if answer != "succeeded":
            raise EnvironmentProblem(f"the compositor refused {mode} on {name} ({answer})")

        async def fits() -> bool:
            await self._connection.roundtrip()
            shown = self._modes.get(name)
            return shown is not None and (shown.width_px, shown.height_px) == (mode.width_px, mode.height_px)

        if not await wait_until(fits, SETTLE_S):
            shown = self._modes.get(name)
            raise EnvironmentProblem(f"the compositor was asked for {mode} on {name} and shows {shown}")
        return self._modes[name]

    async def _apply(self, name: str, mode: Mode, scale: float) -> str:
        configuration = self._manager.create_configuration(self._serial)
        answers: list[str] = []
        answered = trio.Event()

        def note(word: str, _configuration: Any) -> None:
            answers.append(word)
            answered.set()

        for word in ("succeeded", "failed", "cancelled"):
            configuration.dispatcher[word] = partial(note, word)
        for head in self.heads:
            if head.name != name:
                if head.is_enabled:
                    configuration.enable_head(head.proxy)
                else:
                    configuration.disable_head(head.proxy)
        wanted = configuration.enable_head(self.head(name).proxy)
        wanted.set_custom_mode(mode.width_px, mode.height_px, mode.refresh_millihertz)
        wanted.set_transform(NORMAL)
        wanted.set_scale(scale)
        configuration.apply()
        self._connection.flush()
        with trio.move_on_after(ANSWER_S):
            await answered.wait()
        configuration.destroy()
        return answers[0] if answers else "no answer"

    # -- events: the object first, return None, raise nothing

    def _on_done(self, _manager: Any, serial: int) -> None:
        self._serial = serial

    def _on_head(self, _manager: Any, proxy: Any) -> None:
        head = Head(self._connection.adopt(proxy))
        self.heads.append(head)
        proxy.dispatcher["name"] = lambda _proxy, name: setattr(head, "name", name)
        proxy.dispatcher["enabled"] = lambda _proxy, value: setattr(head, "is_enabled", bool(value))
        proxy.dispatcher["mode"] = self._on_mode
        proxy.dispatcher["finished"] = lambda _proxy: self.heads.remove(head)

    def _on_mode(self, _proxy: Any, mode: Any) -> None:
        self._kept.append(self._connection.adopt(mode))

    def _watch(self, number: int, interface: str, version: int) -> None:
        if interface != WlOutput.name:
            return
        output = self._connection.registry.bind(number, WlOutput, min(version, OUTPUT_VERSION))
        self._kept.append(output)
        seen: list[Mode] = []

        def on_mode(_output: Any, flags: int, width: int, height: int, millihertz: int) -> None:
            if flags & CURRENT:
                seen[:] = [Mode(width, height, millihertz)]

        def on_name(proxy: Any, name: str) -> None:
            proxy.user_data = name

        def on_done(proxy: Any) -> None:
            if seen and proxy.user_data:
                self._modes[proxy.user_data] = seen[0]

        output.dispatcher["mode"] = on_mode
        output.dispatcher["name"] = on_name
        output.dispatcher["done"] = on_done
