"""What ``bench throughput`` is made of, on streams of a tenth of a second."""

import pytest

from punktfunk.errors import Misuse
from punktfunk.measure import throughput
from punktfunk.measure.carried import Carried, Stream, carry
from punktfunk.measure.options import ThroughputOptions


def test_a_stream_is_carried_whole():
    carried = carry(Stream(40_000_000, 240, 50, 20_000, 0.1, priority=0))
    assert carried.clean
    assert carried.frame_count == carried.taken_count == 24
    assert carried.counters["injected_losses"] > 0
    assert carried.counters["datagrams"] == carried.counters["injected_losses"] + carried.counters["packets"]
    assert carried.sender_percent > 0 < carried.receiver_percent
    assert carried.pushed_to_complete_us.size == 24
    assert (carried.pushed_to_complete_us > 0).all()


def test_what_is_lost_is_counted():
    carried = carry(Stream(40_000_000, 240, 0, 300_000, 0.1, priority=0))
    assert not carried.clean
    assert carried.lost_count > 0
    assert carried.corrupt_bytes == 0


def test_rows(monkeypatch):
    streams = []

    def told(stream):
        streams.append(stream)
        return replaced(carried, clean=stream.rate_bps <= 2_500_000_000)

    carried = carry(Stream(10_000_000, 240, 20, 0, 0.05, priority=0))
    monkeypatch.setattr(throughput, "carry", told)
    benchmark = throughput.benchmark(ThroughputOptions())
    rows = {row.case: row for row in benchmark.rows()}
    assert rows["frames lost"].met
    assert rows["5 % loss, 25 % parity: frames lost"].met
    assert rows["highest clean rate of access units"].ours == 2.5
    assert (streams[0].percent, streams[0].loss_ppm, streams[0].frame_bytes) == (20, 10_000, 729_166)
    assert (streams[1].percent, streams[1].loss_ppm) == (25, 50_000)
    assert (streams[2].rate_bps, streams[2].refresh_hz) == (20_000_000, 120)
    assert len(throughput.benchmark(ThroughputOptions(highest=False)).steps) == 3
    other = throughput.stream_rows(ThroughputOptions(rate_mbps=100))
    assert all(row.floor is None for row in other)


def replaced(carried: Carried, *, clean: bool) -> Carried:
    carried.taken_count = carried.frame_count - (not clean)
    return carried


@pytest.mark.parametrize(
    "changes",
    [
        {"rate_mbps": 0},
        {"refresh_hz": 0},
        {"percent": 91},
        {"loss_percent": 100.5},
        {"seconds": 0},
        {"rate_mbps": 20_000, "refresh_hz": 10},
    ],
)
def test_streams_that_no_session_has(changes):
    with pytest.raises(Misuse):
        ThroughputOptions(**changes).check()
