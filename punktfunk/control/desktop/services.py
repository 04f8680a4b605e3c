"""The parts of a session beside its compositor: buses, PipeWire, and what makes it useful.

All of them live in the session's own folder, so that nothing of the user's own login session is touched: its
buses, its default sound device, its WirePlumber state.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from punktfunk.control.desktop.parts import Part, Start, at_once, listens

SESSION_BUS: Final = "session bus"
SYSTEM_BUS: Final = "system bus"
PIPEWIRE: Final = "PipeWire"
WIREPLUMBER: Final = "WirePlumber"
PULSE: Final = "Pulse server"
COMPOSITOR: Final = "compositor"

REAL_SYSTEM_BUS: Final = Path("/run/dbus/system_bus_socket")

FOREIGN_VARIABLES: Final = (
    *(
        "DBUS_SESSION_BUS_ADDRESS",
        "DBUS_SYSTEM_BUS_ADDRESS",
        "DESKTOP_SESSION",
        "DISPLAY",
        "GNOME_SETUP_DISPLAY",
    ),
    *(
        "HYPRLAND_INSTANCE_SIGNATURE",
        "I3SOCK",
        "KDE_FULL_SESSION",
        "LIBEI_SOCKET",
        "NIRI_SOCKET",
        "NOTIFY_SOCKET",
    ),
    *("PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_SERVER", "SESSION_MANAGER"),
    *("SWAYSOCK", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "XAUTHORITY", "XDG_CURRENT_DESKTOP", "XDG_SEAT"),
    *("XDG_SESSION_ID", "XDG_SESSION_DESKTOP", "XDG_VTNR"),
)
"""Variables of whatever session the host was started from: they would lead programs out of ours."""

BUS_PACKAGES: Final = {
    "debian": ["dbus"],
    "fedora": ["dbus-daemon"],
    "arch": ["dbus"],
    "suse": ["dbus-1-daemon"],
}
PIPEWIRE_PACKAGES: Final = {name: ["pipewire"] for name in ("debian", "fedora", "arch", "suse")}
WIREPLUMBER_PACKAGES: Final = {name: ["wireplumber"] for name in ("debian", "fedora", "arch", "suse")}
PULSE_PACKAGES: Final = {
    "debian": ["pipewire-pulse"],
    "fedora": ["pipewire-pulseaudio"],
    "arch": ["pipewire-pulse"],
    "suse": ["pipewire-pulseaudio"],
}

NO_HARDWARE_LUA: Final = """\
-- WirePlumber 0.4: no hardware in this session. Read before 90-enable-all.lua, which obeys.
if alsa_monitor then alsa_monitor.enabled = false end
if v4l2_monitor then v4l2_monitor.enabled = false end
if libcamera_monitor then libcamera_monitor.enabled = false end
if bluez_monitor then bluez_monitor.enabled = false end
"""
NO_HARDWARE_CONF: Final = """\
# WirePlumber 0.5: no hardware in this session
wireplumber.profiles = {
  main = {
    hardware.audio = disabled
    hardware.bluetooth = disabled
    hardware.video-capture = disabled
  }
}
"""
SMALL_QUANTUM: Final = """\
# In a virtual machine PipeWire asks for 1024 samples at once, 21 ms. No hardware is spared by that here.
context.properties = {
  default.clock.min-quantum = 32
  vm.overrides = { default.clock.min-quantum = 32 }
}
context.properties.rules = [
  { matches = [ { cpu.vm.name = !null } ], actions = { update-props = { default.clock.min-quantum = 32 } } }
]
"""


def base_environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that every program of the session begins with; an empty one is not set."""
    return {
        **environ,
        **{name: "" for name in FOREIGN_VARIABLES if name in environ},
        "XDG_RUNTIME_DIR": str(folder),
        "XDG_SESSION_TYPE": "wayland",
    }


def session_bus(folder: Path, *, vital: bool) -> Part:
    """Build the bus that applications and the desktop talk over."""
    address = f"unix:path={folder}/bus"
    start = Start(
        ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}"],
        listens(folder / "bus"),
        gives={"DBUS_SESSION_BUS_ADDRESS": address},
    )
    without = "" if vital else "programs that need D-Bus (portals, notifications) do not work"
    return Part(SESSION_BUS, "dbus-daemon", BUS_PACKAGES, [start], without=without)


def system_bus(folder: Path) -> Part:
    """Build an empty bus that stands in for the system's, for a desktop that does not start without any."""
    address = f"unix:path={folder}/system-bus"
    start = Start(
        ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}"],
        listens(folder / "system-bus"),
        gives={"DBUS_SYSTEM_BUS_ADDRESS": address},
        note="an empty stand-in, as this machine has no system bus",
    )
    return Part(SYSTEM_BUS, "dbus-daemon", BUS_PACKAGES, [start])


def has_system_bus(socket: Path = REAL_SYSTEM_BUS) -> bool:
    """Tell whether this machine has a system bus that we may use."""
    return socket.is_socket() and os.access(socket, os.R_OK | os.W_OK)


def sound_parts(folder: Path, *, vital: bool) -> list[Part]:
    """Build PipeWire, which carries sound and most desktops' pictures, with WirePlumber and a Pulse server.

    ``vital``: the desktop's pictures go through it, so that there is no session without. Writes WirePlumber's
    settings into the folder.
    """
    settings = folder / "config/wireplumber"
    _write(settings / "main.lua.d/80-punktfunk.lua", NO_HARDWARE_LUA)
    _write(settings / "bluetooth.lua.d/80-punktfunk.lua", NO_HARDWARE_LUA)
    _write(settings / "wireplumber.conf.d/80-punktfunk.conf", NO_HARDWARE_CONF)
    _write(folder / "config/pipewire/pipewire.conf.d/80-punktfunk.conf", SMALL_QUANTUM)
    own = {"XDG_CONFIG_HOME": f"{folder}/config", "XDG_STATE_HOME": f"{folder}/sound-state"}
    silent = "" if vital else "applications have no sound"
    pipewire = Start(["pipewire"], listens(folder / "pipewire-0"), environment=own)
    wireplumber = Start(["wireplumber"], at_once, environment=own)
    pulse = Start(["pipewire-pulse"], listens(folder / "pulse/native"))
    return [
        Part(PIPEWIRE, "pipewire", PIPEWIRE_PACKAGES, [pipewire], without=silent),
        Part(
            *(WIREPLUMBER, "wireplumber", WIREPLUMBER_PACKAGES, [wireplumber]),
            needs=frozenset({PIPEWIRE}),
            without=silent,
        ),
        Part(
            *(PULSE, "pipewire-pulse", PULSE_PACKAGES, [pulse]),
            needs=frozenset({PIPEWIRE}),
            without="applications that know only PulseAudio (most games) have no sound",
        ),
    ]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
