"""Connect, stream, disconnect, for half an hour, and look whether anything grows.

    python scripts/soak.py                              30 minutes on sway, then on GNOME
    python scripts/soak.py --minutes 3 --on sway        shorter, on one
    python scripts/soak.py --json soak.json             also write every reading

A host serves a desktop session of its own with something that moves on it. Clients come one by one, at other
sizes, and leave: most of them properly, every fifth is killed and comes back. Between two clients are read:
descriptors, threads, memory and children of the host; outputs, PipeWire nodes and journal entries of the
session. Counts must end as they began; memory may not have grown by more than GROWTH_KIB over the second
half, by a line through it. A mutter may grow by what it is known to lose itself (MUTTER_LOSES): that is said.

GNOME is that of the machine, or else of the tree of scripts/trixie_chroot. Exit status 1 if anything grew.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPO / "tests"), str(REPO / "tests" / "peers")]

import psutil  # noqa: E402
import trio  # noqa: E402
from connecting import OPEN_HOST, Connecting  # noqa: E402
from gnome_programs import gnome_environment  # noqa: E402
from harness import Host  # noqa: E402

MODES = ("1280x720@60", "800x600@60", "1920x1080@60", "640x360@30")
FRAMES = 60
WARM_CYCLES = 4
GROWTH_KIB = {"host_kib": 12_288, "compositor_kib": 65_536}
"""GNOME Shell collects its garbage when it likes."""
MUTTER_LOSES = 8
"""Bytes for each pixel of a virtual monitor at each change of the monitors: colour, depth and stencil of its
stage view. Seen with mutter 43.8 and 48.7, also where only DisplayConfig.ApplyMonitorsConfig is called."""
MEMORY_READINGS = 24
"""Fewer say nothing of memory: every size of picture and every thread finds its place first."""
SETTLE_S = 10.0
COUNTS = ("descriptors", "threads", "children", "outputs", "nodes", "journal")
SCROLL = "while :; do seq 1 200; sleep 0.02; done"


@contextmanager
def serving(kind: str, folder: Path) -> Iterator[Host]:
    """Run a host with a session of its own; every client's app is a terminal that scrolls."""
    words = json.dumps(["foot", "--fullscreen", "sh", "-c", SCROLL])
    (folder / "config.toml").write_text(f'[[apps]]\nname = "Scroll"\ncommand = {words}\n')
    environment = {"PUNKTFUNK_SESSION": kind, **OPEN_HOST, "XDG_RUNTIME_DIR": str(folder / "run")}
    (folder / "run").mkdir(mode=0o700)
    if kind == "gnome":
        gnome = gnome_environment(folder)
        if gnome is None:
            sys.exit("no GNOME: neither gnome-shell nor the tree of scripts/trixie_chroot is here")
        environment |= gnome
    with Host(folder, display="auto", **environment) as host:
        yield host


