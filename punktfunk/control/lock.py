"""One host per state folder: the lock file names its holder, and the kernel frees it on any end."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from punktfunk.errors import EnvironmentProblem

LOCK_NAME = "host.lock"


@contextmanager
def state_lock(state_folder: Path) -> Iterator[None]:
    """Hold the folder's lock; EnvironmentProblem names the holder if another host has it."""
    state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_folder / LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 64, 0).decode("ascii", "replace").strip() or "unknown"
            raise EnvironmentProblem(
                f"another punktfunk host (process {holder}) already uses {state_folder}",
                hint=f"stop it (kill {holder}), or give this one its own --state folder and --port",
            ) from error
        except OSError as error:  # ENOLCK: a network file system without a lock server
            raise EnvironmentProblem(
                f"cannot lock {path}: {error.strerror}",
                hint="put the state on a local file system: --state FOLDER",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
