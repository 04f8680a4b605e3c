"""What probes and verified streams say about frames."""

from dataclasses import replace

from punktfunk.control.client.headless import Take
from punktfunk.measure.latency import aged_frames, judge, percentile, table
from punktfunk.measure.recorded import judge_recording, recording_table
from punktfunk.measure.verification import lost_frames, verify
from punktfunk.plan import Mode
from punktfunk.realtime import FrameRow, RecordedPicture
from punktfunk.realtime.capture.barcode import Stamp
from punktfunk.wire.native.datagrams import HostTiming

MS = 1_000_000


def row(index, *, number=None, readable=True, age_ms=5, **more):
    at = index * 16 * MS
    return FrameRow(
        index & 0xFFFFFFFF, at, 1, 1000, 2, 0, 1, at + age_ms * MS, at + (age_ms + 1) * MS,
        decoded_ns=at + (age_ms + 2) * MS, width_px=640, height_px=360,
        number=index if number is None else number, readable=readable, **more,
    )  # fmt: skip


def take(rows, **more):
    return Take("desk", Mode(640, 360, 60_000), "h264", rows=rows, capture_ns=lambda pts: pts, **more)


def test_a_clean_stream_is_all_right():
    verdict = verify([row(index) for index in range(10)])
    assert verdict.ok
    assert (verdict.what, verdict.frames, verdict.lost, verdict.repeated) == ("barcodes", 10, 0, 0)
    assert "all right" in verdict.sentence()


def test_damage_disorder_and_loss_are_told_apart():
    rows = [row(0), row(1), row(3), row(4, number=2), row(5, readable=False), row(6, number=2)]
    rows[4] = replace(rows[4], number=None)
    verdict = verify(rows)
    assert (verdict.lost, verdict.unreadable, verdict.reordered, verdict.repeated) == (1, 1, 1, 1)
    assert not verdict.ok


def test_another_mode_begins_to_count_anew():
    rows = [row(0, number=50), replace(row(1, number=0), width_px=800)]
    assert verify(rows).ok


def test_synthetic_units_are_compared():
    rows = [replace(row(index, number=None, readable=None), intact=index != 2) for index in range(4)]
    verdict = verify(rows)
    assert (verdict.what, verdict.unreadable) == ("synthetic", 1)


def test_nothing_to_verify_is_not_all_right():
    assert not verify([]).ok
    assert not verify([replace(row(0, readable=None), number=None)]).ok


def test_indices_wrap():
    assert lost_frames([row(index) for index in ((1 << 32) - 2, (1 << 32) - 1, 1 << 32, (1 << 32) + 2)]) == 1


def test_ages_stand_at_every_stage():
    rows = [row(index, age_ms=index) for index in range(1, 101)]
    timings = {rows[0].pts_ns: HostTiming(rows[0].pts_ns, 700)}
    found = judge(take(rows, timings=timings), {1: 16 * MS + 30 * MS})
    stages = {stage.name: stage for stage in found.stages}
    assert stages["sent"].p50_ns == 700_000
    assert stages["first packet"].p50_ns == 50 * MS
    assert stages["reassembled"].p99_ns == 100 * MS
    assert stages["decoded"].max_ns == 102 * MS
    assert (stages["presented"].count, stages["presented"].p50_ns) == (1, 30 * MS)
    assert "reassembled" in table(found)
    assert found.as_json()["frames"] == 100
    assert aged_frames(take(rows))["presented"] == []


def test_stalls_are_counted():
    rows = [row(index) for index in (0, 1, 2, 10, 11)]
    assert judge(take(rows)).cadence.stalls == 1
    assert judge(take(rows[:1])).cadence is None


def test_percentiles_are_members():
    assert percentile([1, 2, 3, 4], 0.5) == 2
    assert percentile([7], 0.99) == 7
    assert percentile(list(range(1, 101)), 0.99) == 99


def test_two_screens_in_one_recording():
    pictures = [
        RecordedPicture(
            n * 16 * MS, (Stamp(n + 3, (n + 3) * 16 * MS), Stamp(n, n * 16 * MS) if n != 5 else None)
        )
        for n in range(10)
    ]
    report = judge_recording(pictures)
    assert report.behind[0].p50_ns == 48 * MS
    assert [card.unreadable for card in report.cards] == [0, 1]
    assert report.cards[1].skipped == 1
    assert "behind card 1: p50 48.00 ms" in recording_table(report)


def test_a_recording_without_cards_says_how_to_find_them():
    report = judge_recording([RecordedPicture(0, (None,))])
    assert "--at" in recording_table(report)
    assert judge_recording([]).cards == ()
