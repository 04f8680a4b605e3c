"""Rates and ceilings: the protocol's numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.control.adapt.budget import (
    clamp_kbps,
    encoder_bitrate,
    frame_ceiling,
    stream_ceiling,
    wire_bitrate,
)


def test_encoder_rate():
    assert encoder_bitrate(20_000, 300, 10, 1408) == 17_130
    assert wire_bitrate(17_130, 300, 10, 1408) == 19_999
    assert encoder_bitrate(500, 8500, 50, 1408) == 500


@pytest.mark.parametrize(
    ("kbps", "hz", "ceiling"), [(50_000, 240, 8_388_608), (1_500_000, 60, 12_500_000), (0, 60, 67_108_864)]
)
def test_frame_ceiling(kbps, hz, ceiling):
    assert frame_ceiling(kbps, hz) == ceiling
    assert frame_ceiling(8_000_000, 0) == 67_108_864


def test_clamped_rates():
    assert [clamp_kbps(kbps) for kbps in (0, 1, 500, 25_000, 9_000_000)] == [
        20_000,
        500,
        500,
        25_000,
        8_000_000,
    ]


@given(
    st.integers(10_000, 8_000_000),
    st.integers(0, 2000),
    st.integers(0, 90),
    st.sampled_from([512, 1388, 1408, 8908]),
)
def test_the_way_back_stays_inside_the_budget(budget, audio, percent, shard_bytes):
    encoder = encoder_bitrate(budget, audio, percent, shard_bytes)
    assert budget - 4 <= wire_bitrate(encoder, audio, percent, shard_bytes) <= budget


def test_stream_ceiling():
    assert stream_ceiling(1920, 1080, 60) == 93_312
    assert stream_ceiling(1920, 1080, 60, bit_depth=10) > stream_ceiling(1920, 1080, 60)
    assert stream_ceiling(640, 480, 30) == 20_000
