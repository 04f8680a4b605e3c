"""An open host of punktfunk/1 that breaks, and the product's client for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connecting import OPEN_HOST, Connecting
from leftovers import FaultyHost, steady_footprint


class NativeHost(FaultyHost):
    """An open host; its clients are processes of the product."""

    def __init__(self, folder: Path, **options: str) -> None:
        super().__init__(folder, **OPEN_HOST, **options)

    def connect(self, frames: int = 0, device: str = "usual") -> Connecting:
        return Connecting(self.clients / device, self, frames=frames)

    @contextmanager
    def streaming(self) -> Iterator[Connecting]:
        """A client that is being streamed to."""
        with self.connect() as client:
            self.hear("inhibit", 20)  # said once its display is there
            yield client

    def stream_once(self) -> None:
        with self.connect(frames=10) as client:
            assert client.finish()["sessions"]

    def settle(self) -> None:
        """Stream once, so that everything lazy is loaded, and take the footprint to come back to."""
        self.stream_once()
        self.footprint = steady_footprint(self)
