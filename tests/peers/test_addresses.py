"""Over IPv6, and over IPv4 to a host that is bound to all addresses: pictures, sound and input take the same way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Client, Host, paired
from pictures import check_pictures, desktop, no_gaps

from punktfunk.control.sockets import has_ipv6

pytestmark = [
    pytest.mark.peer,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not has_ipv6(), reason="this kernel has no IPv6"),
]


@pytest.fixture(scope="module", params=["::1", "::"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host on the IPv6 loopback, and one on every address."""
    with Host(tmp_path_factory.mktemp("host"), address=request.param) as running:
        yield running


def stream(client: Client, url: str) -> None:
    answer = client.stream(desktop(client), width=640, height=360, fps=30)
    assert answer["url"] == url
    client.calls(["LiSendMouseMoveEvent", 3, 4])
    client("wait", frames=30, seconds=5)
    report = client("report")
    check_pictures(report, at_least=30, width=640, height=360)
    no_gaps(report)
    assert report["audio_packets"] > 10
    assert report["terminated"] is None
    client("stop")
    client("quit")


def test_stream(host: Host, tmp_path: Path) -> None:
    addresses = {"::1": ["::1"], "::": ["::1", "127.0.0.1"]}[host.address]
    with paired(tmp_path, host, address=addresses[0]):
        pass
    for address in addresses:
        bracketed = f"[{address}]" if ":" in address else address
        with Client(tmp_path / "client", host, address) as client:
            stream(client, f"rtspenc://{bracketed}:{host.port + 21}")
        host.lines.wait_for(f"to client at {address}", 5)
        assert "input events" in host.lines.wait_for("ended (the client left)", 10)
