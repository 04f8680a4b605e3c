"""One stream: a node of ours that takes (INPUT) or gives (OUTPUT) buffers of video or sound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from types import TracebackType
from typing import Any, Self

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.pipewire.core import Core
from punktfunk.realtime.pipewire.library import ANY_ID, ffi, library, new_properties, text


class Direction(IntEnum):
    """Which way buffers go, seen from us."""

    INPUT = 0
    OUTPUT = 1


class Flags(IntFlag):
    """``enum pw_stream_flags``."""

    AUTOCONNECT = 1 << 0
    INACTIVE = 1 << 1
    MAP_BUFFERS = 1 << 2
    DRIVER = 1 << 3
    RT_PROCESS = 1 << 4
    NO_CONVERT = 1 << 5
    DONT_RECONNECT = 1 << 7
    ALLOC_BUFFERS = 1 << 8


class State(IntEnum):
    """``enum pw_stream_state``."""

    ERROR = -1
    UNCONNECTED = 0
    CONNECTING = 1
    PAUSED = 2
    STREAMING = 3


@dataclass(frozen=True, slots=True)
class Handlers:
    """What a stream tells. All of them run inside ``Loop.iterate``.

    state    the new state, and the reason of an error
    param    a negotiated parameter: its id (``pod.Param``) and POD, None when it was cleared
    process  buffers can be dequeued
    added    a buffer exists from now on; removed: it must not be touched any more
    """

    state: Callable[[State, str], None] = lambda _state, _reason: None
    param: Callable[[int, bytes | None], None] = lambda _id, _param: None
    process: Callable[[], None] = lambda: None
    added: Callable[[Any], None] = lambda _buffer: None
    removed: Callable[[Any], None] = lambda _buffer: None


class Stream:
    """A node of ours, from construction to ``close``. ``connect`` makes it visible to the daemon."""

    def __init__(self, core: Core, name: str, properties: dict[str, str], handlers: Handlers) -> None:
        self._core = core
        self._handlers = handlers
        self._kept: list[Any] = []
        self.state = State.UNCONNECTED
        self.error = ""
        self._pointer = library().pw_stream_new(core.pointer, name.encode(), new_properties(properties))
        if self._pointer == ffi.NULL:
            raise EnvironmentProblem(f"PipeWire makes no stream {name}: errno {ffi.errno}")
        events = ffi.new("struct pw_stream_events *")
        events.version = 2
        events.state_changed = self._callback("void(void *, int, int, const char *)", self._on_state)
        events.param_changed = self._callback("void(void *, uint32_t, const void *)", self._on_param)
        events.add_buffer = self._callback("void(void *, struct pw_buffer *)", self._on_added)
        events.remove_buffer = self._callback("void(void *, struct pw_buffer *)", self._on_removed)
        events.process = self._callback("void(void *)", self._on_process)
        hook = ffi.new("struct spa_hook *")
        self._kept += [events, hook]
        library().pw_stream_add_listener(self._pointer, hook, events, ffi.NULL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def node_id(self) -> int:
        """The node's id in the registry; ANY_ID until the daemon made it."""
        return int(library().pw_stream_get_node_id(self._pointer))

    def connect(
        self, direction: Direction, flags: Flags, params: Sequence[bytes], target: int = ANY_ID
    ) -> None:
        """Offer the formats in ``params`` (PODs) and ask for a link where AUTOCONNECT is set.

        ``target`` is a node's id; a serial or name goes into the property ``target.object`` instead.
        EnvironmentProblem if PipeWire refuses at once.
        """
        array, kept = _params(params)
        result = library().pw_stream_connect(
            self._pointer, int(direction), target, int(flags), array, len(params)
        )
        del kept
        if result < 0:
            raise EnvironmentProblem(f"PipeWire refuses the stream: errno {-result}")

    def update_params(self, params: Sequence[bytes]) -> None:
        """Answer or change parameters: formats again, or buffers and metadata after a format."""
        array, kept = _params(params)
        result = library().pw_stream_update_params(self._pointer, array, len(params))
        del kept
        if result < 0:
            raise EnvironmentProblem(f"PipeWire refuses the stream's parameters: errno {-result}")

    def dequeue(self) -> Any | None:
        """Take a ``struct pw_buffer *``: a filled one of an INPUT, an empty one of an OUTPUT; or None."""
        buffer = library().pw_stream_dequeue_buffer(self._pointer)
        return None if buffer == ffi.NULL else buffer

    def queue(self, buffer: Any) -> None:
        """Give a buffer back, or away."""
        library().pw_stream_queue_buffer(self._pointer, buffer)

    def trigger(self) -> None:
        """Run the graph once; for streams with the flag DRIVER."""
        library().pw_stream_trigger_process(self._pointer)

    def set_active(self, *, active: bool) -> None:
        """Pause or resume."""
        library().pw_stream_set_active(self._pointer, active)

    def close(self) -> None:
        """Take the node away. Harmless when done before."""
        pointer, self._pointer = self._pointer, ffi.NULL
        if pointer != ffi.NULL:
            # Nobody is asked any more what to do about a state that we ourselves end.
            self._handlers = Handlers(removed=self._handlers.removed)
            library().pw_stream_destroy(pointer)
        self._kept.clear()

    def _callback(self, signature: str, function: Callable[..., Any]) -> Any:
        made = ffi.callback(signature, function, onerror=self._core.loop.caught)
        self._kept.append(made)
        return made

    def _on_state(self, _data: Any, _old: int, new: int, reason: Any) -> None:
        self.state, self.error = State(new), text(reason)
        self._handlers.state(self.state, self.error)

    def _on_param(self, _data: Any, identity: int, param: Any) -> None:
        self._handlers.param(identity, _read_pod(param))

    def _on_added(self, _data: Any, buffer: Any) -> None:
        self._handlers.added(buffer)

    def _on_removed(self, _data: Any, buffer: Any) -> None:
        self._handlers.removed(buffer)

    def _on_process(self, _data: Any) -> None:
        self._handlers.process()


def _params(params: Sequence[bytes]) -> tuple[Any, list[Any]]:
    """Make a ``const struct spa_pod **`` and what must live as long."""
    kept = [ffi.from_buffer(param) for param in params]
    return ffi.new("const void *[]", [ffi.cast("void *", buffer) for buffer in kept] or 1), kept


def _read_pod(param: Any) -> bytes | None:
    """Copy a POD out of the library's memory: its first word says how many bytes follow eight of header."""
    if param == ffi.NULL:
        return None
    size = int(ffi.cast("uint32_t *", param)[0])
    return bytes(ffi.buffer(param, 8 + size))
