"""A whole session of punktfunk/1: the host in one process, a client in another, and what lies between them.

The host is `punktfunk serve` and the client `punktfunk connect` without a window, both as users have them
(`measure.session_ends` starts them). Ages of frames begin with the stamp that the host gave them, moved to
the client's clock by the protocol's own rounds; those are measured here too, where the true answer is known,
because both ends have one clock.

Beside a stream, a thread of this process sleeps to ticks of the same rate: how late it wakes is the control.
What is late there as well, the machine held up.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from punktfunk import realtime
from punktfunk.errors import EnvironmentProblem
from punktfunk.measure import session_ends as ends
from punktfunk.measure import session_units
from punktfunk.measure.floors import SESSION, judged
from punktfunk.measure.options import SessionOptions
from punktfunk.measure.paired import F64, Row, single
from punktfunk.measure.steps import Benchmark, Step

_STANDARD: Final = SessionOptions()
_HZ: Final = session_units.MODE.refresh_millihertz // 1000
_MODE: Final = (1280, 720, 120_000)
_CARD: Final = (1280, 720, 60_000)
_MODES: Final = ((1920, 1080, 60_000), (1280, 720, 120_000), (640, 360, 60_000), (1280, 720, 60_000))
_INPUT_HZ: Final = 250
_FLOODS: Final = (("no flood", ""), ("flood of another port", "elsewhere"), ("flood of handshakes", "hello"))
_NOBODY: Final = 9  # the discard service's port: nobody listens there


def benchmark(options: SessionOptions) -> Benchmark:
    """Measure everything, each step with a host and a client of its own."""
    if not realtime.is_warm():
        raise EnvironmentProblem(
            "kernels are not compiled yet, and compiling would be measured",
            hint="Run `punktfunk warm` first.",
        )
    row = partial(_row, options)
    return Benchmark(
        (
            Step("capture to reassembled", lambda: _reassembled_rows(options, row)),
            Step("mode changes", lambda: _mode_rows(options, row)),
            Step("clock offset", lambda: _clock_rows(options, row)),
            Step("input", lambda: _input_rows(options, row)),
            Step("beside a flood of handshakes", lambda: _flood_rows(options, row)),
        )
    )


def _row(options: SessionOptions, case: str, unit: str, value: float, *, control: float | None = None) -> Row:
    return judged(single("session", case, unit, value), SESSION, asked=options == _STANDARD, control=control)


class Ticks:
    """A thread that sleeps to ticks and does nothing: how late the machine wakes anybody just now."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._late_us: list[float] = []
        self._thread = threading.Thread(target=self._run, name="control")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def percentile(self, percent: int) -> float:
        """Tell how many microseconds late so many of 100 wake-ups were at most."""
        return float(np.percentile(self._late_us or [0.0], percent))

    def _run(self) -> None:
        interval_ns = session_units.MODE.frame_interval_ns
        due_ns = time.monotonic_ns()
        while not self._ended.is_set():
            due_ns = max(due_ns + interval_ns, time.monotonic_ns())
            time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
            self._late_us.append((time.monotonic_ns() - due_ns) / 1e3)


class Frames:
    """What came of a stream at the client, by the frames' capture. Times in microseconds."""

    def __init__(self, rows: list[list[int]], began_ns: int = 0, ended_ns: int = 1 << 62) -> None:
        table = np.array(rows, np.int64).reshape(-1, 5)
        table = table[(table[:, 1] >= began_ns) & (table[:, 1] < ended_ns)]
        if not len(table):
            raise EnvironmentProblem(
                "no frame came while it was measured", hint="Run it on a quieter machine."
            )
        self.index, self.captured_ns, self.complete_ns = table[:, 0], table[:, 1], table[:, 3]
        self.whole_us: F64 = (self.complete_ns - self.captured_ns) / 1e3

    @property
    def lost(self) -> int:
        """How many indices are missing between the first and the last."""
        return int(self.index.max() - self.index.min() + 1 - np.unique(self.index).size)

    def tick_to_whole_us(self) -> F64:
        """Measure from the ticks at which frames were due: the evenest grid that no capture comes before."""
        interval_ns = 1e9 / _HZ
        since_ns = self.captured_ns - self.captured_ns[0]
        # Most are in time, so their mean place between two ticks is just behind the tick.
        mean_ns = np.angle(np.exp(2j * np.pi * since_ns / interval_ns).mean()) / (2 * np.pi) * interval_ns
        late_ns = (since_ns - mean_ns + interval_ns / 4) % interval_ns
        ages_us: F64 = self.whole_us + (late_ns - late_ns.min()) / 1e3
        return ages_us


@contextmanager
def _prepared_host() -> Iterator[ends.RunningHost]:
    with tempfile.TemporaryDirectory(prefix="punktfunk-units-") as folder:
        file = Path(folder) / "units"
        session_units.write_units(file, session_units.encode_units())
        with ends.running_host(ends.Place(), file) as host:
            yield host


