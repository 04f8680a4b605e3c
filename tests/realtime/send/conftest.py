"""A sender that runs; also makes `from sender_stream import ...` work here."""

from collections.abc import Iterator

import pytest
from sender_stream import Stream, streaming


@pytest.fixture
def stream() -> Iterator[Stream]:
    with streaming() as running:
        yield running
