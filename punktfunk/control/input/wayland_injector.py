"""What injectors over a Wayland connection share: counting, and what becomes of events that nobody reads."""

from abc import ABC, abstractmethod
from collections import Counter
from typing import Final

from punktfunk.control.displays.wayland import WaylandConnection
from punktfunk.wire.input import InputEvent, MouseMove, MouseMoveAbsolute

BACKLOG_EVENTS: Final = 256
"""How many events are queued for a compositor that does not read; then they are dropped, motion at once."""


class WaylandInjector(ABC):
    """Counts events, and releases everything once a compositor that lost some reads again.

    ``dropped`` are events that came while the compositor did not read.
    """

    def __init__(self, connection: WaylandConnection) -> None:
        self.injected: Counter[str] = Counter()
        self.unsupported: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._connection = connection
        self._backlog_count = 0
        self._lost_state = False
        connection.on_recovered = self._recover

    def inject(self, event: InputEvent) -> None:
        """Make one event real, or count why not."""
        kind = type(event).__name__
        if not self._has_room(event):
            self.dropped[kind] += 1
        elif self._dispatch(event):
            self.injected[kind] += 1
            self._connection.flush()
        else:
            self.unsupported[kind] += 1

    def _has_room(self, event: InputEvent) -> bool:
        if not self._connection.alive:
            return False
        if not self._connection.stalled:
            self._backlog_count = 0
            return True
        if isinstance(event, MouseMove | MouseMoveAbsolute):
            return False
        self._backlog_count += 1
        self._lost_state = self._lost_state or self._backlog_count > BACKLOG_EVENTS
        return self._backlog_count <= BACKLOG_EVENTS

    def _recover(self) -> None:
        """Release everything after events were lost: one of them may have been a release."""
        if self._lost_state:
            self._lost_state = False
            self.release_all()

    @abstractmethod
    def _dispatch(self, event: InputEvent) -> bool:
        """Queue what an event asks for; False where no device can do it."""

    @abstractmethod
    def release_all(self) -> None:
        """Release everything that is held."""
