"""``punktfunk pads``: what gamepads need of this machine; set up, and taken away again."""

import json
import os
import pwd
import shutil
import subprocess

from punktfunk.control.pads.access import REMEDY, UHID, UINPUT, examine_node
from punktfunk.control.pads.setup import GROUP, Step, as_root, members, setup_steps, undo_steps
from punktfunk.errors import EnvironmentProblem

_MAKES = {UINPUT: "Xbox pads, and keyboard, mouse, touch and pen", UHID: "DualSense, DualShock 4, Switch Pro"}


def show(*, as_json: bool) -> None:
    """Print which pads can be made here."""
    found = [examine_node(node) for node in _MAKES]
    if as_json:
        print(json.dumps({str(access.node): access.problem or "ok" for access in found}, indent=2))
        return
    for access in found:
        print(f"{access.node}: {access.problem or 'ok'}  ({_MAKES[access.node]})")
    if not all(access.usable for access in found):
        print(REMEDY)


def setup(*, only_print: bool) -> None:
    """Let this user make pads."""
    _run(setup_steps(_user(), members()), only_print=only_print)
    if only_print:
        return
    show(as_json=False)
    print(f"The group {GROUP} counts from your next login; whoever sits at the machine needs none.")
    print("`punktfunk pads undo` takes all of it away.")


def undo(*, only_print: bool) -> None:
    """Take away what ``setup`` made."""
    _run(undo_steps(_user(), members()), only_print=only_print)


def _user() -> str:
    """Name who is to make pads: behind sudo, whoever called it."""
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name


def _run(steps: list[Step], *, only_print: bool) -> None:
    if not only_print and os.geteuid() != 0 and shutil.which("sudo") is None:
        raise EnvironmentProblem(
            "this needs root, and there is no sudo",
            hint="Run the commands of `punktfunk pads setup --print` as root.",
        )
    for step in steps:
        print(f"# {step.why}\n{step}" if only_print else f"{step.why}: {' '.join(as_root(step))}")
        if not only_print:
            _run_one(step)


def _run_one(step: Step) -> None:
    try:
        ended = subprocess.run(
            as_root(step), input=step.text, text=True, stdout=subprocess.DEVNULL, check=False
        )
    except OSError as error:
        if step.needed:
            raise EnvironmentProblem(f"cannot run {step.words[0]}: {error.strerror}") from error
        print(f"  not done: {step.words[0]}: {error.strerror}")
        return
    if ended.returncode and step.needed:
        raise EnvironmentProblem(f"{step.words[0]} failed with status {ended.returncode}: {step.why}")
    if ended.returncode:
        print(f"  not done: {step.words[0]} ended with status {ended.returncode}")
