"""Child processes that can be found again: identity, start, end with a bound.

A pid alone names nothing for long, so a process is known by pid, start time and boot id. Children carry a
token in their environment; whoever was started by a child carries it too, however often it forked or
whichever session it made for itself.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from punktfunk.control.system.waiting import wait_until
from punktfunk.errors import EnvironmentProblem

DISPLAY_VARIABLE = "PUNKTFUNK_DISPLAY"
"""Environment variable that marks every process started for one display."""

LOG_TAIL_BYTES = 2000
SWEEPS = 5
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process for ever: ``start_ticks`` is field 22 of /proc/PID/stat (proc_pid_stat(5))."""

    pid: int
    start_ticks: int
    boot_id: str


def read_boot_id() -> str:
    """Return the random id of this boot (random(4)); empty where the kernel has none."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def read_identity(pid: int) -> ProcessIdentity | None:
    """Identify a living process; None if it is gone or a zombie."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The second field is the command in parentheses and may itself hold spaces and parentheses.
    fields = stat[stat.rfind(b")") + 2 :].split()
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return ProcessIdentity(pid, int(fields[19]), read_boot_id())


def is_alive(identity: ProcessIdentity) -> bool:
    """Tell whether that very process still runs."""
    return read_identity(identity.pid) == identity


def find_by_token(token: str) -> list[ProcessIdentity]:
    """Find this user's living processes whose environment carries the token, newest first."""
    wanted = f"{DISPLAY_VARIABLE}={token}".encode()
    found = []
    for folder in PROC.iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue  # another user's, or gone meanwhile
        if wanted in environment.split(b"\0"):
            identity = read_identity(int(folder.name))
            if identity is not None:
                found.append(identity)
    return sorted(found, key=lambda identity: identity.start_ticks, reverse=True)


def signal_identity(identity: ProcessIdentity, number: signal.Signals) -> bool:
    """Signal that very process; False if it is gone. A pidfd keeps a reused pid from being hit."""
    try:
        handle = os.pidfd_open(identity.pid)
    except OSError:
        return False
    try:
        if not is_alive(identity):
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


async def end_identities(identities: Sequence[ProcessIdentity], grace_s: float) -> list[ProcessIdentity]:
    """End processes: SIGTERM, ``grace_s`` seconds to obey, SIGKILL, one second more; return who survived."""
    living = [identity for identity in identities if signal_identity(identity, signal.SIGTERM)]
    living = await _wait_gone(living, grace_s)
    for identity in living:
        signal_identity(identity, signal.SIGKILL)
    return await _wait_gone(living, 1.0)


async def end_by_token(token: str, grace_s: float) -> list[ProcessIdentity]:
    """End all processes that carry a token, and what they forked meanwhile; return who survived."""
    survivors: list[ProcessIdentity] = []
    for _ in range(SWEEPS):
        found = find_by_token(token)
        if not found:
            return []
        survivors = await end_identities(found, grace_s)
    return survivors


async def _wait_gone(identities: list[ProcessIdentity], seconds: float) -> list[ProcessIdentity]:
    async def are_gone() -> bool:
        await trio.lowlevel.checkpoint()
        return not any(is_alive(identity) for identity in identities)

    await wait_until(are_gone, seconds)
    return [identity for identity in identities if is_alive(identity)]


async def start_process(
    command: Sequence[str], environment: Mapping[str, str], output: Path | int
) -> trio.Process:
    """Start a child in a session of its own, with its output in a file, or in a descriptor of the caller's.

    Trio starts children from a worker thread with the ordinary scheduling policy and affinity. A command that
    is missing or may not run raises EnvironmentProblem.
    """
    with output.open("ab") if isinstance(output, Path) else os.fdopen(output, "wb", closefd=False) as log:
        try:
            return await trio.lowlevel.open_process(
                list(command),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=Path.home(),  # where people expect a terminal to open
            )
        except FileNotFoundError as error:
            raise EnvironmentProblem(f"{command[0]} is not installed") from error
        except PermissionError as error:
            if shutil.which(command[0], path=environment.get("PATH")) is None and "/" not in command[0]:
                # A folder of PATH that may not be searched hides that there is no such command anywhere.
                raise EnvironmentProblem(f"{command[0]} is not installed") from error
            raise EnvironmentProblem(
                f"{command[0]} may not be started: {error.strerror}",
                hint="A file capability on it is refused in containers: use a copy without (setcap -r).",
            ) from error


async def end_process(process: trio.Process, grace_s: float) -> None:
    """End one child of ours and collect it: SIGTERM, ``grace_s`` seconds, SIGKILL."""
    if process.returncode is None:
        process.terminate()
        with trio.move_on_after(grace_s):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.wait()


def log_tail(path: Path) -> str:
    """Return the last lines of a child's output, for an error message."""
    try:
        return path.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError:
        return ""
