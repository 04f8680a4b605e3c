"""An exclusive lock on an open file, freed by its holder's end: flock on Unix, a locked byte on Windows."""

import os
from importlib import import_module

try:
    import fcntl
except ModuleNotFoundError:

    def lock_file(descriptor: int) -> None:
        """Wait for the lock, ten seconds at most (OSError); closing the descriptor frees it."""
        msvcrt = import_module("msvcrt")
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)

else:

    def lock_file(descriptor: int) -> None:
        """Wait for the lock; closing the descriptor frees it."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)
