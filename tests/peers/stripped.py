"""Run punktfunk's command line on a Linux without what only Linux, or only Unix, has.

A stand-in for macOS and Windows, where none runs: eventfds, scheduling policies, /proc, Unix's own modules and
``poll`` are taken from punktfunk before it starts. Libraries keep what they need to run here at all.
"""

import builtins
import os
import pathlib
import runpy
import select
import socket
import sys
import time
import types
from typing import Any

MODULES = {"fcntl", "resource", "pwd", "grp", "termios"}
ATTRIBUTES = (
    (os, ("eventfd", "eventfd_read", "eventfd_write", "EFD_NONBLOCK", "EFD_CLOEXEC", "SCHED_OTHER", "SCHED_FIFO",
          "SCHED_RR", "SCHED_IDLE", "SCHED_RESET_ON_FORK", "sched_setscheduler", "sched_getscheduler",
          "sched_setaffinity", "sched_getaffinity", "sched_param", "sched_getparam", "setpriority", "getpriority",
          "nice", "memfd_create", "pidfd_open", "getuid", "geteuid", "getgid", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW")),
    (select, ("poll",)),
    (time, ("pthread_getcpuclockid",)),
    (socket, ("SO_REUSEPORT", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "CMSG_SPACE")),
)  # fmt: skip


def strip() -> None:
    """Take it all away."""
    import trio.testing  # noqa: F401  -- libraries that need some of it at import

    windows = types.ModuleType("msvcrt")
    windows.LK_LOCK = 1  # type: ignore[attr-defined]
    windows.locking = lambda descriptor, _mode, count: os.lockf(descriptor, os.F_LOCK, count)  # type: ignore[attr-defined]
    sys.modules["msvcrt"] = windows
    real_import = builtins.__import__

    def own_import(name: str, scope: Any = None, *rest: Any, **more: Any) -> Any:
        if name in MODULES and (scope or {}).get("__name__", "").startswith("punktfunk"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real_import(name, scope, *rest, **more)

    builtins.__import__ = own_import
    real_open = pathlib.Path.open

    def own_open(self: pathlib.Path, *arguments: Any, **options: Any) -> Any:
        # What CPU this is stays known: kernels are kept by it, and would be compiled anew.
        if str(self).startswith(("/proc/", "/sys/")) and str(self) != "/proc/cpuinfo":
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return real_open(self, *arguments, **options)

    pathlib.Path.open = own_open  # type: ignore[method-assign]
    for module, names in ATTRIBUTES:
        for name in names:
            if hasattr(module, name):
                delattr(module, name)


if __name__ == "__main__":
    strip()
    runpy.run_module("punktfunk", run_name="__main__", alter_sys=True)
