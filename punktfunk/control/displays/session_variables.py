"""Where a session keeps its sockets, and what its children have in their environment.

Compositors set WAYLAND_DISPLAY and DISPLAY after they started, so only a child of theirs knows them: it is a
shell script that writes them down.
"""

import os
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import trio

from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem

ANSWER_S = 5.0
MAXIMUM_ANSWER_BYTES = 64 * 1024


def runtime_folder_of(environment: Mapping[str, str]) -> Path:
    """Return the runtime folder that these variables mean, by default this user's own."""
    return Path(environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


def session_bus_of(environment: Mapping[str, str]) -> str:
    """Return the address of the session bus that these variables mean (systemd's place by default)."""
    return environment.get("DBUS_SESSION_BUS_ADDRESS") or f"unix:path={runtime_folder_of(environment)}/bus"


def asking_script(names: Sequence[str], answer: Path) -> str:
    """Write the script that a child of the compositor runs: each variable on a line of ``answer``."""
    values = " ".join(f'"${{{name}-}}"' for name in names)
    scratch, whole = shlex.quote(f"{answer}.part"), shlex.quote(str(answer))
    # A rename makes the answer appear whole or not at all.
    return f"umask 077\nprintf '%s\\n' {values} > {scratch} && mv {scratch} {whole}\n"


async def ask_by_script(
    names: Sequence[str], folder: Path, token: str, start: Callable[[str], Awaitable[None]]
) -> dict[str, str]:
    """Let ``start`` run a script inside the session and return the variables; unset ones come back empty.

    Raises EnvironmentProblem if the script never wrote, and whatever ``start`` raises.
    """
    script, answer = folder / f"ask-{token}.sh", folder / f"ask-{token}"

    async def has_answered() -> bool:
        return await trio.Path(answer).exists()

    try:
        _write(script, asking_script(names, answer))
        await start(str(script))
        if not await wait_until(has_answered, ANSWER_S):
            raise EnvironmentProblem("the session did not start a shell that tells its variables")
        text = answer.read_bytes()[:MAXIMUM_ANSWER_BYTES].decode(errors="replace")
    finally:
        for file in (script, answer, Path(f"{answer}.part")):
            file.unlink(missing_ok=True)
    return dict(zip(names, text.split("\n"), strict=False))


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def pipewire_socket_of(environment: Mapping[str, str]) -> str:
    """Return the path of the PipeWire socket that these variables mean (module-protocol-native)."""
    name = environment.get("PIPEWIRE_REMOTE") or "pipewire-0"
    folder = environment.get("PIPEWIRE_RUNTIME_DIR") or str(runtime_folder_of(environment))
    return name if name.startswith("/") else str(Path(folder) / name)
