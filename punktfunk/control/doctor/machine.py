"""Realtime scheduling, and the instruction set of the FEC kernels."""

import os
import pwd
import resource
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from punktfunk.control.doctor.finding import Finding, Status
from punktfunk.errors import PunktfunkError

LIMITS_FILE = "/etc/security/limits.d/60-punktfunk.conf"
REALTIMEKIT_PROGRAMS = ("usr/libexec/rtkit-daemon", "usr/lib/rtkit-daemon", "usr/lib/rtkit/rtkit-daemon")
SYSTEM_BUS = "run/dbus/system_bus_socket"

Scheduler = Callable[[int], str]
"""Tries SCHED_FIFO with a priority; an empty text where that worked, else why not."""


def try_fifo(priority: int) -> str:
    """Give a thread of its own SCHED_FIFO and let it end; the caller's policy stays as it is."""
    refusal: list[str] = []

    def body() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
        except OSError as error:
            refusal.append(error.strerror or str(error))

    thread = threading.Thread(target=body, name="pf-doctor")
    thread.start()
    thread.join()
    return "".join(refusal)


def examine_realtime(priority: int, scheduler: Scheduler = try_fifo, root: Path = Path("/")) -> Finding:
    """Say which realtime policy the sending thread would get."""
    if priority == 0:
        return Finding("realtime", Status.OK, "not wanted (realtime_priority = 0)")
    soft, _hard = resource.getrlimit(resource.RLIMIT_RTPRIO)
    limit = "unlimited" if soft == resource.RLIM_INFINITY else str(soft)
    refusal = scheduler(priority)
    if not refusal:
        return Finding("realtime", Status.OK, f"SCHED_FIFO priority {priority} (RLIMIT_RTPRIO {limit})")
    found = f"SCHED_FIFO: {refusal} (RLIMIT_RTPRIO {limit})"
    user = pwd.getpwuid(os.getuid()).pw_name
    remedy = f"echo '{user} - rtprio 60' | sudo tee {LIMITS_FILE}   (then log in again)"
    installed = any((root / program).exists() for program in REALTIMEKIT_PROGRAMS)
    if installed and (root / SYSTEM_BUS).exists():
        return Finding(
            "realtime",
            Status.DEGRADED,
            f"{found}; RealtimeKit will be asked for SCHED_RR",
            "Sending is realtime, but demoted if it computes for too long.",
            remedy,
        )
    return Finding(
        "realtime",
        Status.DEGRADED,
        f"{found}; no RealtimeKit either",
        "Busy programs on the same CPU can delay packets by milliseconds.",
        f"{remedy}\nor install rtkit",
    )


def examine_kernels(
    warm: Callable[[], bool],
    check: Callable[[], object],
    mode: Callable[[], str],
    cache_problems: Callable[[], Sequence[str]] = tuple,
    seal: Callable[[], str] = lambda: "evp",
) -> Finding:
    """Say which instructions FEC and encryption use, and whether the kernels agree with their twins."""
    is_warm = warm()
    if problems := cache_problems():
        return Finding(
            "FEC",
            Status.DEGRADED,
            "; ".join(problems),
            "Every start compiles the kernels again, about a minute.",
            "Make the folder writable for this user, or set XDG_CACHE_HOME to one that is.",
        )
    if not is_warm:
        return Finding(
            "FEC",
            Status.DEGRADED,
            "kernels are not compiled for this machine yet",
            "The first start takes about a minute longer.",
            "punktfunk warm",
        )
    try:
        check()
    except PunktfunkError as error:
        return Finding(
            "FEC",
            Status.MISSING,
            f"kernels fail their self-check ({mode()}): {error}",
            "serve refuses to start.",
            error.hint or "PUNKTFUNK_SIMD=generic punktfunk serve   (and please report it)",
            vital=True,
        )
    found = f"{mode()} kernels, AES-GCM by {seal()}; checked against their twins"
    return Finding("FEC", Status.OK, found)
