"""The instruments of ``bench throughput``: what they push is what they take, and what is wrong is counted."""

import numpy as np
import pytest
from receiving import LONG_NS, linked, until

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import FrameType
from punktfunk.realtime.carrying import UnitTaker, feed_units


def carried(units, expected, count):
    with linked() as link:
        taker = UnitTaker(link.receiver, expected, count)
        taker.start()
        link.sender.push(units[0].tobytes(), frame_type=FrameType.IDR, captured_ns=0, encoded_ns=0, pts_ns=0)
        assert link.sender.send_next()
        for _ in range(count - 1):
            assert feed_units(link.sender, units, 1000, 1).tolist()[0] > 0
            assert link.sender.send_next()
        until(lambda: link.receiver.counters()["frames"] == count)
        taker.finish()
        assert link.sender.next_frame_index == count
        with pytest.raises(LocalProtocolError):
            feed_units(link.sender, np.zeros((1, 9 << 20), np.uint8), 1, 1)
        assert link.receiver.pop() is None
        link.receiver.stop(LONG_NS)
        return taker


def test_units_are_carried_whole():
    units = np.random.default_rng(5).integers(0, 256, (3, 40_000), np.uint8)
    taker = carried(units, units, 8)
    assert taker.wrong_bytes == 0
    assert (np.diff(taker.complete_ns) > 0).all()


def test_wrong_bytes_are_counted():
    units = np.zeros((3, 40_000), np.uint8)
    expected = units.copy()
    expected[1, 7] = expected[1, 39_999] = 1
    assert carried(units, expected, 8).wrong_bytes == 2 * 3
    assert carried(units, np.zeros((1, 40_010), np.uint8), 2).wrong_bytes == 20
