"""Every benchmark, run with so little work that its times mean nothing: rows, notes, checks of what it times."""

import importlib.util

import numpy as np
import pytest

from punktfunk import realtime
from punktfunk.errors import Misuse, PunktfunkError
from punktfunk.measure import convert, fec, frame, paired, ring, seal, send, stream
from punktfunk.measure.floors import (
    CONVERT,
    CRYPTOGRAPHY,
    FEC,
    LEOPARD,
    MATRIX,
    MEMCPY,
    PER_PACKET,
    QUEUE,
    SENDTO,
    SWSCALE,
)
from punktfunk.measure.options import (
    ConvertOptions,
    FecOptions,
    FrameOptions,
    RingOptions,
    SealOptions,
    SendOptions,
    parse_size,
)
from punktfunk.realtime.kernels import layout

ROUNDS = 5
HAS_LEOPARD = importlib.util.find_spec("reed_solomon_leopard") is not None


@pytest.fixture(autouse=True)
def short_turns(monkeypatch):
    usual = paired.measure_works.__kwdefaults__
    monkeypatch.setattr(paired.measure_works, "__kwdefaults__", usual | {"timed_s": 1e-5})


def test_fec_has_a_row_for_every_shape_loss_and_baseline():
    options = FecOptions(shapes=((20, 4),), losses=(1, 4), shard_bytes=128, rounds=ROUNDS)
    measured = fec.benchmark(options)
    found = {(row.case, row.baseline_name) for row in measured.rows()}
    wanted = {(f"{field} encode 20:4", MEMCPY) for field in ("gf8", "gf16")} | {("gf8 encode 20:4", MATRIX)}
    wanted |= {(f"{field} decode 20:4, {loss} lost", MEMCPY) for field in ("gf8", "gf16") for loss in (1, 4)}
    if HAS_LEOPARD:
        wanted |= {("gf16 encode 20:4", LEOPARD), ("gf16 decode 20:4, 4 lost", LEOPARD)}
        assert measured.notes == ()
    assert wanted <= found


def test_fec_floors_are_for_their_shard_size_only():
    rows = fec.rows(FecOptions(("gf16",), ((20, 4),), (1,), 1408, rounds=ROUNDS))
    asked = {(row.case, row.baseline_name) for row in rows if row.floor is not None}
    wide = realtime.simd_mode() in ("avx2", "avx512", "gfni512")
    assert (("gf16 encode 20:4", MEMCPY) in asked) == wide
    assert asked <= set(FEC)
    rows = fec.rows(FecOptions(("gf16",), ((20, 4),), (1,), 1024, rounds=ROUNDS))
    assert not any(row.floor for row in rows)


def test_without_leopard_its_rows_are_left_out_and_the_remedy_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    options = FecOptions(("gf16",), ((20, 4),), (1,), 128, rounds=ROUNDS)
    measured = fec.benchmark(options)
    assert measured.notes == (fec.WITHOUT_LEOPARD,)
    assert {row.baseline_name for row in measured.rows()} == {MEMCPY}
    assert frame.benchmark(FrameOptions()).notes == (fec.WITHOUT_LEOPARD,)


def test_shapes_and_decoders_that_a_field_lacks_are_noted():
    notes = fec.benchmark(FecOptions(shapes=((1000, 200), (20, 4)), decoder="full")).notes
    assert "gf8 has no 1000:200, so it is left out" in notes
    assert any("one decoder only" in note for note in notes)


@pytest.mark.parametrize("decoder", ["direct", "cauchy", "transposed", "full"])
def test_a_forced_decoder_stands_in_the_case(decoder):
    options = FecOptions(("gf16",), ((20, 4),), (2,), 128, decoder, ROUNDS)
    assert f"gf16 decode 20:4, 2 lost, {decoder}" in {row.case for row in fec.rows(options)}


def test_a_wrong_result_is_not_timed():
    with pytest.raises(PunktfunkError, match="gf8: the result is wrong"):
        fec._must_equal("gf8", np.zeros(3, np.uint8), np.ones(3, np.uint8))


def test_seal_has_every_way_of_this_cpu():
    rows = seal.benchmark(SealOptions((1408, 100), rounds=ROUNDS)).rows()
    found = {row.case for row in rows}
    assert {row.baseline_name for row in rows} == {CRYPTOGRAPHY}
    for way in realtime.runnable_seals():
        assert {f"aes-128-gcm {way}", f"aes-128-gcm {way}, 100 bytes"} <= found
        assert f"open aes-128-gcm {way}, 100 bytes, from Python" in found
    assert {"chacha20-poly1305 evp", "open chacha20-poly1305 evp, from Python"} <= found
    asked = {row.case for row in rows if row.floor}
    assert asked == {"aes-128-gcm evp", f"aes-128-gcm {realtime.runnable_seals()[0]}"}


def test_what_cannot_seal_is_noted(monkeypatch):
    monkeypatch.setattr(realtime, "runnable_seals", lambda: ("evp",))
    measured = seal.benchmark(SealOptions(implementations=("vaes", "evp")))
    assert [step.title for step in measured.steps] == [
        "seal aes-128-gcm evp, 1408 bytes", "seal chacha20-poly1305 evp, 1408 bytes",
    ]  # fmt: skip
    assert measured.notes[0] == "vaes of aes-128-gcm does not run on this CPU, so it is left out"


