"""Where the sound servers of a session listen, as their own libraries look for them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PIPEWIRE_SOCKET: Final = "pipewire-0"
PULSE_SOCKET: Final = "pulse/native"


def runtime_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of a session's sockets."""
    return Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


def pipewire_path(environment: Mapping[str, str], remote: str = "") -> str:
    """Name PipeWire's socket: ``remote`` if given, else as libpipewire finds it (module-protocol-native)."""
    name = remote or environment.get("PIPEWIRE_REMOTE") or PIPEWIRE_SOCKET
    if name.startswith("/"):
        return name
    folder = environment.get("PIPEWIRE_RUNTIME_DIR")
    return str((Path(folder) if folder else runtime_folder(environment)) / name)


def pulse_path(environment: Mapping[str, str], remote: str = "") -> str:
    """Name PulseAudio's socket; empty where the session's is on another machine.

    A session with a PipeWire of its own (``remote``) has its Pulse socket beside it.
    """
    if remote.startswith("/"):
        return str(Path(remote).parent / PULSE_SOCKET)
    server = environment.get("PULSE_SERVER", "")
    if server:
        path = server.rpartition("}")[2].removeprefix("unix:")
        return path if path.startswith("/") else ""
    if folder := environment.get("PULSE_RUNTIME_PATH"):
        return str(Path(folder) / "native")
    return str(runtime_folder(environment) / PULSE_SOCKET)
