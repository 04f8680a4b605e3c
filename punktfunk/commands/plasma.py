"""The verbs of ``punktfunk plasma``: the program by which KWin knows punktfunk."""

import os

from punktfunk.control.displays.kwin.launcher import (
    INTERFACES,
    Launcher,
    complaint,
    find_launcher,
)
from punktfunk.control.displays.kwin.launcher import install as install_launcher
from punktfunk.control.displays.kwin.launcher import remove as remove_launcher
from punktfunk.errors import EnvironmentProblem


def install() -> None:
    """Install the launcher and say what it is for."""
    if os.geteuid() == 0:
        raise EnvironmentProblem(
            "root has no Plasma session", hint="Run it as the user whose desktop is to be streamed."
        )
    launcher = find_launcher()
    install_launcher(launcher)
    print("\n".join(explain(launcher)))
    print("A Plasma session that runs knows it at once, or after the next login.")


def remove() -> None:
    """Remove the launcher and say whether there was one."""
    launcher = find_launcher()
    gone = remove_launcher(launcher)
    print(f"removed {launcher.folder} and {launcher.desktop_file}" if gone else "nothing was installed")


def show_status() -> bool:
    """Say what is installed; tell whether it works."""
    launcher = find_launcher()
    problem = complaint(launcher)
    if problem:
        print(f"{problem}\nRun `punktfunk plasma install`.")
    else:
        print("\n".join(explain(launcher)))
    return not problem


def explain(launcher: Launcher) -> list[str]:
    """Say in lines what lies where, and what it allows."""
    return [
        f"program   {launcher.executable}",
        "          a copy of the Python interpreter: all it is used for is to connect to KWin",
        f"entry     {launcher.desktop_file}",
        "          tells KWin to offer that program, and no other Python program, these protocols:",
        *(f"          {name}" for name in INTERFACES),
    ]
