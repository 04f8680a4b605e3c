"""What gamescope says of itself: its log, its help, the names of its sockets. Pure.

    [Info]  wlserver: Running compositor on wayland display 'gamescope-0'
    [Info]  pipewire: stream available on node ID: 56
    [Info]  wlserver: Successfully initialized libei for input emulation!

Source: gamescope, src/wlserver.cpp (wlserver_init), src/pipewire.cpp (init_pipewire). Colours are in between.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from punktfunk.plan import Mode

NODE = re.compile(rb"stream available on node ID: (\d{1,10})")
DISPLAY = re.compile(rb"Running compositor on wayland display '([\w.-]{1,64})'")
INPUT = b"Successfully initialized libei"
NO_NODE = 0xFFFF_FFFF
"""PipeWire's "no id": gamescope shows it where it found no PipeWire daemon."""

LOG_BYTES = 256 * 1024
SOCKET_NAME = re.compile(r"gamescope-\d{1,3}")


@dataclass(frozen=True, slots=True)
class Said:
    """What the log has told so far; None and empty for what it has not."""

    node_id: int | None = None
    display: str = ""
    takes_input: bool = False


def parse_log(data: bytes) -> Said:
    """Read gamescope's output, of which any part may be missing or garbage; only ``LOG_BYTES`` of it."""
    data = data[:LOG_BYTES]
    node, display = NODE.search(data), DISPLAY.search(data)
    number = int(node[1]) if node else NO_NODE
    return Said(
        number if number < NO_NODE else None,
        display[1].decode("ascii", "replace") if display else "",
        INPUT in data,
    )


def has_headless(usage: bytes) -> bool:
    """Tell from ``gamescope --help`` whether it has a headless backend (3.14 and later)."""
    return b"--backend" in usage and b"headless" in usage


def rounded(mode: Mode) -> Mode:
    """Return the mode that gamescope makes of one: its rate is in whole hertz (``-r``, src/main.cpp)."""
    return Mode(mode.width_px, mode.height_px, max(1, round(mode.refresh_millihertz / 1000)) * 1000)


def command_line(program: str, mode: Mode, child: Sequence[str]) -> list[str]:
    """Word the start of a headless gamescope of exactly a size; it ends when ``child`` does."""
    size = rounded(mode)
    width, height, hertz = (str(n) for n in (size.width_px, size.height_px, size.refresh_millihertz // 1000))
    return [
        program,
        *("--backend", "headless"),
        *("-W", width, "-H", height, "-w", width, "-h", height, "-r", hertz),
        *("--xwayland-count", "1", "--expose-wayland"),
        "--",
        *child,
    ]


def find_sockets(runtime_folder: Path, named: str = "") -> list[str]:
    """List the Wayland sockets of gamescopes: the one named in the variables first."""
    try:
        found = sorted(
            path for path in runtime_folder.glob("gamescope-*") if SOCKET_NAME.fullmatch(path.name)
        )
    except OSError:
        found = []
    first = [str(runtime_folder / named)] if SOCKET_NAME.fullmatch(named) else []
    return list(dict.fromkeys([*first, *map(str, found)]))
