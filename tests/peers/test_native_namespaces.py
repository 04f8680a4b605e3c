"""Two network namespaces with a cable between them: another address than loopback, and a cable that is pulled.

Namespaces of an ordinary user do, where the system allows them; nothing of the machine's network is touched.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import Host
from native_harness import NativeClient, native_port

pytestmark = pytest.mark.peer

NEAR, FAR = "10.99.77.1", "10.99.77.2"
_ROOM = f"""
set -e
ip link set lo up
unshare -n sleep 600 & far=$!
until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.02; done
ip link add pfnear type veth peer name pffar netns $far
ip addr add {NEAR}/24 dev pfnear && ip link set pfnear up
nsenter -t $far -n sh -c 'ip link set lo up; ip addr add {FAR}/24 dev pffar; ip link set pffar up'
echo far $far
wait
"""


@dataclass
class Room:
    """The host's namespace is ``near``, the client's ``far``: pids that are in them."""

    near: int
    far: int

    def enter(self, pid: int) -> tuple[str, ...]:
        return ("nsenter", "-t", str(pid), "-U", "-n", "--preserve-credentials")

    def cable(self, state: str) -> None:
        subprocess.run([*self.enter(self.near), "ip", "link", "set", "pfnear", state], check=True, timeout=5)


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    holder = subprocess.Popen(["unshare", "-Urn", "sh", "-c", _ROOM], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert holder.stdout is not None
    try:
        said = holder.stdout.readline()
        found = re.fullmatch(r"far (\d+)\n", said)
        if not found:
            pytest.skip(f"no network namespaces for this user: {said.strip()}")
        yield Room(holder.pid, int(found[1]))
        subprocess.run(["kill", found[1]], check=False)
    finally:
        holder.kill()
        holder.wait(5)
        holder.stdout.close()


@pytest.fixture(scope="module")
def far_host(room: Room, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("near-host")
    (folder / "run").mkdir(mode=0o700)  # in there the user looks like root, and has no folder of root's
    host = Host(
        folder, address=NEAR, port=28900, PUNKTFUNK_NATIVE_OPEN="true", XDG_RUNTIME_DIR=str(folder / "run")
    )
    host.command = [*room.enter(room.near), *host.command]
    with host:
        yield host


def test_a_stream_crosses_and_clocks_agree(room: Room, far_host: Host, tmp_path: Path) -> None:
    with NativeClient(
        tmp_path, native_port(far_host), address=NEAR, prefix=room.enter(room.far), frames=60
    ) as client:
        (take,) = client.finish()
    assert take["verified"]["ok"]
    assert take["wrong"] == 0
    assert abs(take["clock_offset_ns"]) < take["clock_rtt_ns"]  # both ends read one clock


@pytest.mark.slow
def test_a_pulled_cable_is_waited_for(room: Room, far_host: Host, tmp_path: Path) -> None:
    with NativeClient(
        tmp_path, native_port(far_host), address=NEAR, prefix=room.enter(room.far), frames=120, idle_s=2.0
    ) as client:
        client.wait_for("streaming")
        room.cable("down")
        lost = client.wait_for("said")
        while "trying again" not in lost["text"]:
            lost = client.wait_for("said")
        room.cable("up")
        takes = client.finish()
    assert len(takes) >= 2
    assert takes[-1]["verified"]["ok"]
