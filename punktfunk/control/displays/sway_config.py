"""The configuration of a spawned sway: a plain desktop that a stranger can use, and nothing of the user's.

The user's own configuration is not read: it may lock the screen, start services of the real session, or move
outputs about.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from punktfunk.control.displays.base import find_terminal
from punktfunk.plan import Mode

SPAWNED_OUTPUT = "HEADLESS-1"
"""Name of the only output of a sway with WLR_HEADLESS_OUTPUTS=1 (wlroots, backend/headless/output.c)."""

BINDINGS = """\
floating_modifier Mod4 normal
bindsym Mod4+q kill
bindsym Mod4+f fullscreen toggle
bindsym Mod4+space floating toggle
bindsym Mod4+Left focus left
bindsym Mod4+Down focus down
bindsym Mod4+Up focus up
bindsym Mod4+Right focus right
bindsym Mod4+Shift+Left move left
bindsym Mod4+Shift+Down move down
bindsym Mod4+Shift+Up move up
bindsym Mod4+Shift+Right move right
"""
LAUNCHERS = (
    ("fuzzel", "fuzzel"),
    ("wofi", "wofi --show drun"),
    ("rofi", "rofi -show drun"),
    ("bemenu-run", "bemenu-run"),
)


def build_config(mode: Mode | None, *, xwayland: bool) -> str:
    """Write the configuration of one spawned sway; without a mode it begins without an output."""
    lines = [
        f"xwayland {'enable' if xwayland else 'disable'}",
        "default_border pixel 2",
        "focus_on_window_activation focus",
    ]
    if mode is not None:
        shape = f"{mode.width_px}x{mode.height_px}@{mode.refresh_millihertz / 1000:.3f}Hz"
        lines.append(f"output {SPAWNED_OUTPUT} mode --custom {shape} scale 1")
    hints = ["Super+Q: close window", "Super+F: full screen"]
    if shutil.which("swaybg"):
        lines.append("output * bg #1f2937 solid_color")
    if terminal := find_terminal():
        lines.append(f"bindsym Mod4+Return exec {terminal[0]}")
        hints.insert(0, "Super+Enter: terminal")
    launcher = next((command for name, command in LAUNCHERS if shutil.which(name)), None)
    if launcher:
        lines.append(f"bindsym Mod4+d exec {launcher}")
        hints.insert(1, "Super+D: programs")
    if shutil.which("swaybar"):
        lines += [
            "bar {",
            "  position top",
            # Sway takes quotes away before a shell reads this: words only.
            f"  status_command echo {', '.join(hints)} && exec sleep infinity",
            "}",
        ]
    for number in range(1, 10):
        lines.append(f"bindsym Mod4+{number} workspace number {number}")
        lines.append(f"bindsym Mod4+Shift+{number} move container to workspace number {number}")
    return "\n".join(lines) + "\n" + BINDINGS


FOREIGN_VARIABLES = {
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION",
    "DISPLAY",
    "I3SOCK",
    "NOTIFY_SOCKET",
    "PIPEWIRE_NODE",
    "PIPEWIRE_REMOTE",
    "PIPEWIRE_RUNTIME_DIR",
    "PULSE_RUNTIME_PATH",
    "PULSE_SERVER",
    "PULSE_SINK",
    "PULSE_SOURCE",
    "SWAYSOCK",
    "WAYLAND_DISPLAY",
    "WAYLAND_SOCKET",
    "XAUTHORITY",
    "XDG_SEAT",
    "XDG_SESSION_ID",
    "XDG_VTNR",
}
"""Variables of the session the host was started from: they would lead children out of the private one."""


def build_environment(
    folder: str, socket_path: str, renderer: str, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Make the environment of the private session, out of ours or ``base``.

    ``renderer`` empty leaves the choice to wlroots.
    """
    base = os.environ if base is None else base
    environment = {name: value for name, value in base.items() if name not in FOREIGN_VARIABLES}
    environment |= {
        "XDG_RUNTIME_DIR": folder,
        "XDG_SESSION_TYPE": "wayland",
        "XDG_CURRENT_DESKTOP": "sway",
        "SWAYSOCK": socket_path,
        "WLR_BACKENDS": "headless",
        "WLR_HEADLESS_OUTPUTS": "1",
        "WLR_LIBINPUT_NO_DEVICES": "1",
    }
    environment.pop("WLR_RENDERER", None)
    if renderer:
        environment["WLR_RENDERER"] = renderer
    return environment


def find_renderers() -> list[str]:
    """Order the renderers worth trying: wlroots' own choice where a GPU may be used, then pixman."""
    try:
        nodes = list(Path("/dev/dri").glob("renderD*"))
    except OSError:
        nodes = []
    usable = any(os.access(node, os.R_OK | os.W_OK) for node in nodes)
    return ["", "pixman"] if usable else ["pixman"]
