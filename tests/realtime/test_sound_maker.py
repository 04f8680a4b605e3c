"""Sound of punktfunk/1: layouts, depths, rates, and the thread that makes it."""

import select
import time
from pathlib import Path

import numpy as np
import pytest

from punktfunk.errors import PipelineFailed
from punktfunk.plan import AudioSource, NativeAudioPlan, SoundPlan
from punktfunk.realtime.capture.cycle import Cycle
from punktfunk.realtime.capture.sound import TONE_AMPLITUDE, TONE_FREQUENCIES_HZ
from punktfunk.realtime.decode.samples import open_samples
from punktfunk.realtime.encode.opus_native import NativeOpusEncoder
from punktfunk.realtime.sound_maker import SoundMaker

RATES_HZ = (44_100, 48_000, 88_200, 96_000, 176_400)
KBPS = {(6, 2): 1536, (8, 2): 2048}
JOIN_NS = 1_000_000_000


@pytest.mark.parametrize(("channels", "layout"), [(2, 0), (6, 0), (6, 1), (6, 2), (8, 0), (8, 1), (8, 2)])
def test_every_channel_arrives_where_the_layout_says(channels, layout):
    """Decoded as the client does it; a wrong table of either side swaps frequencies."""
    kbps = KBPS.get((channels, layout), 64 * channels)
    encoder = NativeOpusEncoder(
        NativeAudioPlan(AudioSource.TONE, channels, layout=layout, bitrate_bps=kbps * 1000)
    )
    decoder = open_samples(SoundPlan(is_pcm=False, channel_count=channels, rate_hz=48_000, layout=layout))
    cycle, sizes, pieces = Cycle(AudioSource.TONE, channels, 48_000, 16), [], []
    for _ in range(60):
        packet = encoder.encode(cycle.take(240))
        sizes.append(len(packet))
        pieces.append(decoder.decode(packet))
    heard = np.concatenate(pieces)[-9600:]
    for channel, frequency_hz in zip(heard.T, TONE_FREQUENCIES_HZ, strict=False):
        spectrum = np.abs(np.fft.rfft(channel * np.hanning(9600)))
        assert spectrum.argmax() * 5 == frequency_hz
        assert 0.05 < np.abs(channel).max() < 0.14
    assert np.mean(sizes[5:]) <= 1.1 * kbps * 5 / 8
    encoder.close()


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_tone_has_no_seam_at_any_rate(rate_hz, bits):
    cycle = Cycle(AudioSource.TONE, 2, rate_hz, bits)
    pieces = np.concatenate([cycle.take(count) for count in (1, 220, 221, rate_hz // 5, 0, 7)])
    times_s = np.arange(len(pieces)) / rate_hz
    expected = np.sin(2 * np.pi * 440 * times_s) * (TONE_AMPLITUDE << (bits - 16))
    assert np.abs(pieces[:, 0] - expected).max() < 1.01
    assert not Cycle(AudioSource.SILENCE, 2, rate_hz, bits).take(100).any()


def made(plan, count):
    """Run the thread until that many packets came; the packets and the counters."""
    maker, packets = SoundMaker(plan), []
    maker.start()
    try:
        while len(packets) < count:
            assert select.select([maker.event_fd], [], [], 5)[0]
            packets += maker.take()
        return packets, maker.counters()
    finally:
        maker.stop(JOIN_NS)
        maker.stop(JOIN_NS)


@pytest.mark.parametrize(("rate_hz", "bits", "frame_us"), [(44_100, 24, 5000), (48_000, 16, 2500)])
def test_pcm_is_what_the_client_reads(rate_hz, bits, frame_us):
    plan = NativeAudioPlan(
        AudioSource.TONE, 2, is_pcm=True, rate_hz=rate_hz, bits=bits, frame_us=frame_us, packet_bytes_max=1400
    )
    packets, _ = made(plan, 8)
    decoder = open_samples(SoundPlan(is_pcm=True, channel_count=2, rate_hz=rate_hz, bits=bits))
    pieces = [decoder.decode(packet.payload) for packet in packets]
    assert sum(map(len, pieces[:8])) == 8 * frame_us * rate_hz // 1_000_000
    heard = np.concatenate(pieces)[:, 0]
    expected = np.sin(2 * np.pi * 440 * np.arange(len(heard)) / rate_hz) * TONE_AMPLITUDE / 32768
    assert np.abs(heard - expected).max() < 1 / 16384


def test_packets_come_on_the_sample_clock():
    before_ns = time.time_ns()
    packets, counters = made(NativeAudioPlan(AudioSource.TONE, 2), 10)
    assert packets[0].is_first
    assert not any(packet.is_first or packet.ends_sound for packet in packets[1:])
    steps_ns = np.diff([packet.pts_ns for packet in packets])
    assert np.abs(steps_ns - 5_000_000).max() < 1_000_000
    assert before_ns - 10_000_000 <= packets[0].pts_ns <= time.time_ns()
    assert counters["sound_packets"] >= 10
    assert counters["sound_oversize"] == 0


def test_a_long_quiet_is_not_sent(monkeypatch):
    monkeypatch.setattr("punktfunk.realtime.sound_maker.QUIET_NS", 20_000_000)
    maker = SoundMaker(NativeAudioPlan(AudioSource.SILENCE, 2))
    maker.start()
    packets = []
    while not packets or not packets[-1].ends_sound:
        assert select.select([maker.event_fd], [], [], 5)[0]
        packets += maker.take()
    assert len(packets) == 4
    assert not select.select([maker.event_fd], [], [], 0.05)[0]
    maker.stop(JOIN_NS)


def test_sound_that_returns_has_no_predecessor(monkeypatch):
    monkeypatch.setattr("punktfunk.realtime.sound_maker.QUIET_NS", 10_000_000)
    taken = iter([1, 0, 0, 0, 0, 1, 1, 0, 1] + [1] * 1000)

    def take(_cycle, count):
        return np.full((count, 2), 500 * next(taken), np.int16)

    monkeypatch.setattr(Cycle, "take", take)
    packets, _ = made(NativeAudioPlan(AudioSource.TONE, 2), 7)
    marks = [(packet.is_first, packet.ends_sound) for packet in packets[:7]]
    assert marks == [
        (True, False), (False, False), (False, True), (True, False), (False, False), (False, False), (False, False)
    ]  # fmt: skip
    assert packets[3].pts_ns - packets[2].pts_ns > 14_000_000


def test_what_fits_no_datagram_is_counted(monkeypatch):
    maker = SoundMaker(NativeAudioPlan(AudioSource.TONE, 2, packet_bytes_max=10))
    maker.start()
    deadline_s = time.monotonic() + 5
    while maker.counters()["sound_oversize"] < 2 and time.monotonic() < deadline_s:
        select.select([], [], [], 0.005)
    assert maker.counters()["sound_oversize"] >= 2
    assert maker.take() == []
    maker.stop(JOIN_NS)


def test_a_failure_rings_and_is_raised(monkeypatch):
    def fail(*_arguments):
        raise PipelineFailed("libopus failed: broken")

    maker = SoundMaker(NativeAudioPlan(AudioSource.TONE, 2))
    original = NativeOpusEncoder.__init__

    def open_then_break(encoder, plan):
        original(encoder, plan)
        encoder.encode = fail

    monkeypatch.setattr(NativeOpusEncoder, "__init__", open_then_break)
    maker.start()
    assert select.select([maker.event_fd], [], [], 5)[0]
    with pytest.raises(PipelineFailed, match="pf-sound"):
        maker.take()
    assert maker.failure() is not None
    assert maker.placement().thread_name == "pf-sound"
    maker.stop(JOIN_NS)


def test_a_slow_reader_loses_the_oldest(monkeypatch):
    monkeypatch.setattr("punktfunk.realtime.sound_maker.QUEUE_PACKETS", 3)
    plan = NativeAudioPlan(AudioSource.TONE, 2, is_pcm=True, frame_us=1000)
    maker = SoundMaker(plan)
    maker.start()
    deadline_s = time.monotonic() + 5
    while maker.counters()["sound_dropped"] < 2 and time.monotonic() < deadline_s:
        select.select([], [], [], 0.002)
    packets = maker.take()
    dropped = maker.counters()["sound_dropped"]
    assert not packets[0].is_first
    assert dropped - 2 <= packets[0].lost_before <= dropped
    assert not any(packet.lost_before for packet in packets[1:])
    maker.stop(JOIN_NS)


def test_descriptors_are_given_back():
    before = len(list(Path("/proc/self/fd").iterdir()))
    made(NativeAudioPlan(AudioSource.TONE, 2, is_pcm=True, frame_us=1000), 1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
