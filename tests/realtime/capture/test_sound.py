import numpy as np
import pytest

from punktfunk.plan import AudioPlan, AudioSource
from punktfunk.realtime.capture.sound import TONE_AMPLITUDE, TONE_FREQUENCIES_HZ, open_sound


def plan(source, channels, duration_ms):
    return AudioPlan(
        source,
        channels,
        high_quality=False,
        packet_duration_ms=duration_ms,
        encryption_key=None,
        encryption_iv_id=0,
    )


@pytest.mark.parametrize("duration_ms", [5, 10])
@pytest.mark.parametrize("channels", [2, 6, 8])
def test_tone_has_one_frequency_per_channel_and_no_seam(channels, duration_ms):
    sound = open_sound(plan(AudioSource.TONE, channels, duration_ms))
    samples = np.concatenate([sound.next() for _ in range(1000 // duration_ms)]).astype(float)
    assert samples.shape == (48_000, channels)
    for channel, frequency_hz in zip(samples.T, TONE_FREQUENCIES_HZ, strict=False):
        spectrum = np.abs(np.fft.rfft(channel))
        assert spectrum.argmax() == frequency_hz
        # Nothing beside the tone: a seam would spread over the whole spectrum.
        assert np.delete(spectrum, frequency_hz).max() < spectrum.max() / 1000
    assert np.abs(samples).max() <= TONE_AMPLITUDE
    sound.close()


def test_silence_is_silent():
    sound = open_sound(plan(AudioSource.SILENCE, 6, 5))
    assert sound.next().shape == (240, 6)
    assert not sound.next().any()
    sound.close()