def _ages(row: Any, case: str, ages_us: F64, control: Ticks | None = None) -> Iterator[Row]:
    for percent in (50, 99):
        beside = control.percentile(percent) if control else None
        yield row(f"{case} p{percent}", "us", float(np.percentile(ages_us, percent)), control=beside)


def _reassembled_rows(options: SessionOptions, row: Any) -> Iterator[Row]:
    with (
        _prepared_host() as host,
        ends.running_client(host, "watch", mode=_MODE, seconds=options.seconds) as client,
        Ticks() as control,
    ):
        seen = ends.result(client)
    frames = Frames(seen["rows"])
    yield from _ages(row, "capture to reassembled, 720p120:", frames.whole_us, control)
    yield row("capture to reassembled, 720p120: slowest", "us", float(frames.whole_us.max()))
    yield from _ages(row, "tick to reassembled, 720p120:", frames.tick_to_whole_us())
    yield from (row(f"control, late at its tick: p{q}", "us", control.percentile(q)) for q in (50, 99))
    yield row("frames lost, 720p120", "", frames.lost)
    yield row("frames that came, of 120 a second", "%", 100 * frames.index.size / (options.seconds * _HZ))


def _mode_rows(options: SessionOptions, row: Any) -> Iterator[Row]:
    modes = [_MODES[number % len(_MODES)] for number in range(options.changes)]
    with (
        ends.running_host(ends.Place()) as host,
        ends.running_client(host, "modes", mode=_CARD, modes=modes) as client,
    ):
        seen = ends.result(client)
    times_ms = np.array(seen["changes_ns"]) / 1e6
    if times_ms.size < options.changes:
        yield row("mode changes that were not seen", "", options.changes - times_ms.size)
    yield row("mode change, picture to picture: median", "ms", float(np.median(times_ms)))
    yield row("mode change, picture to picture: slowest", "ms", float(times_ms.max()))
    answers_ms = np.array(seen["answers_ns"]) / 1e6
    yield row("mode change, asked to answered: median", "ms", float(np.median(answers_ms)))


def _clock_rows(options: SessionOptions, row: Any) -> Iterator[Row]:
    with ends.two_namespaces() as place:
        case = "clock offset, two namespaces" if place else "clock offset, loopback"
        with (
            ends.running_host(place or ends.Place()) as host,
            ends.running_client(host, "clock", mode=_CARD, series=options.series) as client,
        ):
            seen = ends.result(client)
    readings = np.array([(seen["offset_ns"], 0), *seen["readings"]], float)
    errors_us = np.abs(readings[:, 0]) / 1e3
    yield row(f"{case}: error at connect", "us", float(errors_us[0]))
    yield from _ages(row, f"{case}: error", errors_us)
    yield row(f"{case}: round trip p50", "us", float(np.median(readings[1:, 1])) / 1e3)


def _input_rows(options: SessionOptions, row: Any) -> Iterator[Row]:
    events = options.seconds * _INPUT_HZ
    for case, prepared in (("720p60 encoded", False), ("720p120", True)):
        with _prepared_host() if prepared else ends.running_host(ends.Place()) as host:
            mode = _MODE if prepared else _CARD
            with ends.running_client(host, "input", mode=mode, events=events) as client, Ticks() as control:
                client.wait_for('"sent"')
                session = host.session()
                client.stdin.close()
                ends.result(client)
        for percent in (50, 99):
            value, beside = session[f"input_p{percent}_us"], control.percentile(percent)
            yield row(f"input, arrival to injector, beside {case}: p{percent}", "us", value, control=beside)


def _flood_rows(options: SessionOptions, row: Any) -> Iterator[Row]:
    spans: dict[str, list[tuple[int, int]]] = {case: [] for case, _ in _FLOODS}
    with (
        _prepared_host() as host,
        ends.running_client(host, "watch", mode=_MODE, seconds=0) as client,
    ):
        for number in range(options.flood_rounds):
            for case, flood in _FLOODS if number % 2 == 0 else _FLOODS[::-1]:
                port = _NOBODY if flood == "elsewhere" else host.port
                with ends.flooding("hello", port) if flood else nullcontext():
                    began_ns = time.monotonic_ns()
                    time.sleep(options.flood_seconds)
                    spans[case].append((began_ns, time.monotonic_ns()))
        client.stdin.close()
        seen = ends.result(client)
    for case, found in spans.items():
        yield from _beside(row, case, [Frames(seen["rows"], *span) for span in found], _spans_s(found))


def _spans_s(spans: list[tuple[int, int]]) -> float:
    return sum(ended_ns - began_ns for began_ns, ended_ns in spans) / 1e9


def _beside(row: Any, case: str, parts: list[Frames], seconds: float) -> Iterator[Row]:
    yield row(f"720p120 beside {case}: frames lost", "", sum(part.lost for part in parts))
    count = sum(part.index.size for part in parts)
    yield row(f"720p120 beside {case}: frames that came, of 120 a second", "%", 100 * count / (seconds * _HZ))
    ages_us: F64 = np.concatenate([part.whole_us for part in parts])
    yield from _ages(row, f"720p120 beside {case}: capture to reassembled", ages_us)
