"""Pictures through losses: a relay between a stock core and the host drops datagrams, and parity repairs them.

Each packet size, in clear and encrypted, is one stream that goes through every kind of loss in turn.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import AlteredHost, Client, Host, paired
from pictures import check_pictures, desktop, missing
from relay import Drop, OneOfEachFrame, Relay, at_random, bursts, kernel_drops, nothing

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

RELAY_ADDRESS = "127.0.0.2"
ATTEMPTS = 3


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host whose frames need many datagrams: the plain test card fits in one."""
    with AlteredHost(tmp_path_factory.mktemp("host"), ALTERED_PICTURE="busy") as running:
        yield running


@pytest.fixture(scope="module")
def identity_folder(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A client that is paired with the host and reaches it by the relay's address."""
    folder = tmp_path_factory.mktemp("clients")
    with paired(folder, host, "paired"):
        pass
    return folder / "paired"


@pytest.fixture(params=["plain", "encrypted"])
def relay(host: Host, request: pytest.FixtureRequest) -> Iterator[Relay]:
    with Relay(host.address, RELAY_ADDRESS, host.port, encrypted=request.param == "encrypted") as running:
        yield running


@pytest.fixture
def client(host: Host, relay: Relay, identity_folder: Path) -> Iterator[Client]:
    with Client(identity_folder, host, relay.relay) as running:
        yield running
        relay.drop = nothing
        running("stop")
        running("quit")


def lossy(client: Client, relay: Relay, drop: Drop, frames: int) -> list[dict[str, Any]]:
    """Let so many frames come with losses, then enough without to know what became of the last of them."""
    first = client("report")["frames"][-1]["frame"]
    relay.drop = drop
    came = client("wait", frames=frames, seconds=12)
    relay.drop = nothing
    client("wait", frames=10, seconds=6)
    assert came["terminated"] is None
    assert came["frames"] >= frames // 2, came
    return [f for f in client("report")["frames"] if f["frame"] > first]


def all_repaired(client: Client, relay: Relay, drop: Drop, frames: int) -> None:
    """Every frame must arrive through these losses: 20 % of parity is more than they take.

    On a busy machine sockets overflow, too; the kernel counts that, and then the losses were not only ours, so
    the stretch is tried again.
    """
    for _ in range(ATTEMPTS):
        before = kernel_drops()
        came = lossy(client, relay, drop, frames)
        gone = {index: (relay.seen[index], relay.lost[index]) for index in missing(came)}
        if not gone or kernel_drops() == before:
            break
    assert not gone, f"frames never arrived; datagrams seen and lost by the relay: {gone}"


@pytest.mark.parametrize("packet_size", [1392, 1360, 1024, 992])
def test_losses(client: Client, relay: Relay, packet_size: int) -> None:
    client.stream(
        desktop(client),
        bitrate_kbps=20_000,
        packet_size=packet_size,
        encryption=-1 if relay.encrypted else 0,
        rtsp_encrypted=relay.encrypted,
    )

    each = OneOfEachFrame()
    for _ in range(4):  # an index waits for a frame that is large enough, which may take longer
        all_repaired(client, relay, each, 90)
        usual = each.usual_total
        if each.dropped_ordinals >= set(range(usual)):
            break
    assert usual > 10, "the picture is too small to prove anything"
    assert each.dropped_ordinals >= set(range(usual)), "some shard index was never lost"

    relay.dropped = 0
    all_repaired(client, relay, at_random(0.01, seed=packet_size), 75)
    assert relay.dropped > 0

    for drop in (at_random(0.05, seed=packet_size), bursts(0.05, run=6, seed=packet_size)):
        relay.dropped = 0
        lossy(client, relay, drop, 30)
        assert relay.dropped > 0

    # Whatever was lost for good: no frame that was delivered is damaged, and the stream goes on.
    check_pictures(client("report"), at_least=120, late=15)
