"""A stand-in for Hyprland's control socket: monitors of its own, or those of a real sway behind it.

Run as a program it serves until it is told to end: ``hyprland_double.py RUNTIME_FOLDER [--dialect D] [--sway PATH]``.
Worded as Hyprland's src/ipc/s1/Commands.cpp and src/debug/HyprCtl.cpp answer.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import trio

from punktfunk.control.displays.sway_ipc import connect_sway

SIGNATURE = "double_1_2"
FLAGS = re.compile(r"^([a-z]*)/(.*)$", re.DOTALL)
HL_FIELD = re.compile(r'(\w+) = ("(?:[^"\\]|\\.)*"|[\w.]+)')


@dataclass
class Shown:
    """One monitor as Hyprland knows it."""

    width: int = 1920
    height: int = 1080
    hertz: float = 60.0
    x: int = 0
    y: int = 0
    scale: float = 1.0
    transform: int = 0
    disabled: bool = False
    ten_bit: bool = False
    by_user: bool = False
    position: str = "auto"
    mirror: str = ""


@dataclass
class HyprlandDouble:
    """``dialect``: "hyprlang" (0.52), "lua" (0.57) or "both" (0.55, configured in Lua).

    own_names   names outputs itself, as sway does; then ``sway`` may be the socket of one behind it
    stuck       monitors that never take a mode or go away
    """

    folder: Path
    dialect: str = "hyprlang"
    own_names: bool = False
    sway: str = ""
    monitors: dict[str, Shown] = field(
        default_factory=lambda: {"DP-1": Shown(2560, 1440, 143.97, 0, 0, 1.25)}
    )
    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    focused: str = "DP-1"
    asked: list[str] = field(default_factory=list)
    stuck: set[str] = field(default_factory=set)
    pid: int = field(default_factory=os.getpid)
    wayland: str = "wayland-1"

    @property
    def environment(self) -> dict[str, str]:
        return {"XDG_RUNTIME_DIR": str(self.folder), "HYPRLAND_INSTANCE_SIGNATURE": SIGNATURE}

    async def run(self, *, task_status=trio.TASK_STATUS_IGNORED) -> None:
        instance = self.folder / "hypr" / SIGNATURE
        instance.mkdir(parents=True, exist_ok=True)
        (instance / "hyprland.lock").write_text(f"{self.pid}\n{self.wayland}\n")
        path = instance / ".socket.sock"
        path.unlink(missing_ok=True)
        listener = trio.socket.socket(trio.socket.AF_UNIX)
        await listener.bind(str(path))
        listener.listen(16)
        listeners = [trio.SocketListener(listener)]
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._serve, listeners)
            task_status.started()

    async def _serve(self, stream) -> None:
        async with stream:
            request = (await stream.receive_some(65536)).decode()
            if request:
                self.asked.append(request)
                await stream.send_all((await self.answer(request)).encode())

    async def answer(self, request: str) -> str:
        flags, command = found.groups() if (found := FLAGS.match(request)) else ("", request)
        word, _, rest = command.partition(" ")
        match word:
            case "version" if "j" in flags:
                return json.dumps(
                    {
                        "version": {"hyprlang": "0.52.0", "lua": "0.57.0"}.get(self.dialect, "0.55.4"),
                        "tag": "v0",
                    }
                )
            case "status" if self.dialect != "hyprlang":
                return json.dumps({"configProvider": "lua", "backend": "drm"})
            case "monitors" if "j" in flags:
                await self._look()
                return json.dumps([self._json(number, name) for number, name in enumerate(self.monitors)])
            case "output":
                return await self._output(rest.split())
            case "keyword" if self.dialect == "both":
                return "keyword can't work with non-legacy parsers. Use eval."
            case "keyword" if self.dialect == "hyprlang":
                return await self._keyword(rest)
            case "eval" if self.dialect != "hyprlang":
                return await self._eval(rest)
            case "dispatch":
                return await self._dispatch(rest)
        return "unknown request"

    def _json(self, number: int, name: str) -> dict[str, object]:
        shown = self.monitors[name]
        return {
            "id": number, "name": name, "description": f"double {name}", "width": shown.width, "height": shown.height,
            "refreshRate": round(shown.hertz, 5), "x": shown.x, "y": shown.y, "scale": shown.scale,
            "transform": shown.transform, "focused": name == self.focused, "disabled": shown.disabled,
            "currentFormat": "XRGB2101010" if shown.ten_bit else "XRGB8888", "mirrorOf": str([*self.monitors].index(shown.mirror)) if shown.mirror else "none",
            "activeWorkspace": {"id": 1, "name": "1"},
        }  # fmt: skip

    async def _output(self, words: list[str]) -> str:
        match words:
            case ["create", "headless", name]:
                if name in self.monitors:
                    return "Name already taken"
                made = await self._create(name)
                self.monitors[made] = Shown(by_user=True)
                await self._apply(made)
                return "ok"
            case ["remove", name]:
                if name not in self.monitors:
                    return "output not found"
                if not self.monitors[name].by_user:
                    return "cannot remove a real display. Use the monitor keyword."
                if name in self.stuck:
                    return "ok"
                del self.monitors[name]
                if self.sway:
                    await self._sway(f"output {name} unplug")
                return "ok"
        return "not enough args"

    async def _create(self, name: str) -> str:
        if not self.sway:
            return "HEADLESS-2" if self.own_names else name
        before = set(self.monitors)
        await self._sway("create_output")
        await self._look()
        return min(set(self.monitors) - before)

    async def _keyword(self, text: str) -> str:
        word, _, value = text.partition(" ")
        parts = [part.strip() for part in value.split(",")]
        if word != "monitor":
            return "config option does not exist"
        if parts[1:] == ["disable"]:
            return await self._rule(parts[0], {"disabled": "true"})
        name, mode, position, scale, *rest = parts
        rule = {
            "mode": mode,
            "position": position,
            "scale": scale,
            **dict(zip(rest[::2], rest[1::2], strict=True)),
        }
        return await self._rule(name, rule)

    async def _eval(self, code: str) -> str:
        if not code.startswith("hl.monitor({") or not code.endswith("})"):
            return "error: 2 attempt to call a nil value"
        given = {
            key: json.loads(value) if value[0] == '"' else value for key, value in HL_FIELD.findall(code)
        }
        name = given.pop("output")
        return await self._rule(name, {**self.rules.get(name, {}), **given})

    async def _rule(self, name: str, rule: dict[str, str]) -> str:
        self.rules[name] = rule
        if name in self.monitors:
            await self._apply(name)
        return "ok"

    async def _apply(self, name: str) -> None:
        rule, shown = self.rules.get(name, {}), self.monitors[name]
        if name in self.stuck:
            return
        shown.disabled = rule.get("disabled") == "true"
        if "mode" in rule:
            size, _, hertz = rule["mode"].partition("@")
            shown.width, shown.height = map(int, size.split("x"))
            shown.hertz, shown.scale = float(hertz), float(rule["scale"])
            shown.transform = int(rule.get("transform", "0"))
            shown.ten_bit = rule.get("bitdepth") == "10"
            shown.position, shown.mirror = rule["position"], rule.get("mirror", "")
            if "x" in shown.position:
                shown.x, shown.y = map(int, shown.position.split("x"))
        if self.sway:
            mode = f"mode --custom {shown.width}x{shown.height}@{shown.hertz}Hz scale {shown.scale}"
            await self._sway(f"output {name} " + ("disable" if shown.disabled else f"enable {mode}"))

    async def _dispatch(self, text: str) -> str:
        if self.dialect == "hyprlang":
            word, _, value = text.partition(" ")
            if word == "exec":
                return await self._exec(value)
            if word != "focusmonitor":
                return "Invalid dispatcher"
            name = value
        elif found := re.fullmatch(r'hl\.dsp\.focus\(\{ monitor = "(.*)" \}\)', text):
            name = found[1]
        elif found := re.fullmatch(r"hl\.dsp\.exec_cmd\((\".*\")\)", text):
            return await self._exec(json.loads(found[1]))
        else:
            return "error: [string]:1: syntax error"
        self.focused = name
        if self.sway:
            await self._sway(f"focus output {name}")
        return "ok"

    async def _exec(self, command: str) -> str:
        if self.sway:
            await self._sway(f"exec {shlex.join(['/bin/sh', '-c', command])}")
        else:
            inside = {
                "PATH": os.environ["PATH"],
                "DISPLAY": ":7",
                "WAYLAND_DISPLAY": self.wayland,
                **self.environment,
            }
            await trio.run_process(["/bin/sh", "-c", command], env=inside, stdout=subprocess.DEVNULL)
        return "ok"

    async def _look(self) -> None:
        """Take the real outputs, where there is a sway."""
        if not self.sway:
            return
        async with connect_sway(self.sway) as ipc:
            states = {state.name: state for state in await ipc.outputs()}
        self.monitors = {
            name: self.monitors.get(name, Shown(by_user=name != "HEADLESS-1")) for name in states
        }
        for name, state in states.items():
            shown = self.monitors[name]
            shown.disabled = not state.active
            if state.mode is not None:
                shown.width, shown.height = state.mode.width_px, state.mode.height_px
                shown.hertz = state.mode.refresh_millihertz / 1000

    async def _sway(self, command: str) -> None:
        async with connect_sway(self.sway) as ipc:
            await ipc.run(command)


def install(folder: Path) -> Path:
    """Put it into a folder as the program Hyprland; return the folder."""
    program = folder / "Hyprland"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -B "{Path(__file__).resolve()}" "$@"\n')
    program.chmod(0o755)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("XDG_RUNTIME_DIR"))
    parser.add_argument("--dialect", default="hyprlang")
    parser.add_argument("--sway", default="")
    parser.add_argument("--wayland", default="wayland-1")
    parser.add_argument("--config", help="started as Hyprland itself: no monitors, configured in Lua")
    words = parser.parse_args()
    if words.config and os.environ.get("PUNKTFUNK_DOUBLE") == "no-gpu":
        sys.exit("CRITICAL: CBackend::create() failed!")
    dialect = "lua" if words.config else words.dialect
    double = HyprlandDouble(
        Path(words.folder), dialect, own_names=bool(words.sway), sway=words.sway, wayland=words.wayland
    )
    if words.sway or words.config:
        double.monitors.clear()
    trio.run(double.run)


if __name__ == "__main__":
    main()