def status(host: Host) -> dict[str, Any]:
    """Ask the host as a user does."""
    words = [sys.executable, "-m", "punktfunk", "status", "--json", "--state", str(host.state)]
    done = subprocess.run(words, env=host.environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def read(host: Host, kind: str) -> dict[str, float]:
    """Take all figures, once nobody streams."""
    deadline = time.monotonic() + SETTLE_S
    while (told := status(host))["native"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert host.process is not None
    process = psutil.Process(host.process.pid)
    environment = told["session"]["environment"]
    children = process.children(recursive=True)
    compositor = next(part["pid"] for part in told["session"]["parts"] if part["part"] == "compositor")
    return {
        "descriptors": process.num_fds(),
        "threads": process.num_threads(),
        "children": len(children),
        "outputs": count_outputs(kind, environment),
        "nodes": count_nodes(environment),
        "journal": len(list((host.folder / "run").rglob("journal/*.json"))),
        "host_kib": process.memory_info().rss / 1024,
        "compositor_kib": psutil.Process(compositor).memory_info().rss / 1024,
        "restarts": sum(part["restarts"] for part in told["session"]["parts"]),
    }


def count_outputs(kind: str, environment: dict[str, str]) -> int:
    """Count the outputs that the session's compositor has."""

    async def of_sway() -> int:
        from punktfunk.control.displays.sway_ipc import connect_sway

        async with connect_sway(environment["SWAYSOCK"]) as ipc:
            return len(await ipc.outputs())

    async def of_gnome() -> int:
        from punktfunk.control.displays.mutter.display_config import read_state
        from punktfunk.control.system.dbus_link import open_link

        async with open_link(environment["DBUS_SESSION_BUS_ADDRESS"]) as link:
            return len((await read_state(link)).monitors)

    return trio.run(of_gnome if kind == "gnome" else of_sway)


def count_nodes(environment: dict[str, str]) -> int:
    """Count the nodes of the session's PipeWire."""
    done = subprocess.run(
        ["pw-dump", "Node"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return done.stdout.count('"type": "PipeWire:Interface:Node"')


def one_client(host: Host, number: int, modes: Sequence[str]) -> str:
    """Stream a little; return how it ended."""
    words = ("--mode", modes[number % len(modes)], "--launch", "Scroll", "--bitrate", "8")
    if number % 5 == 4:  # it vanishes, and its device comes back to what it left
        with Connecting(host.folder / "client", host, *words) as client:
            host.lines.wait_for("inhibit", 30)
            client.process.kill()
        return "killed"
    with Connecting(host.folder / "client", host, *words, frames=FRAMES) as client:
        client.finish(60)
    return "left"


def soak(kind: str, minutes: float, modes: Sequence[str]) -> dict[str, Any]:
    """Run clients for so long; return every reading and what grew."""
    readings: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="pf-soak-") as named, serving(kind, Path(named)) as host:
        ends, number = time.monotonic() + minutes * 60, 0
        while time.monotonic() < ends or number < WARM_CYCLES + 6:
            try:
                how = one_client(host, number, modes)
            except (AssertionError, subprocess.TimeoutExpired):
                print(*host.lines.seen[-15:], sep="\n", file=sys.stderr)
                print((host.state / "app.log").read_text()[-1000:], file=sys.stderr)
                raise
            number += 1
            if how == "left" and number > WARM_CYCLES:
                readings.append(read(host, kind) | {"cycle": number})
                print(
                    f"{kind} {number:4}:",
                    *(f"{name} {value:.0f}" for name, value in readings[-1].items()),
                    flush=True,
                )
    lost = lost_by_mutter(modes) if kind == "gnome" else 0.0
    return {"kind": kind, "cycles": number, "readings": readings, "grew": growth(readings, lost)}


def lost_by_mutter(modes: Sequence[str]) -> float:
    """Return the KiB that mutter itself loses with a mean client, whose monitor comes and goes once."""
    sizes = [mode.partition("@")[0].split("x") for mode in modes]
    return statistics.fmean(int(width) * int(height) for width, height in sizes) * MUTTER_LOSES / 1024


def growth(readings: list[dict[str, float]], compositor_lost_kib: float = 0.0) -> list[str]:
    """Say what is more at the end, beyond what the compositor loses with each client."""
    quarter = max(2, len(readings) // 4)
    first, last = readings[:quarter], readings[-quarter:]
    found = []
    for name in COUNTS:
        # The least of a span is what always stays: a descriptor of a reply that is just being sent is none.
        before, after = (min(reading[name] for reading in span) for span in (first, last))
        if after > before:
            found.append(f"{name}: {before:.0f} -> {after:.0f}")
    if len(readings) < MEMORY_READINGS:
        return found
    half = readings[len(readings) // 2 :]
    for name, most_kib in GROWTH_KIB.items():
        slope = statistics.linear_regression(
            [row["cycle"] for row in half], [row[name] for row in half]
        ).slope
        clients = half[-1]["cycle"] - half[0]["cycle"]
        known_kib = compositor_lost_kib if name == "compositor_kib" else 0.0
        if known_kib:
            print(
                f"\n{name}: {slope:+.0f} KiB for each client; mutter itself loses up to {known_kib:.0f}"
                " with its monitor",
            )
        if (slope - known_kib) * clients > most_kib:
            found.append(f"{name}: {slope * clients:+.0f} KiB over {clients:.0f} clients")
    return found


def main() -> int:
    """Soak what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0, help="for each desktop (30)")
    parser.add_argument("--on", default="sway,gnome", help="sway, gnome, or both with a comma between")
    parser.add_argument("--modes", default=",".join(MODES), help=f"what clients ask for ({','.join(MODES)})")
    parser.add_argument("--json", type=Path, help="file for every reading")
    asked = parser.parse_args()
    results = [soak(kind, asked.minutes, asked.modes.split(",")) for kind in asked.on.split(",")]
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1))
    for result in results:
        first, last = result["readings"][0], result["readings"][-1]
        print(f"\n{result['kind']}: {result['cycles']} clients")
        for name in (*COUNTS, "host_kib", "compositor_kib", "restarts"):
            print(f"  {name:<15} {first[name]:9.0f} -> {last[name]:9.0f}")
        print(f"  grew: {', '.join(result['grew']) or 'nothing'}")
    return 1 if any(result["grew"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