@pytest.mark.parametrize(("receive", "ipv6"), [(False, False), (True, False), (False, True)])
def test_send_has_every_way(receive, ipv6):
    rows = send.benchmark(SendOptions(200, 8, ROUNDS, receive, ipv6)).rows()
    assert [row.case for row in rows] == ["GSO", "sendmmsg", "one by one"]
    assert {row.baseline_name for row in rows} == {SENDTO}
    assert all(row.ours > 0 and row.floor is None for row in rows)


def test_ring_has_throughputs_and_wake_ups():
    rows = ring.benchmark(RingOptions(10_000, 100, 3, 0)).rows()
    assert [row.baseline_name for row in rows[:3]] == [QUEUE] * 3
    assert all(len(row.samples) == 100 for row in rows if row.case.endswith("p50"))
    assert sum(row.floor is not None for row in rows) == 3


@pytest.mark.parametrize("protocol", ["punktfunk", "gamestream"])
def test_frame_accounts_for_every_frame(protocol):
    options = FrameOptions(20_000, 1000, 20, 20, protocol, hog=False, priority=0, rounds=ROUNDS)
    rows = {(row.case, row.baseline_name): row for row in frame.benchmark(options).rows()}
    assert len(rows["in one call p50", ""].samples) <= 20
    assert len(rows["control: p50", ""].samples) == 20
    assert rows["control: p99 / p50", ""].ours == rows["in one call p99 / p50", ""].control >= 1
    assert rows["control, a clock loop at the same ticks: late", ""].ours == rows["late frames", ""].control
    assert rows["control, slowest", ""].ours == max(rows["control: p50", ""].samples)
    assert rows["pushed from Python: late frames", ""].control is None
    assert rows["datagrams that the system refused", ""].ours == 0
    assert not any(row.floor for row in rows.values())
    if protocol == "gamestream" or HAS_LEOPARD:
        assert rows["in one call", PER_PACKET].ratio > 0
    assert (("stage: parity", "") in rows) == (protocol == "punktfunk")


def test_frame_floors_are_for_the_standard_frame():
    row = stream.frame_row(FrameOptions(), paired.single("frame", "in one call p50", "us", 1.0))
    assert (row.floor is not None) == (realtime.simd_mode() in ("avx2", "avx512", "gfni512"))
    assert (
        stream.frame_row(FrameOptions(hog=False), paired.single("frame", "late frames", "", 0)).floor is None
    )


@pytest.mark.parametrize(
    ("frames", "rate", "parts"),
    [(960, 240, [240] * 4), (250, 240, [240, 10]), (1500, 2000, [512, 512, 476]), (10, 1000, [10])],
)
def test_stream_and_control_take_turns_in_parts_that_the_log_holds(frames, rate, parts):
    assert stream._parts(FrameOptions(frames=frames, rate=rate)) == parts


def frame_log(spent_ns, count=5):
    log = np.zeros((count, layout.LATENCY_COLUMN_COUNT), np.int64)
    log[:, layout.LATENCY_LAST_NS] = spent_ns
    return log


def test_the_control_follows_each_part_as_long_as_the_first_frames_were(monkeypatch):
    asked, ran = [], []
    slept = realtime.TickTimes(np.array([0, 10]), np.array([1, 11]), np.array([4_166_666, 4_166_678]))

    def reads_for(duration_ns):
        asked.append(duration_ns)
        return 7

    monkeypatch.setattr(realtime, "reads_for", reads_for)
    monkeypatch.setattr(realtime, "loop_at_ticks", lambda *sizes: ran.append(sizes) or slept)
    control = stream._Control(FrameOptions(priority=0))
    control.follow(frame_log(600_000), 240)
    control.follow(frame_log(900_000), 10)
    assert asked == [600_000]
    assert ran == [(4_166_666, 7, 240), (4_166_666, 7, 10)]
    assert control.late_count == 2  # of each part the second: the first ends just in time
    assert control.spent_us.tolist() == [4166.665, 4166.667] * 2


def test_the_control_is_never_late_by_itself(monkeypatch):
    asked = []
    monkeypatch.setattr(realtime, "reads_for", lambda duration_ns: asked.append(duration_ns) or 1)
    stream._Control(FrameOptions(priority=0, rate=1000)).follow(frame_log(3_000_000), 2)
    assert asked == [500_000]


def test_what_fails_on_a_realtime_thread_is_not_lost():
    def fail():
        raise PunktfunkError("no")

    with pytest.raises(PunktfunkError, match="no"):
        stream._in_thread(FrameOptions(priority=0), "feeder", fail)


def test_every_conversion_has_a_row_and_a_floor_in_full_hd():
    assert set(CONVERT) == {(case, SWSCALE) for case in convert.CASES}
    assert len(convert.benchmark(ConvertOptions()).steps) == len(convert.CASES)
    small = convert.benchmark(ConvertOptions(sizes=((64, 48),), rounds=ROUNDS))
    assert [row.case for row in small.rows()] == [f"{case}, 64x48" for case in convert.CASES]


def test_sizes_of_pictures_are_checked():
    assert parse_size("640x480") == (640, 480)
    with pytest.raises(Misuse, match="no size"):
        parse_size("640")
    with pytest.raises(Misuse, match="out of range"):
        ConvertOptions(sizes=((4, 480),)).check()
