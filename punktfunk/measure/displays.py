"""Displays of desktop sessions: what their pictures cost, and how soon a client sees the first one.

Every session is one of the host's own (``serve --session``), with a full-screen terminal in it that scrolls.
Pictures are taken as pf-capture takes them, in this process. For the first picture the host is a process of
its own, and so is each client; the time begins when the client, all loaded, dials, and ends with the first
decoded picture. It holds the handshake, the making of the display, the start of the encoder.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import trio

from punktfunk import realtime
from punktfunk.control.desktop.backend import InSession
from punktfunk.control.desktop.kinds import build_parts, find_kind, refuse
from punktfunk.control.desktop.parts import clean_environment
from punktfunk.control.desktop.session import OwnSession, own_session
from punktfunk.control.displays.base import DisplayOptions, VirtualOutput
from punktfunk.control.displays.choice import make_backend
from punktfunk.control.system.journal import Journal
from punktfunk.control.system.processes import end_process
from punktfunk.errors import EnvironmentProblem
from punktfunk.measure import session_ends as ends
from punktfunk.measure.floors import DISPLAYS, judged
from punktfunk.measure.options import DisplaysOptions
from punktfunk.measure.paired import Row, single
from punktfunk.measure.steps import Benchmark, Step
from punktfunk.plan import Mode

_STANDARD: Final = DisplaysOptions()
_MODE: Final = Mode(1280, 720, 60_000)
_SCROLL: Final = "while :; do seq 1 200; sleep 0.01; done"
_SETTLE_S: Final = 2.0
_FIRST_COUNT: Final = 10
_GRACE_S: Final = 2.0


def benchmark(options: DisplaysOptions) -> Benchmark:
    """Measure every kind of session that can be had here; the others are named in the notes."""
    if not realtime.is_warm():
        raise EnvironmentProblem(
            "kernels are not compiled yet, and compiling would be measured",
            hint="Run `punktfunk warm` first.",
        )
    if shutil.which("foot") is None:
        raise EnvironmentProblem("foot is not installed: it is what moves", hint="Install the package foot.")
    steps: list[Step] = []
    notes: list[str] = []
    for kind in options.sessions:
        try:
            _check(kind)
        except EnvironmentProblem as problem:
            notes.append(f"{kind}: left out ({problem}). {problem.hint}".strip())
        else:
            steps.append(Step(f"{kind}: capture", partial(_capture_rows, options, kind)))
            steps.append(Step(f"{kind}: first picture", partial(_first_rows, options, kind)))
    return Benchmark(tuple(steps), tuple(notes))


def _check(kind: str) -> None:
    with tempfile.TemporaryDirectory(prefix="punktfunk-bench-") as folder:
        refuse(kind, build_parts(find_kind(kind), Path(folder), os.environ), os.environ)


def _row(options: DisplaysOptions, case: str, unit: str, value: float) -> Row:
    return judged(single("displays", case, unit, value), DISPLAYS, asked=options == _STANDARD)


def _capture_rows(options: DisplaysOptions, kind: str) -> Iterator[Row]:
    times = trio.run(_captured, kind, options.seconds)
    if times.captured_ns.size < _FIRST_COUNT + 2:
        raise EnvironmentProblem(f"{kind}: hardly a picture came", hint="Run it on a quieter machine.")
    # The first ones wait for kernels and for memory that is touched for the first time.
    age_us = (times.ready_ns - times.captured_ns)[_FIRST_COUNT:] / 1e3
    name = f"{kind}: capture stamp to encoder, {_MODE}"
    for percent in (50, 99):
        yield _row(options, f"{name}: p{percent}", "us", float(np.percentile(age_us, percent)))
    yield _row(
        options, f"{kind}: CPU of a picture", "us", float(np.median(times.cpu_ns[_FIRST_COUNT:]) / 1e3)
    )
    yield _row(options, f"{kind}: pictures a second", "", times.captured_ns.size / options.seconds)


async def _captured(kind: str, seconds: float) -> realtime.CaptureTimes:
    with tempfile.TemporaryDirectory(prefix="pf-bench-") as named:
        folder = Path(named)
        async with (
            own_session(kind, folder, folder / "log", report=lambda _line: None) as session,
            _display(folder, session) as output,
            _scrolling(output),
        ):
            await trio.sleep(_SETTLE_S)
            return await trio.to_thread.run_sync(realtime.time_capture, output.source, seconds)


@asynccontextmanager
async def _display(folder: Path, session: OwnSession) -> AsyncGenerator[VirtualOutput]:
    backend = make_backend(session.kind.backend, Journal(folder), DisplayOptions(), session.environment)
    async with InSession(session, backend).create(_MODE, "bench") as output:
        yield output


@asynccontextmanager
async def _scrolling(output: VirtualOutput) -> AsyncGenerator[None]:
    process = await trio.lowlevel.open_process(
        ["foot", "--fullscreen", "sh", "-c", _SCROLL],
        env=clean_environment(output.environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):  # bounded by its grace
            await end_process(process, _GRACE_S)


def _first_rows(options: DisplaysOptions, kind: str) -> Iterator[Row]:
    times_ms = []
    with ends.running_host(ends.Place(), PUNKTFUNK_DISPLAY="auto", PUNKTFUNK_SESSION=kind) as host:
        for _ in range(options.connects):
            with ends.running_client(host, "first", mode=(1280, 720, 60_000)) as client:
                times_ms.append(ends.result(client)["first_ns"] / 1e6)
    # The first one finds the host with nothing loaded yet.
    yield _row(options, f"{kind}: connect to first picture, the host's first", "ms", times_ms[0])
    rest_ms = times_ms[1:] or times_ms
    yield _row(options, f"{kind}: connect to first picture: median", "ms", float(np.median(rest_ms)))
    yield _row(options, f"{kind}: connect to first picture: slowest", "ms", max(rest_ms))
