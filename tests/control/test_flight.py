"""The flight recorder keeps what it was told, and forgets the oldest first."""

import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import trio

from punktfunk.control.flight import (
    CLIENT_COLUMNS,
    HOST_COLUMNS,
    ClientFlight,
    FlightRing,
    HostFlight,
    last_cpu,
)
from punktfunk.control.flight_log import ENDED_MAX, FlightLog, follow
from punktfunk.errors import ConfigError


def sent(number):
    return SimpleNamespace(
        pts_ns=number,
        captured_ns=1,
        begun_ns=2,
        encoded_ns=3,
        first_ns=4,
        last_ns=5,
        frame_bytes=6,
        datagram_count=7,
    )


def received(number):
    return SimpleNamespace(
        frame_index=number, pts_ns=1000 + number, user_flags=1, first_ns=2, complete_ns=3, packet_count=4,
        data_count=5, recovered_count=6,
    )  # fmt: skip


def named(recording, row=-1):
    return dict(zip(recording["columns"], recording["rows"][row], strict=True))


def test_the_newest_overwrite_the_oldest():
    ring = FlightRing(("a", "b"), 4)
    positions = [ring.append((number, -number)) for number in range(6)]
    assert ring.rows() == [[2, -2], [3, -3], [4, -4], [5, -5]]
    assert ring.rows(2) == [[4, -4], [5, -5]]
    ring.patch(positions[1], "b", 99)  # gone already
    ring.patch(positions[5], "b", 99)
    assert ring.rows()[-1] == [5, 99]
    assert ring.rows()[0] == [2, -2]
    assert ring.count == 6


def test_a_reader_beside_a_writer_sees_whole_rows():
    ring, ended = FlightRing(("a", "b", "c"), 64), threading.Event()

    def write():
        number = 0
        while not ended.is_set():
            ring.append((number, number, number))
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            rows = ring.rows()
            assert all(row[0] == row[1] == row[2] for row in rows)
            assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    finally:
        ended.set()
        writer.join()


def test_a_host_notes_what_it_sent():
    flight = HostFlight("desk", 8)
    flight.note_sent([sent(1), sent(2)], parity_percent=12, send_thread=threading.get_native_id())
    recording = flight.recording()
    assert (recording["side"], recording["name"], tuple(recording["columns"])) == (
        "host",
        "desk",
        HOST_COLUMNS,
    )
    row = named(recording)
    assert (row["pts_ns"], row["last_sent_ns"], row["packets"], row["parity_percent"]) == (2, 5, 7, 12)
    assert 0 <= row["send_cpu"] < os.cpu_count()


def test_a_client_completes_its_rows_later():
    flight = ClientFlight("desk", 8)
    flight.note_taken(received(7), 10, offset_ns=-5)
    flight.note_taken(received(8), 11)
    flight.note_decoded(7, 20, shown=True)
    flight.note_presented(7, 30)
    flight.note_decoded(99, 20, shown=True)
    recording = flight.recording()
    assert tuple(recording["columns"]) == CLIENT_COLUMNS
    first, second = named(recording, 0), named(recording, 1)
    assert (first["taken_ns"], first["decoded_ns"], first["presented_ns"], first["shown"]) == (10, 20, 30, 1)
    assert (second["decoded_ns"], second["presented_ns"]) == (0, 0)
    assert first["offset_ns"] == -5


def test_only_so_many_rows_wait_for_their_stamps():
    flight = ClientFlight("desk", 1024)
    for number in range(600):
        flight.note_taken(received(number), number)
    flight.note_decoded(1, 20, shown=True)
    flight.note_decoded(599, 20, shown=True)
    rows = flight.recording()["rows"]
    decoded = CLIENT_COLUMNS.index("decoded_ns")
    assert [row[decoded] for row in rows if row[decoded]] == [20]


def test_a_cpu_that_nobody_knows():
    assert last_cpu(2**30) == -1


@pytest.mark.trio
async def test_the_host_answers_with_running_and_ended_sessions():
    log = FlightLog(16)
    for name in ("a", "b", "c"):
        with log.recording(name) as flight:
            flight.note_sent([sent(1)], parity_percent=5)
    with log.recording("now") as flight:
        flight.note_sent([sent(number) for number in range(9)], parity_percent=5)
        answer = await log.verbs()["flight"]({"frames": "6"})
    assert [recording["name"] for recording in answer["recordings"]] == ["now", "c", "b"]
    assert len(answer["recordings"]) == 1 + ENDED_MAX
    assert [len(recording["rows"]) for recording in answer["recordings"]] == [2, 1, 1]
    for wrong in ("0", "-1", "many", "²"):
        with pytest.raises(ConfigError):
            await log.verbs()["flight"]({"frames": wrong})


@pytest.mark.trio
async def test_a_pipeline_that_keeps_only_a_log_is_followed(autojump_clock):
    """Rows of the sender's log, looked at each second: each frame is noted once."""
    rows = [[100 + n, 110 + n, 120 + n, 130 + n, 0, 5000, 9, 4] for n in range(3)]
    pipeline = SimpleNamespace(send_thread_id=-1, latencies=lambda: None)
    flight = HostFlight("moonlight", 32)
    with trio.move_on_after(4.5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow, flight, pipeline, 20)
            await trio.sleep(1.5)
            pipeline.latencies = lambda: np.array(rows)
            await trio.sleep(2)
            rows.append([200, 210, 220, 230, 0, 700, 9, 1])
            await trio.sleep(5)
    recording = flight.recording()
    assert [row[HOST_COLUMNS.index("last_sent_ns")] for row in recording["rows"]] == [130, 131, 132, 230]
    assert named(recording)["parity_percent"] == 20
    first, last = named(recording, 0), named(recording)
    assert last["pts_ns"] - first["pts_ns"] == last["captured_ns"] - first["captured_ns"]
