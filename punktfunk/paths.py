"""Where punktfunk keeps things, by the XDG base directory specification; stdlib only, cheap to import.

    state    host key, certificate, paired clients, app catalogue    $XDG_STATE_HOME/punktfunk, or --state
    config   config.toml                                             $XDG_CONFIG_HOME/punktfunk
             lab/, a researcher's own variants
    cache    compiled kernels                                        $XDG_CACHE_HOME/punktfunk
    runtime  journal of outputs and processes, lock                  $XDG_RUNTIME_DIR/punktfunk

Two hosts of one user with two state folders share nothing: runtime folder and admin socket follow the state
folder.
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from punktfunk.errors import EnvironmentProblem

APPLICATION = "punktfunk"
UNIX_PATH_BYTES = 107
"""Longest path of an AF_UNIX socket: ``sun_path`` holds 108 bytes and ends with a NUL (unix(7))."""


def _xdg(variable: str, fallback: str) -> Path:
    """Folder of one XDG variable; the specification says to ignore relative values."""
    value = os.environ.get(variable, "")
    return (Path(value) if value.startswith("/") else Path.home() / fallback) / APPLICATION


def default_state_folder() -> Path:
    """Host identity and paired clients, unless ``--state`` says otherwise."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def config_file() -> Path:
    """Find the settings of this user; ``PUNKTFUNK_CONFIG`` names another file."""
    named = os.environ.get("PUNKTFUNK_CONFIG", "")
    return Path(named).expanduser() if named else _xdg("XDG_CONFIG_HOME", ".config") / "config.toml"


def lab_folder() -> Path:
    """Folder of a researcher's own variants, unless ``lab_folder`` or ``--folder`` says otherwise."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "lab"


def cache_folder() -> Path:
    """Keep here what can be made again at any time."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def runtime_folder(state: Path) -> Path:
    """Folder that the next boot may forget; one for each state folder.

    Without a login session there is no ``XDG_RUNTIME_DIR``: then ``/run/user/UID`` if it is ours, else one in
    the temporary folder, whose owner and mode ``make_private_folder`` checks.
    """
    base = _runtime_base()
    return base if state == default_state_folder() else base / _short_name(state)


def _runtime_base() -> Path:
    value = os.environ.get("XDG_RUNTIME_DIR", "")
    if value.startswith("/"):
        return Path(value) / APPLICATION
    login = Path(f"/run/user/{os.getuid()}")
    if login.is_dir() and os.access(login, os.W_OK):
        return login / APPLICATION
    return Path(tempfile.gettempdir()) / f"{APPLICATION}-{os.getuid()}"


def _short_name(state: Path) -> str:
    return hashlib.sha256(os.fsencode(state.absolute())).hexdigest()[:16]


def admin_socket(state: Path) -> Path:
    """Unix socket of the host that runs on this state folder.

    It lies in the state folder, so that whoever may read the state may also talk to its host. A path too long
    for AF_UNIX goes to the runtime folder instead, under a name made from the state folder's.
    """
    beside_state = state.absolute() / "admin.sock"
    if len(os.fsencode(beside_state)) <= UNIX_PATH_BYTES:
        return beside_state
    short = _runtime_base() / f"admin-{_short_name(state)}.sock"
    if len(os.fsencode(short)) <= UNIX_PATH_BYTES:
        return short
    raise EnvironmentProblem(
        f"{short} is {len(os.fsencode(short))} bytes long; a unix socket's path may have {UNIX_PATH_BYTES}",
        hint="Choose a shorter folder with --state or a shorter XDG_RUNTIME_DIR.",
    )


def make_private_folder(path: Path) -> Path:
    """Create the folder (0700) if needed; refuse one that somebody else owns or may write to."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat(follow_symlinks=True)
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot make the folder {path}: {error.strerror}",
            hint="Choose another with --state, or make it writable for this user.",
        ) from error
    if not hasattr(os, "getuid"):
        return path  # Windows: a user's profile is the user's, and modes say nothing
    if found.st_uid != os.getuid():
        raise EnvironmentProblem(
            f"{path} belongs to user {found.st_uid}, not to user {os.getuid()}",
            hint="Run punktfunk as the folder's owner, or choose another folder with --state.",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EnvironmentProblem(
            f"{path} can be written to by others (mode {stat.S_IMODE(found.st_mode):04o})",
            hint=f"chmod 700 {path}",
        )
    return path
