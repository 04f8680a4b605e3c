"""A connection to a PipeWire daemon: what is there (registry), what is chosen (metadata), when it ends."""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.pipewire.library import (
    dictionary,
    ffi,
    library,
    new_properties,
    read_dictionary,
    text,
)
from punktfunk.realtime.pipewire.loop import Loop

CONNECT_S: Final = 5.0
ROUNDTRIP_NS: Final = 5_000_000_000
NODE: Final = "PipeWire:Interface:Node"
METADATA: Final = "PipeWire:Interface:Metadata"
CLIENT: Final = "PipeWire:Interface:Client"
_CORE_ID: Final = 0
_VERSION: Final = 3
"""PW_VERSION_CORE, _REGISTRY, _NODE, _METADATA are all 3."""

DAEMON_HINT: Final = (
    "Start the user services pipewire and wireplumber (systemctl --user start pipewire wireplumber), "
    "or install them: both packages have these names in every distribution."
)


@dataclass(frozen=True, slots=True)
class Global:
    """One object of the daemon."""

    id: int
    type: str
    version: int
    properties: dict[str, str]

    @property
    def name(self) -> str:
        """The node's or metadata object's name; empty where it has none."""
        return self.properties.get("node.name") or self.properties.get("metadata.name", "")

    @property
    def serial(self) -> int:
        """The object's serial, which is never used again as ids are; -1 where the daemon tells none."""
        number = self.properties.get("object.serial", "")
        return int(number) if number.isdecimal() else -1


def default_socket(environment: "os._Environ[str] | dict[str, str]" = os.environ) -> str:
    """Tell where this user's daemon listens, as libpipewire looks for it (module-protocol-native)."""
    name = environment.get("PIPEWIRE_REMOTE") or "pipewire-0"
    if name.startswith("/"):
        return name
    folders = [environment.get(key) for key in ("PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR")]
    folder = next((found for found in folders if found), f"/run/user/{os.getuid()}")
    return str(Path(folder) / name)


