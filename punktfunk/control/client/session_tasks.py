"""The tasks of a session, in one nursery, and the one place that notices its end.

    writer, reader, datagrams     the QUIC connection
    punch                         keeps the way of the video open
    frames                        asks for repairs, reports windows, steers the bitrate
    clock                         eight rounds again every minute
    bring-up                      finds out what the link carries

Source: punktfunk-1 sections 2.3, 2.8, 2.9 and 2.17.
"""

import socket
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.adapt.asks import Ask, RfiAsk
from punktfunk.control.adapt.clock_sync import ClockSeries
from punktfunk.control.adapt.falling_behind import Remedy
from punktfunk.control.adapt.report_window import Report
from punktfunk.control.client.control_reader import read_control, read_datagrams
from punktfunk.control.client.dial import why_closed
from punktfunk.control.client.endings import ConnectionEnded
from punktfunk.control.client.media_socket import punch
from punktfunk.control.client.probing import find_bitrate
from punktfunk.control.quic import QuicClosed, StreamReset
from punktfunk.wire.native.control import (
    ControlMessage,
    DeliveryReport,
    LossReport,
    RequestKeyframe,
    RfiRequest,
)

if TYPE_CHECKING:
    from punktfunk.control.client.session import ClientSession

_NS_PER_S: Final = 1_000_000_000
LOOK_S: Final = 0.1
"""How often the receiver's count of given-up frames is looked at."""
FLUSH_S: Final = 0.02
SETTLED_S: Final = 3.0

Task = Callable[["ClientSession"], Awaitable[None]]


async def run_session(
    session: "ClientSession",
    bound: socket.socket,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run until the connection ends or the receiver fails; started once the clock is known.

    ConnectionEnded if it ends before that.
    """
    started = False
    try:
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            nursery.start_soon(_await_end, session, scope)
            nursery.start_soon(_await_failure, session, scope)
            nursery.start_soon(_while_open, session, write_control)
            nursery.start_soon(_while_open, session, _read_to_end)
            nursery.start_soon(_while_open, session, read_datagrams)
            await _while_open(session, measure_clock)
            nursery.start_soon(punch, bound)
            nursery.start_soon(watch_frames, session)
            nursery.start_soon(_while_open, session, keep_clock)
            nursery.start_soon(_while_open, session, find_bitrate)
            task_status.started()
            started = True
    finally:
        session.closed.set()
    if not started and session.ending is not None:
        raise session.ending


async def _while_open(session: "ClientSession", task: Task) -> None:
    """Run a task; the connection's end is no error of it, ``_await_end`` says what it means."""
    try:
        await task(session)
    except (QuicClosed, StreamReset):
        await session.connection.wait_closed()


async def _await_end(session: "ClientSession", scope: trio.CancelScope) -> None:
    await session.connection.wait_closed()
    if session.ending is None:
        session.ending = await why_closed(session.connection, session.host)
    session.closed.set()
    scope.cancel()


async def _await_failure(session: "ClientSession", scope: trio.CancelScope) -> None:
    await trio.lowlevel.wait_readable(session.video.failure_fd)
    problem = session.video.failure()
    session.ending = ConnectionEnded(
        f"receiving failed: {problem}", hint="punktfunk doctor looks at this machine.", again=True
    )
    session.connection.close(1, "the receiver failed")
    session.closed.set()
    scope.cancel()


async def _read_to_end(session: "ClientSession") -> None:
    await read_control(session)
    with trio.move_on_after(FLUSH_S * 15):  # the close code follows the stream's end by a moment
        await session.connection.wait_closed()
    session.connection.close(1, "the control stream ended")


async def write_control(session: "ClientSession") -> None:
    """Send what was posted, in order."""
    async for message in session.to_send:
        await session.send_now(message)


async def measure_clock(session: "ClientSession") -> None:
    """Run the eight rounds of the start; without an answer both sides are taken to share a clock."""
    first = await session.rounds.run(ClockSeries(time.monotonic_ns()))
    session.clock.begin(first, time.monotonic_ns())


async def keep_clock(session: "ClientSession") -> None:
    """Measure again once the start is over, every minute, and when frames seem late.

    The first rounds run while the host opens encoder and display, and say more about that than about clocks.
    """
    with trio.move_on_after(SETTLED_S):
        await session.resync_wanted.wait()
    session.resync_wanted.set()
    while (sync := session.clock.sync) is not None:
        wait_s = max(0, sync.due_ns - time.monotonic_ns()) / _NS_PER_S
        with trio.move_on_after(wait_s):
            await session.resync_wanted.wait()
        session.resync_wanted = trio.Event()
        await session.rounds.run(sync.start(time.monotonic_ns()))
        if sync.finish():
            session.frames.clock_changed(session.clock.refresh())


async def watch_frames(session: "ClientSession") -> None:
    """Send what frames and windows ask for."""
    desk = session.frames
    while True:
        wait_s = min(LOOK_S, max(0, desk.deadline_ns() - time.monotonic_ns()) / _NS_PER_S)
        with trio.move_on_after(wait_s):
            await trio.lowlevel.wait_readable(desk.bell)
        desk.tick(session.video.counters()["dropped_frames"])
        asks, remedies = desk.take()
        for ask in asks:
            session.post(message_of(ask))
        for remedy in remedies:
            await _remedy(session, remedy)
        report = desk.poll(session.totals())
        if report is not None:
            take_report(session, report)


def message_of(ask: Ask) -> ControlMessage:
    """Write an ask as its message."""
    if isinstance(ask, RfiAsk):
        return RfiRequest(ask.first_index, ask.last_index)
    return RequestKeyframe()


def take_report(session: "ClientSession", report: Report) -> None:
    """Report a closed window, and let the bitrate follow it."""
    if report.loss_ppm is not None:
        session.loss_ppm = report.loss_ppm
        session.post(LossReport(report.loss_ppm))
        session.note_parity(session.totals().received_count)
    if report.delivery_count is not None:
        session.post(DeliveryReport(report.delivery_count))
    if report.sample is not None and session.automatic is not None:
        session.ask_bitrate(session.automatic.on_window(report.sample))


async def _remedy(session: "ClientSession", remedy: Remedy) -> None:
    if remedy is Remedy.RESYNC:
        session.resync_wanted.set()
        return
    before = session.video.counters()
    session.video.flush()
    await trio.sleep(FLUSH_S)
    after = session.video.counters()
    further = session.frames.flushed(
        after["flushed_datagrams"] - before["flushed_datagrams"],
        after["flushed_frames"] - before["flushed_frames"],
    )
    if further is Remedy.RESYNC:
        session.resync_wanted.set()
