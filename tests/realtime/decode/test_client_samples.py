"""Audio packets to samples: every layout of the protocol keeps its channels apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import SoundPlan
from punktfunk.realtime.capture.sound import TONE_FREQUENCIES_HZ, Tone
from punktfunk.realtime.decode.samples import OpusSamples, open_samples
from punktfunk.realtime.encode.opus import OpusEncoder

RATE_HZ = 48_000


def opus_plan(channels, layout=0):
    return SoundPlan(is_pcm=False, channel_count=channels, rate_hz=RATE_HZ, layout=layout)


def loudest_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * RATE_HZ / len(samples)


@pytest.mark.parametrize(
    ("channels", "layout", "high"), [(2, 0, False), (6, 0, False), (6, 2, True), (8, 2, True)]
)
def test_each_channel_carries_its_tone(channels, layout, high):
    encoder, decoder = (
        OpusEncoder(channels, high_quality=high, packet_duration_ms=5),
        OpusSamples(opus_plan(channels, layout)),
    )
    tone = Tone(channels, 5)
    heard = np.concatenate([decoder.decode(encoder.encode(tone.next())) for _ in range(60)])[2400:]
    assert heard.shape[1] == channels
    assert heard.dtype == np.float32
    for channel in range(channels):
        if channel == 3 and not high:
            continue  # the low-frequency channel of a coupled layout shares its bits with the centre
        assert loudest_hz(heard[:, channel]) == pytest.approx(TONE_FREQUENCIES_HZ[channel], abs=30)


@pytest.mark.parametrize("channels", [2, 6, 8])
@pytest.mark.parametrize("layout", [0, 1, 2])
def test_every_layout_opens_and_silence_is_silence(channels, layout):
    samples = open_samples(opus_plan(channels, layout)).decode(b"")
    assert samples.shape == (240, channels)
    assert not samples.any()


def test_an_unknown_layout_says_what_to_do():
    with pytest.raises(EnvironmentProblem, match="layout 9") as caught:
        OpusSamples(opus_plan(6, 9))
    assert "--audio-channels 2" in caught.value.hint


@given(payload=st.binary(min_size=1, max_size=400))
@settings(max_examples=40, deadline=None)
def test_garbage_is_samples_or_none(payload):
    samples = _DECODER.decode(payload)
    assert samples is None or samples.shape[1] == 2


_DECODER = OpusSamples(opus_plan(2))


@pytest.mark.parametrize("bits", [16, 24])
def test_pcm_is_scaled_to_one(bits):
    decoder = open_samples(SoundPlan(is_pcm=True, channel_count=2, rate_hz=RATE_HZ, bits=bits))
    top = (1 << (bits - 1)) - 1
    payload = b"".join(value.to_bytes(bits // 8, "little", signed=True) for value in (0, top, -top - 1, 1))
    assert decoder.decode(payload) == pytest.approx(np.array([[0, 1], [-1, 1 / (top + 1)]]), abs=1e-4)
    assert decoder.decode(payload[:-1]) is None
