"""The client's reports: the protocol's numbers, and what is kept back."""

import pytest

from punktfunk.control.adapt.report_window import ReportWindows, Totals, loss_ppm

MS = 1_000_000


@pytest.mark.parametrize(
    ("recovered", "late", "received", "ppm"),
    [(0, 0, 0, 0), (50, 0, 950, 50_000), (50, 30, 980, 20_000), (50, 50, 1000, 0), (10, 25, 1000, 0)],
)
def test_loss(recovered, late, received, ppm):
    assert loss_ppm(recovered, late, received) == ppm


def test_loss_never_passes_a_million():
    assert loss_ppm(1 << 60, 0, 1) <= 1_000_000


def test_a_window_every_750_ms_also_without_loss():
    windows = ReportWindows(0)
    assert windows.deadline_ns() == 750 * MS
    assert windows.poll(Totals(), 749 * MS) is None
    report = windows.poll(Totals(received_count=100), 750 * MS)
    assert (report.loss_ppm, report.delivery_count) == (0, 100)
    assert windows.deadline_ns() == 1500 * MS


def test_delivery_reports():
    """Each window while nothing came, once when something does, then never; with the host's bit always."""
    counts = (0, 0, 7, 9, 12)
    quiet, eager = ReportWindows(0), ReportWindows(0, every_window=True)
    told = [
        [
            windows.poll(Totals(received_count=count), 750 * MS * turn).delivery_count
            for turn, count in enumerate(counts, 1)
        ]
        for windows in (quiet, eager)
    ]
    assert told == [[0, 0, 7, None, None], [0, 0, 7, 9, 12]]


def test_a_sample():
    windows = ReportWindows(0, marks_repeats=True, audio_kbps=100)
    windows.poll(Totals(received_count=1, media_bytes=1000), 750 * MS)
    for latency, repeat in ((5 * MS, False), (7 * MS, True), (None, True)):
        windows.on_frame(latency, repeat=repeat)
    windows.on_decoded(2 * MS)
    windows.on_host_timing(4 * MS)
    windows.on_keyframe_ask()
    windows.on_flush()
    totals = Totals(recovered_count=5, received_count=96, dropped_frame_count=2, media_bytes=1000 + 750_000)
    sample = windows.poll(totals, 1500 * MS).sample
    assert sample.loss_ppm == 50_000
    assert sample.dropped_frame_count == 2
    assert sample.delivered_kbps == 8000 + 100
    assert (sample.frame_count, sample.fresh_count, sample.still) == (3, 1, False)
    assert (sample.latency_ns, sample.latency_least_ns) == (6 * MS, 5 * MS)
    assert (sample.decode_ns, sample.encode_ns) == (2 * MS, 4 * MS)
    assert (sample.keyframe_ask_count, sample.flushed) == (1, True)
    empty = windows.poll(totals, 2250 * MS).sample
    assert (empty.loss_ppm, empty.frame_count, empty.latency_ns, empty.flushed) == (0, 0, None, False)


def test_probes_keep_reports_back():
    windows = ReportWindows(0)
    windows.begin_probe(800 * MS, 100 * MS)
    assert windows.probing
    assert windows.poll(Totals(received_count=5), 1000 * MS) is None
    windows.end_probe(Totals(received_count=5), 1100 * MS)
    tail = windows.poll(Totals(received_count=6), 1850 * MS)
    assert (tail.loss_ppm, tail.delivery_count, tail.sample) == (None, None, None)
    assert windows.poll(Totals(received_count=7), 2600 * MS).loss_ppm == 0


def test_a_probe_without_result_ends_by_itself():
    windows = ReportWindows(0)
    windows.begin_probe(800 * MS, 0)
    assert windows.deadline_ns() == 6800 * MS
    assert windows.poll(Totals(), 6800 * MS) is None
    assert not windows.probing
    assert windows.poll(Totals(), 7550 * MS).loss_ppm is None
    assert windows.poll(Totals(), 8300 * MS).loss_ppm == 0


def test_a_rebuild_discards_its_window_only():
    windows = ReportWindows(0)
    windows.on_pipeline_gap()
    assert windows.poll(Totals(), 750 * MS).loss_ppm is None
    assert windows.poll(Totals(), 1500 * MS).loss_ppm == 0
