"""Which keyboard layout this machine is set to, from the files that distributions keep it in."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

MAXIMUM_FILE_BYTES = 64 * 1024
ASSIGNMENT = re.compile(
    r"""^\s*(XKB(?:MODEL|LAYOUT|VARIANT|OPTIONS))\s*=\s*["']?([^"'\n#]*)["']?""", re.MULTILINE
)
XORG_OPTION = re.compile(
    r'^\s*Option\s+"(Xkb(?:Model|Layout|Variant|Options))"\s+"([^"\n]*)"', re.MULTILINE | re.IGNORECASE
)
SAFE = re.compile(r"[A-Za-z0-9_,:+()\-]*")


@dataclass(frozen=True, slots=True)
class LayoutNames:
    """Names in the sense of XKB; empty ones mean libxkbcommon's default."""

    model: str = ""
    layout: str = ""
    variant: str = ""
    options: str = ""
    origin: str = "the default"


def parse_assignments(text: str, origin: str) -> LayoutNames | None:
    """Read ``XKBLAYOUT="de"`` lines (keyboard(5), vconsole.conf(5)); None if no layout is named."""
    return _names({name: value.strip() for name, value in ASSIGNMENT.findall(text)}, origin)


def parse_xorg(text: str, origin: str) -> LayoutNames | None:
    """Read ``Option "XkbLayout" "de"`` lines (xorg.conf(5), as localectl writes them)."""
    return _names({name.upper(): value.strip() for name, value in XORG_OPTION.findall(text)}, origin)


def _names(found: dict[str, str], origin: str) -> LayoutNames | None:
    values = [found.get(f"XKB{part}", "") for part in ("MODEL", "LAYOUT", "VARIANT", "OPTIONS")]
    if not values[1] or not all(SAFE.fullmatch(value) for value in values):
        return None
    model, layout, variant, options = values
    return LayoutNames(model, layout, variant, options, origin)


SOURCES = (
    ("etc/X11/xorg.conf.d/00-keyboard.conf", parse_xorg),
    ("etc/default/keyboard", parse_assignments),
    ("etc/vconsole.conf", parse_assignments),
)


def read_host_layout(root: Path = Path("/")) -> LayoutNames:
    """Return the layout of this machine: environment (as sway reads it), then the files, then the default."""
    if layout := os.environ.get("XKB_DEFAULT_LAYOUT", ""):
        return LayoutNames(
            os.environ.get("XKB_DEFAULT_MODEL", ""),
            layout,
            os.environ.get("XKB_DEFAULT_VARIANT", ""),
            os.environ.get("XKB_DEFAULT_OPTIONS", ""),
            "XKB_DEFAULT_LAYOUT",
        )
    for name, parse in SOURCES:
        try:
            text = (root / name).read_bytes()[:MAXIMUM_FILE_BYTES].decode(errors="replace")
        except OSError:
            continue
        if (names := parse(text, f"/{name}")) is not None:
            return names
    return LayoutNames()
