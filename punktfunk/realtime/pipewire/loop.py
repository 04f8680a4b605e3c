"""The event loop of libpipewire, run by the thread that opens it, and waits that have an end."""

import select
import time
from types import TracebackType
from typing import Any, Self

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.pipewire.library import ffi, library


class Loop:
    """A loop, in use from construction to ``close``. Callbacks of everything on it run in ``iterate``.

    A callback that raises does not break the C code that called it: the first exception is raised again by
    the ``iterate`` that it happened in.
    """

    def __init__(self) -> None:
        """Make and enter it; EnvironmentProblem without the library."""
        lib = library()
        self.pointer: Any = lib.pw_loop_new(ffi.NULL)
        if self.pointer == ffi.NULL:
            raise EnvironmentProblem(f"PipeWire gives no loop: errno {ffi.errno}")
        control = self.pointer.control
        self._methods = ffi.cast("struct spa_loop_control_methods *", control.cb.funcs)
        self._object = control.cb.data
        self._methods.enter(self._object)
        self._raised: BaseException | None = None
        self._poll = select.poll()
        self._poll.register(self.fd, select.POLLIN)
        self._wake_fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def fd(self) -> int:
        """Readable when ``iterate`` has something to do."""
        return int(self._methods.get_fd(self._object))

    def caught(self, _kind: Any, error: BaseException, _trace: Any) -> None:
        """Keep what a callback raised; the ``onerror`` of every callback ends here."""
        self._raised = self._raised or error

    def iterate(self, timeout_ms: int = 0) -> None:
        """Handle what is there, after waiting for it; raises what a callback raised."""
        self._methods.iterate(self._object, timeout_ms)
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised

    def pump(self, deadline_ns: int, wake_fd: int = -1) -> bool:
        """Iterate once something happened, the CLOCK_MONOTONIC deadline passed or ``wake_fd`` is readable.

        Returns True if ``wake_fd`` is readable.
        """
        if wake_fd != self._wake_fd:
            if self._wake_fd >= 0:
                self._poll.unregister(self._wake_fd)
            if wake_fd >= 0:
                self._poll.register(wake_fd, select.POLLIN)
            self._wake_fd = wake_fd
        left_ns = max(0, deadline_ns - time.monotonic_ns())
        ready = dict(self._poll.poll(-(-left_ns // 1_000_000)))
        self.iterate()
        return wake_fd in ready

    def close(self) -> None:
        """Leave and free it; everything on it must be closed before."""
        pointer, self.pointer = self.pointer, ffi.NULL
        if pointer != ffi.NULL:
            self._methods.leave(self._object)
            library().pw_loop_destroy(pointer)
