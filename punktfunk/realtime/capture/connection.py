"""A Wayland connection for one realtime thread: poll, read, dispatch, never wait without a bound.

Everything that ``wl_display_roundtrip`` and friends would block for is done here with a deadline, because a
compositor that hangs must not hang the thread with it.
"""

import select
import socket
import time
from typing import Any

from pywayland.protocol.wayland import WlOutput

from punktfunk.errors import EnvironmentProblem
from punktfunk.wayland_display import open_display

CONNECT_S = 5.0
ROUNDTRIP_NS = 5_000_000_000
OUTPUT_VERSION = 4
"""wl_output names itself since version 4 (wayland.xml); wlroots 0.15 and later have it."""


class Connection:
    """The display, its globals by interface name, and its outputs by their own name."""

    def __init__(self, socket_path: str) -> None:
        """Connect; EnvironmentProblem if nobody listens. Call :meth:`discover` next."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(CONNECT_S)
                sock.connect(socket_path)
                sock.settimeout(None)
                self._display = open_display(sock.detach())
        except (OSError, ValueError) as error:
            raise EnvironmentProblem(f"no compositor answers on {socket_path}: {error}") from error
        self._socket_path = socket_path
        self._poll = select.poll()
        self._poll.register(self._display.get_fd(), select.POLLIN)
        self._wake_fd = -1
        self._registry = self._display.get_registry()
        self._registry.dispatcher["global"] = self._on_global
        self._registry.dispatcher["global_remove"] = self._on_global_remove
        self._globals: dict[str, tuple[int, int]] = {}
        self._outputs: dict[int, Any] = {}
        self._names: dict[int, str] = {}

    # pywayland hands every event's object first; a handler must return None and raise nothing.
    def _on_global(self, registry: Any, name: int, interface: str, version: int) -> None:
        if interface != "wl_output":
            self._globals.setdefault(interface, (name, version))
        elif version >= OUTPUT_VERSION:
            output = registry.bind(name, WlOutput, OUTPUT_VERSION)

            def on_name(_output: Any, text: str) -> None:
                self._names[name] = text

            output.dispatcher["name"] = on_name
            self._outputs[name] = output

    def _on_global_remove(self, _registry: Any, name: int) -> None:
        self._names.pop(name, None)  # the proxy stays: copies of that output may still be under way

    def discover(self) -> None:
        """Learn the globals, then what the bound outputs are called."""
        self.roundtrip()
        self.roundtrip()

    def offers(self, interface: Any) -> bool:
        """Tell whether the compositor has a global of that interface."""
        return interface.name in self._globals

    def bind(self, interface: Any) -> Any:
        """Bind a global at the highest version that both sides know."""
        name, version = self._globals[interface.name]
        return self._registry.bind(name, interface, min(version, interface.version))

    def output(self, wanted: str) -> Any | None:
        """Return the output of that name, or None."""
        return next((self._outputs[key] for key, name in self._names.items() if name == wanted), None)

    def output_names(self) -> list[str]:
        """List the outputs that there are now."""
        return sorted(self._names.values())

    def roundtrip(self) -> None:
        """Wait until the compositor has handled every request so far; EnvironmentProblem if it does not."""
        done: list[int] = []
        callback = self._display.sync()

        def on_done(_callback: Any, serial: int) -> None:
            done.append(serial)

        callback.dispatcher["done"] = on_done
        deadline_ns = time.monotonic_ns() + ROUNDTRIP_NS
        while not done:
            if time.monotonic_ns() >= deadline_ns:
                raise EnvironmentProblem(f"the compositor on {self._socket_path} does not answer")
            self.pump(deadline_ns, -1)
        callback.destroy()

    def flush(self) -> None:
        """Send what is queued, as far as the socket takes it."""
        self._display.flush()

    def pump(self, deadline_ns: int, wake_fd: int) -> bool:
        """Handle events until some came, the deadline passed, or ``wake_fd`` (-1: none) became readable.

        Returns True if ``wake_fd`` is readable. Raises EnvironmentProblem when the compositor is gone.
        """
        if wake_fd != self._wake_fd:
            if self._wake_fd >= 0:
                self._poll.unregister(self._wake_fd)
            if wake_fd >= 0:
                self._poll.register(wake_fd, select.POLLIN)
            self._wake_fd = wake_fd
        try:
            if self._display.dispatch(block=False) > 0:
                return False
            self._display.flush()
            left_ns = max(0, deadline_ns - time.monotonic_ns())
            ready = dict(self._poll.poll(-(-left_ns // 1_000_000)))
            if self._display.get_fd() in ready:
                self._display.read()
                self._display.dispatch(block=False)
        except RuntimeError as error:
            raise EnvironmentProblem(
                f"the compositor on {self._socket_path} closed the connection: {error}"
            ) from error
        return wake_fd in ready

    def close(self) -> None:
        """Disconnect. Without it the interpreter crashes at exit: proxies outlive the library's state."""
        self._registry.destroy()
        self._display.disconnect()
