"""Our nodes in PulseAudio, which knows no nodes of clients: null sinks of the server's, and streams to them.

    sink        module-null-sink, and a stream that records its monitor
    microphone  module-null-sink and module-remap-source of its monitor, and a stream that plays into the sink
    playback    a stream that plays on the target

Modules stay when their client dies: the name of ours in their arguments is what ``forget_node`` finds.
"""

import select
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import SoundNodePlan, SoundRole, SoundServerKind
from punktfunk.realtime.pulse.connection import PulseConnection
from punktfunk.realtime.pulse.library import (
    ADJUST_LATENCY,
    DONT_MOVE,
    FLOAT32_LE,
    INVALID,
    POSITION_NAMES,
    POSITIONS,
    STREAM_FAILED,
    STREAM_READY,
    ffi,
    library,
)

if TYPE_CHECKING:
    from punktfunk.realtime.capture.sample_ring import SampleRing

SAMPLE_BYTES: Final = 4
QUEUED_QUANTA: Final = 4
"""What a stream that plays has queued at the server."""


class PulseVisit:
    """One connection with one node in it; see ``sound_node.Visit``."""

    server = SoundServerKind.PULSE

    def __init__(self, plan: SoundNodePlan, rings: "Sequence[SampleRing]") -> None:
        self._plan = plan
        self._rings = tuple(rings)
        self._stride = SAMPLE_BYTES * plan.channel_count
        self.short_count = 0

    def serve(self, wake_fd: int, is_there: Callable[[], None]) -> None:
        """See ``sound_node.Visit``."""
        with PulseConnection(self._plan.pulse_path) as connection:
            modules: list[int] = []
            stream: Any = ffi.NULL
            try:
                for name, arguments in module_arguments(self._plan):
                    modules.append(connection.load_module(name, arguments))
                stream = self._open_stream(connection)
                is_there()
                pass_on = self._take if self._plan.role is SoundRole.SINK else self._give
                poll = select.poll()
                poll.register(wake_fd, select.POLLIN)
                while not poll.poll(0):
                    connection.step()
                    if library().pa_stream_get_state(stream) >= STREAM_FAILED:
                        raise connection.problem(f"PulseAudio ended {self._plan.name}")
                    pass_on(stream)
            finally:
                _close_stream(stream)
                _unload(connection, reversed(modules))

    def _open_stream(self, connection: PulseConnection) -> Any:
        lib, plan = library(), self._plan
        positions = POSITIONS[plan.channel_count]
        spec = ffi.new("pa_sample_spec *", (FLOAT32_LE, plan.rate_hz, plan.channel_count))
        channels = ffi.new("pa_channel_map *", (plan.channel_count, positions))
        stream = lib.pa_stream_new(connection.context, plan.description.encode(), spec, channels)
        if stream == ffi.NULL:
            raise connection.problem("PulseAudio makes no stream")
        try:
            self._connect(connection, stream)
        except BaseException:
            _close_stream(stream)
            raise
        return stream

    def _connect(self, connection: PulseConnection, stream: Any) -> None:
        lib, plan = library(), self._plan
        quantum = plan.quantum_samples * self._stride
        if plan.role is SoundRole.SINK:
            attributes = ffi.new("pa_buffer_attr *", (INVALID, INVALID, INVALID, INVALID, quantum))
            device = f"{plan.name}.monitor".encode()
            flags = ADJUST_LATENCY | DONT_MOVE
            failed = lib.pa_stream_connect_record(stream, device, attributes, flags)
        else:
            queued = QUEUED_QUANTA * quantum
            attributes = ffi.new("pa_buffer_attr *", (2 * queued, queued, 0, quantum, INVALID))
            target = f"{plan.name}-in" if plan.role is SoundRole.MICROPHONE else plan.target
            device = target.encode() if target else ffi.NULL
            flags = ADJUST_LATENCY | DONT_MOVE
            failed = lib.pa_stream_connect_playback(stream, device, attributes, flags, ffi.NULL, ffi.NULL)
        if failed < 0:
            raise connection.problem("PulseAudio does not connect a stream")
        connection.wait(lambda: lib.pa_stream_get_state(stream) >= STREAM_READY, "connect a stream")

    def _take(self, stream: Any) -> None:
        lib, data, size = library(), ffi.new("const void **"), ffi.new("size_t *")
        while lib.pa_stream_peek(stream, data, size) == 0 and size[0]:
            if data[0] != ffi.NULL:  # a hole has a size and no data
                samples = np.frombuffer(ffi.buffer(data[0], size[0]), np.float32)
                samples = samples.reshape(-1, self._plan.channel_count)
                for ring in self._rings:
                    ring.write(samples, time.monotonic_ns())
            lib.pa_stream_drop(stream)

    def _give(self, stream: Any) -> None:
        lib = library()
        room = lib.pa_stream_writable_size(stream) // self._stride
        if not 0 < room < self._plan.rate_hz:
            return
        taken, _captured_ns = self._rings[0].take(room)
        self.short_count += room - len(taken)
        samples = np.zeros((room, self._plan.channel_count), np.float32)
        samples[: len(taken)] = taken
        lib.pa_stream_write(stream, ffi.from_buffer(samples), samples.nbytes, ffi.NULL, 0, 0)


def module_arguments(plan: SoundNodePlan) -> list[tuple[str, str]]:
    """List the modules that make a node, each with its arguments."""
    if plan.role is SoundRole.PLAYBACK:
        return []
    words = _quoted(plan.description)
    shape = (
        f"rate={plan.rate_hz} channels={plan.channel_count} channel_map={POSITION_NAMES[plan.channel_count]}"
    )
    if plan.role is SoundRole.SINK:
        sink = f"sink_name={plan.name} {shape} sink_properties={words}"
        return [("module-null-sink", sink)]
    inner = f"{plan.name}-in"
    return [
        ("module-null-sink", f"sink_name={inner} {shape} sink_properties={words}"),
        (
            "module-remap-source",
            f"source_name={plan.name} master={inner}.monitor source_properties={words}",
        ),
    ]


def forget_node(socket_path: str, name: str) -> int:
    """Unload the modules of a node whose host died; return how many there were."""
    with PulseConnection(socket_path) as connection:
        wanted = [f"{key}={name}" for key in ("sink_name", "source_name")] + [f"sink_name={name}-in"]
        found = [
            index
            for index, arguments in connection.modules().items()
            if any(word in wanted for word in arguments.split())
        ]
        _unload(connection, reversed(found))
        return len(found)


def _quoted(description: str) -> str:
    """Make the property of a module's arguments, which know no escape for quotes within quotes."""
    plain = "".join(" " if letter in "\"'\\" else letter for letter in description)
    return f"'device.description=\"{plain}\"'"


def _unload(connection: PulseConnection, modules: "Any") -> None:
    for index in modules:
        try:
            connection.unload_module(index)
        except EnvironmentProblem:
            return  # the server is gone, and its modules with it


def _close_stream(stream: Any) -> None:
    if stream != ffi.NULL:
        library().pa_stream_disconnect(stream)
        library().pa_stream_unref(stream)
