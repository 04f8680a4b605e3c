"""How applications reach a running sway: asked of sway itself, whose own variables no /proc file shows."""

import shlex
from pathlib import Path

import trio

from punktfunk.control.displays.sway_ipc import SwayIpc
from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem

ANSWER_S = 5.0
VARIABLES = ("XDG_RUNTIME_DIR", "WAYLAND_DISPLAY", "DISPLAY", "SWAYSOCK", "DBUS_SESSION_BUS_ADDRESS")


async def ask_environment(ipc: SwayIpc, answer: Path) -> dict[str, str]:
    """Let sway start a shell that writes its variables to ``answer``; unset ones come back empty.

    Sway sets WAYLAND_DISPLAY and DISPLAY after it started, so only its children have them. Raises
    EnvironmentProblem if the shell never wrote.
    """
    scratch = answer.with_suffix(".part")
    values = " ".join(f'"${name}"' for name in VARIABLES)
    files = f"{shlex.quote(str(scratch))} {shlex.quote(str(answer))}"
    await ipc.run(f"exec printf '%s\\n' {values} > {shlex.quote(str(scratch))} && mv {files}")

    async def has_answered() -> bool:
        return await trio.Path(answer).exists()

    try:
        if not await wait_until(has_answered, ANSWER_S):
            raise EnvironmentProblem("sway did not start a shell that tells its variables")
        lines = (await trio.Path(answer).read_text(encoding="utf-8", errors="replace")).split("\n")
    finally:
        _forget(answer, scratch)
    found = dict(zip(VARIABLES, lines, strict=False))
    if not found.get("WAYLAND_DISPLAY") or not found.get("XDG_RUNTIME_DIR"):
        raise EnvironmentProblem("sway has no WAYLAND_DISPLAY for its children")
    return found


def _forget(*files: Path) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def wayland_socket(environment: dict[str, str]) -> str:
    """Return the path of the Wayland socket that these variables mean."""
    return str(Path(environment["XDG_RUNTIME_DIR"]) / environment["WAYLAND_DISPLAY"])
