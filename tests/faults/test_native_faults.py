"""A host of punktfunk/1 in a process of its own, the product's client in another, and something that breaks. After
each fault nothing is left over, and the host streams again.
"""

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from leftovers import short_folder
from native_host import NativeHost
from sway_session import needs_sway

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def host() -> Iterator[NativeHost]:
    with short_folder() as folder, NativeHost(folder) as running:
        running.settle()
        yield running


def recover(host: NativeHost) -> None:
    """What must be true after every fault."""
    host.begin()
    host.stream_once()
    host.assert_nothing_left()
    assert not any("Traceback" in line for line in host.lines.seen), host.lines.seen


@pytest.mark.slow
def test_a_client_that_is_killed_comes_back(host: NativeHost) -> None:
    host.begin()
    with host.streaming() as client:
        client.process.kill()
        client.process.wait(5)
        # The same device again, long before its old connection has timed out.
        recover(host)


def test_an_encoder_that_fails(host: NativeHost) -> None:
    host.begin()
    with host.streaming() as client:
        with host.broken_by("encoder-error"):
            assert "failed at frame" in host.hear("ended (", 10)
        assert client.process.wait(15) == 1
    recover(host)


@pytest.mark.slow
@needs_sway[0]
@needs_sway[1]
def test_a_compositor_that_is_killed() -> None:
    with short_folder() as folder, NativeHost(folder, display="sway") as host:
        host.settle()
        host.begin()
        with host.streaming() as client:
            (sway,) = [child for child in psutil.Process(host.pid).children() if child.name() == "sway"]
            os.kill(sway.pid, signal.SIGKILL)
            host.hear("ended (", 15)
            client.process.kill()
        recover(host)


def test_sigterm_in_the_middle_of_a_stream(host: NativeHost) -> None:
    """The last test of this host: it ends here."""
    host.begin()
    with host.streaming():
        began_s = time.monotonic()
        children = psutil.Process(host.pid).children(recursive=True)
        assert host.stop() == 0
        assert time.monotonic() - began_s < 10
        assert not [child for child in children if child.is_running()]
        assert any("ended (" in line for line in host.lines.seen[host.said :])
        assert not any("Traceback" in line for line in host.lines.seen), host.lines.seen
        assert not list((host.folder / "run").rglob("*.json"))