class Core:
    """One connection, open from construction to ``close``. Streams on it must be closed before.

    remote      path of the daemon's socket; empty: this user's own
    remote_fd   a connection that somebody else opened, such as a portal; it is duplicated. -1: none
    properties  of our client, such as application.name

    EnvironmentProblem where nobody answers.
    """

    def __init__(
        self,
        loop: Loop,
        remote: str = "",
        remote_fd: int = -1,
        properties: dict[str, str] | None = None,
    ) -> None:
        self.loop = loop
        self.globals: dict[int, Global] = {}
        self.refusals: dict[int, str] = {}  # proxy id: the daemon's last error about it
        self._gone = ""
        self._done_seq = -1
        self._kept: list[Any] = []
        self._watchers: list[tuple[Callable[[Global], None], Callable[[Global], None]]] = []
        self._registry: Any = ffi.NULL
        self.pointer: Any = ffi.NULL
        fd = os.dup(remote_fd) if remote_fd >= 0 else _dial(remote or default_socket())
        lib = library()
        words = {"application.name": "punktfunk"} | (properties or {})
        self._context = lib.pw_context_new(loop.pointer, new_properties(words), 0)
        if self._context == ffi.NULL:
            problem = os.strerror(ffi.errno)
            os.close(fd)
            raise EnvironmentProblem(
                f"libpipewire cannot be set up: {problem}",
                hint="Its client.conf or its modules are missing: install the package pipewire.",
            )
        self.pointer = lib.pw_context_connect_fd(self._context, fd, ffi.NULL, 0)  # closes fd in any case
        if self.pointer == ffi.NULL:
            problem = os.strerror(ffi.errno)
            self.close()
            raise EnvironmentProblem(f"PipeWire refuses the connection: {problem}", hint=DAEMON_HINT)
        self._methods = ffi.cast("struct pw_core_methods *", self.pointer.cb.funcs)
        events = ffi.new("struct pw_core_events *")
        events.done = self.callback("void(void *, uint32_t, int)", self._on_done)
        events.error = self.callback("void(void *, uint32_t, int, int, const char *)", self._on_error)
        self.listen(self._methods.add_listener, self.pointer.cb.data, events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def gone(self) -> str:
        """Why the connection ended; empty while it stands."""
        return self._gone

    def check(self) -> None:
        """Raise EnvironmentProblem once the daemon is gone."""
        if self._gone:
            raise EnvironmentProblem(f"PipeWire ended the connection: {self._gone}", hint=DAEMON_HINT)

    def roundtrip(self, timeout_ns: int = ROUNDTRIP_NS) -> None:
        """Wait until the daemon has handled everything so far; EnvironmentProblem if it does not in time."""
        wanted = self._methods.sync(self.pointer.cb.data, _CORE_ID, 0)
        deadline_ns = time.monotonic_ns() + timeout_ns
        while self._done_seq != wanted:
            self.check()
            if time.monotonic_ns() >= deadline_ns:
                raise EnvironmentProblem("PipeWire does not answer", hint=DAEMON_HINT)
            self.loop.pump(deadline_ns)

    def watch(
        self,
        added: Callable[[Global], None] = lambda _global: None,
        removed: Callable[[Global], None] = lambda _global: None,
    ) -> None:
        """Keep ``globals`` up to date and tell what comes and goes. Complete after a roundtrip."""
        self._watchers.append((added, removed))
        if self._registry != ffi.NULL:
            for known in list(self.globals.values()):
                added(known)
            return
        self._registry = self._methods.get_registry(self.pointer.cb.data, _VERSION, 0)
        self._registry_methods = ffi.cast("struct pw_registry_methods *", self._registry.cb.funcs)
        events = ffi.new("struct pw_registry_events *")
        setattr(
            events,
            "global",
            self.callback(
                "void(void *, uint32_t, uint32_t, const char *, uint32_t, const struct spa_dict *)",
                self._on_global,
            ),
        )
        events.global_remove = self.callback("void(void *, uint32_t)", self._on_global_remove)
        self.listen(self._registry_methods.add_listener, self._registry.cb.data, events)

    def find(self, kind: str, name: str) -> Global | None:
        """Find an object by interface type and name among those that ``watch`` saw."""
        return next(
            (known for known in self.globals.values() if known.type == kind and known.name == name), None
        )

    def bind(self, known: Global) -> Any:
        """Get the proxy of an object, a ``struct spa_interface *``, which ends with the connection."""
        bound = self._registry_methods.bind(
            self._registry.cb.data, known.id, known.type.encode(), min(known.version, _VERSION), 0
        )
        if bound == ffi.NULL:
            raise EnvironmentProblem(f"PipeWire gives no access to {known.type} {known.id}")
        return bound

    def link(self, output_node: int, input_node: int) -> Any:
        """Link all ports of two nodes, for daemons without a session manager; lives with the connection."""
        words, kept = dictionary({"link.output.node": str(output_node), "link.input.node": str(input_node)})
        proxy = self._methods.create_object(
            self.pointer.cb.data, b"link-factory", b"PipeWire:Interface:Link", _VERSION, words, 0
        )
        del kept
        return proxy

    def callback(self, signature: str, function: Callable[..., Any]) -> Any:
        """Make a C function of a method; what it raises comes out of ``Loop.iterate``."""
        made = ffi.callback(signature, function, onerror=self.loop.caught)
        self._kept.append(made)
        return made

    def listen(self, add_listener: Any, subject: Any, events: Any) -> Any:
        """Add a listener whose structures live as long as the connection; return its hook."""
        hook = ffi.new("struct spa_hook *")
        self._kept += [hook, events]
        add_listener(subject, hook, events, ffi.NULL)
        return hook

    def close(self) -> None:
        """Disconnect. Harmless when done before."""
        lib = library()
        pointer, self.pointer = self.pointer, ffi.NULL
        if pointer != ffi.NULL:
            lib.pw_core_disconnect(pointer)
        context, self._context = self._context, ffi.NULL
        if context != ffi.NULL:
            lib.pw_context_destroy(context)
        self._registry = ffi.NULL
        self._kept.clear()
        self._watchers.clear()

    def _on_done(self, _data: Any, _identity: int, seq: int) -> None:
        self._done_seq = seq

    def _on_error(self, _data: Any, identity: int, _seq: int, result: int, message: Any) -> None:
        words = text(message) or os.strerror(-result)
        self.refusals[identity] = words
        if identity == _CORE_ID and result == -32:  # EPIPE: the other end hung up
            self._gone = words

    def _on_global(
        self, _data: Any, identity: int, _permissions: int, kind: Any, version: int, properties: Any
    ) -> None:
        known = Global(identity, text(kind), version, read_dictionary(properties))
        self.globals[identity] = known
        for added, _removed in list(self._watchers):
            added(known)

    def _on_global_remove(self, _data: Any, identity: int) -> None:
        known = self.globals.pop(identity, None)
        if known is not None:
            for _added, removed in list(self._watchers):
                removed(known)


class Metadata:
    """A metadata object of the daemon, such as ``default``, which names the default sink and source.

    ``properties`` maps (subject, key) to (type, value) and is complete after a roundtrip.
    """

    def __init__(
        self, core: Core, known: Global, changed: Callable[[int, str, str], None] = lambda *_change: None
    ) -> None:
        self.properties: dict[tuple[int, str], tuple[str, str]] = {}
        self._changed = changed
        self._proxy = core.bind(known)
        self._methods = ffi.cast("struct pw_metadata_methods *", self._proxy.cb.funcs)
        events = ffi.new("struct pw_metadata_events *")
        events.property = core.callback(
            "int(void *, uint32_t, const char *, const char *, const char *)", self._on_property
        )
        core.listen(self._methods.add_listener, self._proxy.cb.data, events)

    def set(self, subject: int, key: str, kind: str, value: str | None) -> None:
        """Set a property; None removes it.

        The default sink is (0, "default.configured.audio.sink", "Spa:String:JSON", '{"name": "..."}').
        """
        self._methods.set_property(
            self._proxy.cb.data,
            subject,
            key.encode(),
            kind.encode() if kind else ffi.NULL,
            ffi.NULL if value is None else value.encode(),
        )

    def _on_property(self, _data: Any, subject: int, key: Any, kind: Any, value: Any) -> int:
        if key == ffi.NULL:  # everything of this subject is removed
            for known in [known for known in self.properties if known[0] == subject]:
                del self.properties[known]
            self._changed(subject, "", "")
            return 0
        name = text(key)
        if value == ffi.NULL:
            self.properties.pop((subject, name), None)
        else:
            self.properties[subject, name] = (text(kind), text(value))
        self._changed(subject, name, text(value))
        return 0


def _dial(path: str) -> int:
    """Connect to a daemon's socket; EnvironmentProblem if nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(CONNECT_S)
            sock.connect(path)
            sock.settimeout(None)
            sock.setblocking(False)  # noqa: FBT003 - the socket module's own spelling
            return sock.detach()
    except OSError as error:
        reason = error.strerror or str(error)
        raise EnvironmentProblem(
            f"no PipeWire daemon answers on {path}: {reason}", hint=DAEMON_HINT
        ) from error
