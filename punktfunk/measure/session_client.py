"""``python -m punktfunk.measure.session_client ASKED``: the client of ``punktfunk bench session``.

A whole client without a window. ASKED is JSON: where the host is, the mode, and what to do. It prints one
JSON object a line: ``streaming``; for input ``sent``, after which it waits for the end of its standard input,
as it does where nothing says how long to watch; at the end ``done`` with what it saw. Times are
CLOCK_MONOTONIC in nanoseconds.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import trio

from punktfunk import realtime
from punktfunk.control.adapt.clock_sync import ClockSeries
from punktfunk.control.client.connector import Connector
from punktfunk.control.client.dial import Target
from punktfunk.control.client.headless import HeadlessOptions, Take, run_headless
from punktfunk.control.client.known_hosts import KnownHosts
from punktfunk.control.client.options import SessionOptions
from punktfunk.control.client.session import ClientSession
from punktfunk.control.native.identity import load_client_identity
from punktfunk.plan import Mode
from punktfunk.wire.native.input import PointerMove

SETTLE_S: Final = 1.5
FIRST_S: Final = 0.2  # until the first picture is decoded too
_INPUT_EVERY_S: Final = 0.004
_SERIES_EVERY_S: Final = 0.1
_BETWEEN_MODES_S: Final = 1.5

Act = Callable[[dict[str, Any], ClientSession, dict[str, Any]], Awaitable[None]]


def _say(event: str, **what: object) -> None:
    print(json.dumps({"event": event, **what}), flush=True)


async def _watch(asked: dict[str, Any], _session: ClientSession, _seen: dict[str, Any]) -> None:
    if asked["seconds"]:
        await trio.sleep(asked["seconds"])
    else:
        await trio.to_thread.run_sync(sys.stdin.read)


async def _see_first(_asked: dict[str, Any], _session: ClientSession, _seen: dict[str, Any]) -> None:
    """Leave: the first picture is all that is wanted."""
    await trio.lowlevel.checkpoint()


async def _change_modes(asked: dict[str, Any], session: ClientSession, seen: dict[str, Any]) -> None:
    answers_ns = []
    for mode in asked["modes"]:
        began_ns = time.monotonic_ns()
        await session.reconfigure(Mode(*mode))
        answers_ns.append(time.monotonic_ns() - began_ns)
        await trio.sleep(_BETWEEN_MODES_S)
    seen["answers_ns"] = answers_ns


async def _read_clock(asked: dict[str, Any], session: ClientSession, seen: dict[str, Any]) -> None:
    """Run more series like the one at the start: each is what another connection would have found."""
    readings = []
    for _ in range(asked["series"]):
        reading = await session.rounds.run(ClockSeries(time.monotonic_ns()))
        if reading is not None:
            readings.append((reading.offset_ns, reading.rtt_ns))
        await trio.sleep(_SERIES_EVERY_S)
    seen["readings"] = readings


async def _send_input(asked: dict[str, Any], session: ClientSession, _seen: dict[str, Any]) -> None:
    for _ in range(asked["events"]):
        session.send_input(PointerMove(1, -1))
        await trio.sleep(_INPUT_EVERY_S)
    _say("sent")
    await trio.to_thread.run_sync(sys.stdin.read)


_ACTS: Final[dict[str, Act]] = {
    "watch": _watch,
    "first": _see_first,
    "modes": _change_modes,
    "clock": _read_clock,
    "input": _send_input,
}


async def _run(asked: dict[str, Any], connector: Connector, takes: list[Take]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    with trio.CancelScope() as scope:

        async def act(session: ClientSession) -> None:
            while not session.video.counters()["frames"]:  # noqa: ASYNC110 -- counters ring no bell
                await trio.sleep(0.01)
            await trio.sleep(FIRST_S if asked["do"] == "first" else SETTLE_S)
            seen["offset_ns"], seen["began_ns"] = session.clock_offset_ns, time.monotonic_ns()
            _say("streaming")
            await _ACTS[asked["do"]](asked, session, seen)
            seen["ended_ns"] = time.monotonic_ns()
            scope.cancel()

        options = HeadlessOptions(decode=asked["do"] in {"modes", "first"})
        dialled_ns = time.monotonic_ns()
        await run_headless(connector.session, options, lambda text: _say("said", text=text), takes, act)
    shown_ns = [row.decoded_ns for take in takes for row in take.rows if row.width_px]
    seen["first_ns"] = shown_ns[0] - dialled_ns if shown_ns else 0
    return seen


def _rows(take: Take, began_ns: int, ended_ns: int) -> list[tuple[int, ...]]:
    """Index, capture, first packet, whole, bytes of every frame that came while it was measured."""
    return [
        (row.frame_index, take.capture_ns(row.pts_ns), row.first_ns, row.complete_ns, row.unit_bytes)
        for row in take.rows
        if began_ns <= row.complete_ns <= ended_ns
    ]


def _changes_ns(take: Take) -> list[int]:
    """From the last picture of a size to the first of another, for each change."""
    shown = [row for row in take.rows if row.width_px]
    return [
        later.decoded_ns - earlier.decoded_ns
        for earlier, later in pairwise(shown)
        if (earlier.width_px, earlier.height_px) != (later.width_px, later.height_px)
    ]


def main() -> None:
    """Do what was asked."""
    asked = json.loads(sys.argv[1])
    folder = Path(asked["state"])
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    realtime.prepare_process()
    realtime.VideoReceiver  # noqa: B018 -- its kernels are loaded before the first handshake, as in the product
    connector = Connector(
        Target(asked["address"], asked["port"], "host"),
        load_client_identity(folder),
        SessionOptions(mode=Mode(*asked["mode"]), name="bench", bitrate_kbps=asked["bitrate_kbps"]),
        KnownHosts(folder),
        lambda text: _say("said", text=text),
    )
    takes: list[Take] = []
    seen = trio.run(partial(_run, asked, connector, takes))
    (take,) = takes
    _say(
        "done",
        **seen,
        rows=_rows(take, seen["began_ns"], seen["ended_ns"]),
        changes_ns=_changes_ns(take),
        statistics=take.statistics,
    )


if __name__ == "__main__":
    main()
