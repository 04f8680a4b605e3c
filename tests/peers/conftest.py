"""Hosts and clients for the peer tests: one host for each module, so that its start is paid once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Client, Host, paired


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host that shows the test card."""
    with Host(tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.fixture(scope="module")
def identity_folder(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a client that is paired with ``host``; every process on it is that client."""
    folder = tmp_path_factory.mktemp("clients")
    with paired(folder, host, "paired"):
        pass
    return folder / "paired"


@pytest.fixture
def client(host: Host, identity_folder: Path) -> Iterator[Client]:
    """A paired client; whatever it left running is quit at the end."""
    with Client(identity_folder, host) as running:
        yield running
        running("stop")
        running("quit")
