"""When the microphone is on: while the user wishes it, the host allows it, and a session runs."""

from collections.abc import Callable

from punktfunk.control.client.window.microphone import Microphone
from punktfunk.errors import EnvironmentProblem


class Voice:
    """For the main thread. ``say`` shows a line to the user; ``failed`` is called by any thread."""

    def __init__(
        self,
        send: Callable[[int, int, bytes], None],
        say: Callable[[str], None],
        failed: Callable[[BaseException], None],
        *,
        wanted: bool,
    ) -> None:
        self._send = send
        self._failed = failed
        self._say = say
        self._wanted = wanted
        self._allowed: bool | None = None  # None: no session
        self._sequence = 0
        self._microphone: Microphone | None = None

    def begin(self, *, allowed: bool) -> None:
        """Begin a session, or change what it allows."""
        self._allowed = allowed
        self._settle()

    def end(self) -> None:
        """End the session."""
        self._allowed = None
        self._settle()

    def toggle(self) -> None:
        """Turn the microphone on or off, by the user's wish."""
        self._wanted = not self._wanted
        if self._allowed is None:
            self._say("Microphone on, once there is a session" if self._wanted else "Microphone off")
        self._settle()

    def _settle(self) -> None:
        if self._wanted and self._allowed is False:
            self._say("The host does not allow the microphone")
        wanted = self._wanted and bool(self._allowed)
        if wanted and self._microphone is None:
            try:
                self._microphone = Microphone(self._send, self._failed, self._sequence)
            except EnvironmentProblem as problem:
                self._wanted = False
                self._say(f"No microphone: {problem}")
                return
            self._say("Microphone on")
        elif not wanted and self._microphone is not None:
            self._microphone.stop()
            self._sequence = self._microphone.sequence
            self._microphone = None
            self._say("Microphone off")
