"""A connection to PulseAudio: questions with an answer, modules, defaults, streams. For one thread."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from punktfunk.errors import EnvironmentProblem
from punktfunk.realtime.pulse.library import (
    CONTEXT_FAILED,
    CONTEXT_READY,
    INVALID,
    NO_AUTOSPAWN,
    ffi,
    library,
    text,
)

ANSWER_NS: Final = 5_000_000_000
STEP_US: Final = 20_000


class ServerInformation(NamedTuple):
    """Who serves, and its default devices."""

    name: str
    """"pulseaudio", or "PulseAudio (on PipeWire 1.4.2)"."""
    default_sink: str
    default_source: str


class PulseConnection:
    """Open from construction to ``close``; EnvironmentProblem where nobody answers."""

    def __init__(self, socket_path: str) -> None:
        self._lib = library()
        self._kept: list[Any] = []
        self._loop = self._lib.pa_mainloop_new()
        self.context: Any = self._lib.pa_context_new(self._lib.pa_mainloop_get_api(self._loop), b"punktfunk")
        try:
            self._connect(f"unix:{socket_path}".encode())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self, server: bytes) -> None:
        if self._lib.pa_context_connect(self.context, server, NO_AUTOSPAWN, ffi.NULL) < 0:
            raise self.problem("PulseAudio cannot be reached")
        self.wait(lambda: self._lib.pa_context_get_state(self.context) == CONTEXT_READY, "answer")

    def problem(self, what: str) -> EnvironmentProblem:
        """Word a refusal."""
        said = text(self._lib.pa_strerror(self._lib.pa_context_errno(self.context)))
        return EnvironmentProblem(
            f"{what}: {said}", hint="Is pulseaudio running? systemctl --user start pulseaudio"
        )

    def step(self, timeout_us: int = STEP_US) -> None:
        """Handle what is there, after waiting for it; EnvironmentProblem once the server is gone."""
        lib = self._lib
        if lib.pa_mainloop_prepare(self._loop, timeout_us) < 0 or lib.pa_mainloop_poll(self._loop) < 0:
            raise EnvironmentProblem("libpulse failed to wait")
        lib.pa_mainloop_dispatch(self._loop)
        if lib.pa_context_get_state(self.context) >= CONTEXT_FAILED:
            raise self.problem("PulseAudio ended the connection")

    def wait(self, is_done: Callable[[], bool], what: str) -> None:
        """Wait for an answer; EnvironmentProblem if it does not come in time."""
        deadline_ns = time.monotonic_ns() + ANSWER_NS
        while not is_done():
            if time.monotonic_ns() >= deadline_ns:
                raise EnvironmentProblem(f"PulseAudio does not {what}")
            self.step()

    def load_module(self, name: str, arguments: str) -> int:
        """Load a module and return its index; EnvironmentProblem if the server has or takes none."""
        index = self._ask(
            "void(void *, uint32_t, void *)",
            lambda call: self._lib.pa_context_load_module(
                self.context, name.encode(), arguments.encode(), call, ffi.NULL
            ),
            lambda found, *_rest: int(found),
        )
        if index == INVALID:
            raise self.problem(f"PulseAudio does not load {name}")
        return int(index)

    def unload_module(self, index: int) -> None:
        """Unload a module; one that is gone is fine."""
        self._do(lambda call: self._lib.pa_context_unload_module(self.context, index, call, ffi.NULL))

    def modules(self) -> dict[int, str]:
        """List modules: index and arguments."""
        found: dict[int, str] = {}
        ended: list[bool] = []

        def take(_context: Any, module: Any, end: int, _data: Any) -> None:
            if end:
                ended.append(True)
            else:
                found[module.index] = text(module.argument)

        call = ffi.callback("void(void *, const pa_module_info *, int, void *)", take)
        self._begin(self._lib.pa_context_get_module_info_list(self.context, call, ffi.NULL))
        self.wait(lambda: bool(ended), "list its modules")
        return found

    def information(self) -> ServerInformation:
        """Tell who serves, and the defaults."""
        names: list[ServerInformation] = []

        def take(_context: Any, info: Any, _data: Any) -> None:
            names.append(
                ServerInformation(
                    text(info.server_name), text(info.default_sink_name), text(info.default_source_name)
                )
            )

        call = ffi.callback("void(void *, const pa_server_info *, void *)", take)
        self._begin(self._lib.pa_context_get_server_info(self.context, call, ffi.NULL))
        self.wait(lambda: bool(names), "tell its name")
        return names[0]

    def set_default(self, name: str, *, source: bool) -> None:
        """Set the default sink or source; one that does not exist is refused silently."""
        change = self._lib.pa_context_set_default_source if source else self._lib.pa_context_set_default_sink
        self._do(lambda call: change(self.context, name.encode(), call, ffi.NULL))

    def close(self) -> None:
        """Disconnect. Harmless when done before."""
        context, self.context = self.context, ffi.NULL
        if context != ffi.NULL:
            self._lib.pa_context_disconnect(context)
            self._lib.pa_context_unref(context)
        loop, self._loop = self._loop, ffi.NULL
        if loop != ffi.NULL:
            self._lib.pa_mainloop_free(loop)
        self._kept.clear()

    def _do(self, begin: Callable[[Any], Any]) -> None:
        self._ask("void(void *, int, void *)", begin, lambda success, *_rest: bool(success))

    def _ask(self, signature: str, begin: Callable[[Any], Any], read: Callable[..., Any]) -> Any:
        answers: list[Any] = []

        def take(_context: Any, *values: Any) -> None:
            answers.append(read(*values))

        call = ffi.callback(signature, take)
        self._begin(begin(call))
        self.wait(lambda: bool(answers), "answer")
        return answers[0]

    def _begin(self, operation: Any) -> None:
        if operation == ffi.NULL:
            raise self.problem("PulseAudio refuses a question")
        self._lib.pa_operation_unref(operation)
