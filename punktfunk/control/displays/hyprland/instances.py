"""Which Hyprlands run: each has a folder of its own with its sockets and a lock file.

The lock file is two lines: the pid, and the name of the Wayland socket (Hyprland, Compositor.cpp,
createLockFile). It stays when Hyprland is killed, so only a pid that lives counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from punktfunk.control.displays.session_variables import runtime_folder_of
from punktfunk.control.system.processes import read_identity
from punktfunk.errors import RemoteProtocolError

LOCK_FILE = "hyprland.lock"
CONTROL_SOCKET = ".socket.sock"
MAXIMUM_LOCK_BYTES = 4096
MAXIMUM_INSTANCES = 64


@dataclass(frozen=True, slots=True)
class Instance:
    """One Hyprland that lives; ``signature`` is what its children have as HYPRLAND_INSTANCE_SIGNATURE."""

    signature: str
    control_path: str
    wayland_path: str
    pid: int


def parse_lock(data: bytes) -> tuple[int, str]:
    """Read a lock file: pid and name of the Wayland socket; bad bytes raise RemoteProtocolError only."""
    if len(data) > MAXIMUM_LOCK_BYTES:
        raise RemoteProtocolError(f"a lock file of {len(data)} bytes")
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise RemoteProtocolError("a lock file that is no text") from error
    if len(lines) < 2 or not (lines[0].isascii() and lines[0].isdigit()) or len(lines[0]) > 10:
        raise RemoteProtocolError("a lock file without a pid")
    name = lines[1].strip()
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise RemoteProtocolError("a lock file without a Wayland socket")
    return int(lines[0]), name


def find_instances(environment: Mapping[str, str]) -> list[Instance]:
    """List the Hyprlands of this user that live: the one of our own variables first, then the newest.

    They lie in the runtime folder since Hyprland 0.40.
    """
    runtime = runtime_folder_of(environment)
    named = environment.get("HYPRLAND_INSTANCE_SIGNATURE", "")
    dated: list[tuple[bool, float, Instance]] = []
    try:
        locks = sorted((runtime / "hypr").glob(f"*/{LOCK_FILE}"))[:MAXIMUM_INSTANCES]
    except OSError:
        return []
    for lock in locks:
        found = _instance(lock, runtime)
        if found is not None:
            dated.append((found[1].signature == named, *found))
    return [instance for _, _, instance in sorted(dated, key=lambda item: item[:2], reverse=True)]


def _instance(lock: Path, runtime: Path) -> tuple[float, Instance] | None:
    folder = lock.parent
    try:
        with lock.open("rb") as file:
            pid, name = parse_lock(file.read(MAXIMUM_LOCK_BYTES + 1))
        date = lock.stat().st_mtime
    except (OSError, RemoteProtocolError):
        return None
    if read_identity(pid) is None:
        return None
    return date, Instance(folder.name, str(folder / CONTROL_SOCKET), str(runtime / name), pid)
