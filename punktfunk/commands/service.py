"""The verb ``service``: print a systemd unit for this machine."""

import grp
import os
import pwd
import shutil
import sys
from pathlib import Path

from punktfunk.control.desktop.kinds import find_kind
from punktfunk.control.system.unit import WISHED_GROUPS, Unit, build_unit
from punktfunk.errors import ConfigError, Misuse


def show_service(session: str, *, user: str, as_user_unit: bool) -> None:
    """Print the unit; Misuse for a user or a session that does not exist."""
    if session != "off":
        try:
            find_kind(session)
        except ConfigError as error:
            raise Misuse(f"--session {session}: there is no such session", hint=error.hint) from error
    runs_as = "" if as_user_unit else ordinary_user(user)
    print(build_unit(Unit(program_path(), runs_as, session, groups_here())), end="")


def ordinary_user(asked: str) -> str:
    """Return who the service runs as: who is asked for, else who calls, also through sudo. Never root."""
    name = asked or os.environ.get("SUDO_USER", "") or pwd.getpwuid(os.getuid()).pw_name
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        raise Misuse(
            f"--user {name}: there is no such user", hint=f"sudo useradd --create-home {name}"
        ) from None
    if uid == 0:
        raise Misuse(
            f"--user {name}: compositors refuse to run as root", hint="Name an ordinary user with --user."
        )
    return name


def program_path() -> str:
    """Return the path of the command that runs now, for other processes to start."""
    beside = Path(sys.executable).parent / "punktfunk"
    return str(beside) if beside.exists() else shutil.which("punktfunk") or "/usr/bin/punktfunk"


def groups_here() -> list[str]:
    """List the groups of this machine that the host wants to be in."""
    known = {group.gr_name for group in grp.getgrall()}
    return [name for name in WISHED_GROUPS if name in known]
