"""How a wish is worded for Hyprland: ``keyword`` of hyprlang, or ``eval`` of Lua.

Hyprland 0.55 reads either language and 0.56 and later only Lua (its commit "config: remove legacy config
support"); ``keyword`` is then an unknown request. In Lua ``hl.monitor`` changes the rule that a monitor has
already (src/config/lua/bindings/LuaBindingsConfigRules.cpp), ``keyword monitor`` replaces it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from punktfunk.control.displays.hyprland.ipc import HyprlandIpc, Monitor
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Mode

FIRST_LUA_ONLY = (0, 56)
UNSAFE = frozenset(" ,;\"'\\\r\n\t\0[]")


@dataclass(frozen=True, slots=True)
class Rule:
    """How a monitor is to be.

    place    "XxY", "auto", "auto-left" and so on
    mirror   name of the one that it copies
    """

    name: str
    mode: Mode
    place: str = "auto"
    scale: float = 1.0
    transform: int = 0
    ten_bit: bool = False
    mirror: str = ""


def rule_of(monitor: Monitor, all_of_them: Sequence[Monitor] = ()) -> Rule | None:
    """Word what a monitor shows now, so that it can be had again; None while it is disabled."""
    if monitor.mode is None:
        return None
    copied = [other.name for other in all_of_them if str(other.number) == monitor.mirror_of]
    return Rule(
        monitor.name,
        monitor.mode,
        f"{monitor.x}x{monitor.y}",
        monitor.scale,
        monitor.transform,
        monitor.ten_bit,
        copied[0] if copied else "",
    )


def _mode_text(mode: Mode) -> str:
    return f"{mode.width_px}x{mode.height_px}@{mode.refresh_millihertz / 1000:.3f}"


def check_name(name: str) -> str:
    """Return a monitor's name; EnvironmentProblem for one that would be read as something else."""
    if not name or len(name) > 128 or UNSAFE & set(name):
        raise EnvironmentProblem(
            f"a monitor of the name {name!r} cannot be changed through Hyprland's socket"
        )
    return name


class Hyprlang:
    """The language of hyprland.conf."""

    name = "hyprlang"

    def monitor(self, rule: Rule) -> str:
        """Give a monitor a mode, a place and a scale."""
        words = [check_name(rule.name), _mode_text(rule.mode), rule.place, f"{rule.scale:g}"]
        words += ["transform", str(rule.transform)]
        if rule.ten_bit:
            words += ["bitdepth", "10"]
        if rule.mirror:
            words += ["mirror", check_name(rule.mirror)]
        return "keyword monitor " + ",".join(words)

    def disable(self, name: str) -> str:
        """Switch a monitor off."""
        return f"keyword monitor {check_name(name)},disable"

    def focus(self, name: str) -> str:
        """Make new windows and keys go to a monitor."""
        return f"dispatch focusmonitor {check_name(name)}"

    def execute(self, script_path: str) -> str:
        """Start a shell script in the session."""
        return f"dispatch exec sh {script_path}"


class Lua:
    """The language of hyprland.lua."""

    name = "lua"

    def monitor(self, rule: Rule) -> str:
        """Give a monitor a mode, a place and a scale."""
        fields = {
            "output": quoted(check_name(rule.name)),
            "mode": quoted(_mode_text(rule.mode)),
            "position": quoted(rule.place),
            "scale": quoted(f"{rule.scale:g}"),
            "transform": str(rule.transform),
            "bitdepth": "10" if rule.ten_bit else "8",
            "disabled": "false",
        }
        if rule.mirror:
            fields["mirror"] = quoted(check_name(rule.mirror))
        return f"eval hl.monitor({{ {', '.join(f'{key} = {value}' for key, value in fields.items())} }})"

    def disable(self, name: str) -> str:
        """Switch a monitor off."""
        return f"eval hl.monitor({{ output = {quoted(check_name(name))}, disabled = true }})"

    def focus(self, name: str) -> str:
        """Make new windows and keys go to a monitor."""
        return f"dispatch hl.dsp.focus({{ monitor = {quoted(check_name(name))} }})"

    def execute(self, script_path: str) -> str:
        """Start a shell script in the session."""
        return f"dispatch hl.dsp.exec_cmd({quoted('sh ' + script_path)})"


def quoted(text: str) -> str:
    """Write a Lua string; every byte that could end it is escaped by its number (Lua manual, §3.1)."""
    return (
        '"'
        + "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else _escaped(c) for c in text)
        + '"'
    )


def _escaped(character: str) -> str:
    return "".join(f"\\{byte:03d}" for byte in character.encode("utf-8", "surrogateescape"))


Dialect = Hyprlang | Lua


async def find_dialect(ipc: HyprlandIpc) -> Dialect:
    """Ask Hyprland which language it understands."""
    provider = await ipc.provider()
    if not provider:
        version, _text = await ipc.version()
        provider = "lua" if version >= FIRST_LUA_ONLY else "hyprlang"
    return Lua() if provider == "lua" else Hyprlang()
