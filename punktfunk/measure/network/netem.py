"""A bad network by the kernel's own netem, in a network namespace of ours: nothing of the machine is touched.

Needs root, iproute2, and a kernel with sch_netem. The namespace has a loopback of its own; netem sits on
it, so what sender and receiver of one trial say to each other goes through it once.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from punktfunk.errors import EnvironmentProblem
from punktfunk.measure.network.link import LinkSettings

_MS: Final = 1_000_000
_PATIENCE_S: Final = 10.0
_QUEUE_PACKET_BYTES: Final = 1500
ELSEWHERE: Final = "Use --by sockets, which needs nothing: a process of punktfunk's own does the same."


@contextmanager
def namespace(settings: LinkSettings) -> Iterator[list[str]]:
    """Give the words that run a command in a namespace whose loopback is such a network.

    EnvironmentProblem where this machine cannot.
    """
    check_netem()
    name = f"punktfunk-{os.getpid()}"
    _run(["ip", "netns", "add", name], "a network namespace could not be made")
    try:
        inside = ["ip", "netns", "exec", name]
        _run([*inside, "ip", "link", "set", "lo", "up"], "its loopback did not come up")
        _run(
            [*inside, "tc", "qdisc", "add", "dev", "lo", "root", "netem", *netem_words(settings)],
            "this kernel has no netem (module sch_netem)",
        )
        yield inside
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False, timeout=_PATIENCE_S)


def check_netem() -> None:
    """EnvironmentProblem, with what to do, where netem cannot be used."""
    missing = [tool for tool in ("ip", "tc") if shutil.which(tool) is None]
    if missing:
        raise EnvironmentProblem(
            f"netem needs {' and '.join(missing)}, not installed here",
            hint=f"Install iproute2. {ELSEWHERE}",
        )
    if os.geteuid() != 0:
        raise EnvironmentProblem("netem needs root", hint=f"Run it with sudo. {ELSEWHERE}")


def netem_words(settings: LinkSettings) -> list[str]:
    """Say it in tc's words. Gilbert's model is netem's ``gemodel``; its jitter reorders, ours does not."""
    words = ["delay", f"{settings.delay_ns / _MS:g}ms"]
    if settings.jitter_ns:
        words += [f"{settings.jitter_ns / 2 / _MS:g}ms"]
        words[1] = f"{(settings.delay_ns + settings.jitter_ns / 2) / _MS:g}ms"
    if settings.loss_ppm and settings.burst_packets > 1:
        to_bad = settings.loss_ppm / (settings.burst_packets * (1_000_000 - settings.loss_ppm))
        words += ["loss", "gemodel", f"{100 * to_bad:.5f}%", f"{100 / settings.burst_packets:.4f}%"]
    elif settings.loss_ppm:
        words += ["loss", "random", f"{settings.loss_ppm / 10_000:g}%"]
    if settings.reorder_ppm:
        words += ["reorder", f"{settings.reorder_ppm / 10_000:g}%"]
    if settings.duplicate_ppm:
        words += ["duplicate", f"{settings.duplicate_ppm / 10_000:g}%"]
    if settings.rate_kbps:
        packets = settings.rate_kbps * settings.queue_ns // (8_000_000 * _QUEUE_PACKET_BYTES)
        words += ["rate", f"{settings.rate_kbps}kbit", "limit", str(max(10, packets))]
    else:
        words += ["limit", "100000"]
    return words


def _run(command: Sequence[str], problem: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentProblem(f"{problem}: {error}", hint=ELSEWHERE) from error
    if done.returncode:
        raise EnvironmentProblem(f"{problem}: {done.stderr.strip()}", hint=ELSEWHERE)
