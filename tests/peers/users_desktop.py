"""A desktop as a user's own session, for hosts that attach to it."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from launching import wait_for


@contextmanager
def users_sway(command: list[str]) -> Iterator[dict[str, str]]:
    """A sway as the user's own session; gives the variables that programs in it have."""
    folder = Path(tempfile.mkdtemp(prefix="user-"))  # short: sockets lie in it
    environment = {
        **{k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY", "SWAYSOCK"}},
        "XDG_RUNTIME_DIR": str(folder),
        "SWAYSOCK": str(folder / "sway.sock"),
        "WLR_BACKENDS": "headless",
        "WLR_LIBINPUT_NO_DEVICES": "1",
        "WLR_RENDERER": "pixman",
    }
    (folder / "config").write_text("xwayland disable\noutput HEADLESS-1 mode 800x600\n")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "-c", str(folder / "config")], env=environment, stdout=log, stderr=log
        )
    try:
        wait_for(Path(environment["SWAYSOCK"]).exists, "sway runs")
        display = next(path.name for path in folder.glob("wayland-*") if path.suffix != ".lock")
        yield {name: environment[name] for name in ("XDG_RUNTIME_DIR", "SWAYSOCK")} | {
            "WAYLAND_DISPLAY": display
        }
        assert process.poll() is None, "the user's session ended"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def outputs(session: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The outputs of a session, by name."""
    command = ["swaymsg", "-s", session["SWAYSOCK"], "-r", "-t", "get_outputs"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=10)
    return {output["name"]: output for output in json.loads(done.stdout)}
