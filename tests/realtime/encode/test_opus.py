import struct
import time
from pathlib import Path

import av
import numpy as np
import pytest

from punktfunk.errors import PipelineFailed
from punktfunk.plan import AudioPlan, AudioSource
from punktfunk.realtime.capture.sound import TONE_FREQUENCIES_HZ, Tone, open_sound
from punktfunk.realtime.encode.opus import OpusEncoder
from punktfunk.wire.gamestream.audio import opus_layout

# libavcodec's libopus takes decoded channels for Vorbis' order and sorts them; this undoes it (vorbis_data.c,
# ff_vorbis_channel_layout_offsets). Its own decoder "opus" does not sort, but PyAV crashes on 8 planes.
SORTED = {2: (0, 1), 6: (0, 2, 1, 5, 3, 4), 8: (0, 2, 1, 7, 5, 6, 3, 4)}


def client(layout):
    """A decoder that was given the layout a client is told, with an identity mapping."""
    context = av.CodecContext.create("libopus", "r")
    head = struct.pack("<BBHIHB", 1, layout.channel_count, 0, 48_000, 0, 255)
    counts = bytes((layout.stream_count, layout.coupled_count, *layout.mapping))
    context.extradata = b"OpusHead" + head + counts
    context.sample_rate = 48_000
    context.layout = {2: "stereo", 6: "5.1", 8: "7.1"}[layout.channel_count]
    context.open()
    return context


@pytest.mark.parametrize("duration_ms", [5, 10])
@pytest.mark.parametrize("high_quality", [False, True])
@pytest.mark.parametrize("channels", [2, 6, 8])
def test_every_channel_arrives_where_the_announced_layout_says(channels, high_quality, duration_ms):
    layout = opus_layout(channels, high_quality)
    encoder = OpusEncoder(channels, high_quality=high_quality, packet_duration_ms=duration_ms)
    tone = Tone(channels, duration_ms)
    decoder = client(layout)
    sizes, chunks = set(), []
    for _ in range(700 // duration_ms):
        packet = encoder.encode(tone.next())
        sizes.add(len(packet))
        chunks += [frame.to_ndarray() for frame in decoder.decode(av.Packet(packet))]
    assert sizes == {layout.packet_bytes(duration_ms)}
    samples = np.concatenate(chunks, axis=1).reshape(-1, channels)[-24_000:] / 32768
    heard = samples[:, np.argsort(SORTED[channels])].T
    for channel, frequency_hz in zip(heard, TONE_FREQUENCIES_HZ, strict=False):
        spectrum = np.abs(np.fft.rfft(channel * np.hanning(24_000)))
        assert spectrum.argmax() * 2 == frequency_hz
        assert 0.06 < np.abs(channel).max() < 0.13


def test_silence_has_the_same_packet_size():
    encoder = OpusEncoder(2, high_quality=False, packet_duration_ms=5)
    silence = open_sound(
        AudioPlan(
            AudioSource.SILENCE,
            2,
            high_quality=False,
            packet_duration_ms=5,
            encryption_key=None,
            encryption_iv_id=0,
        )
    )
    assert {len(encoder.encode(silence.next())) for _ in range(50)} == {60}


def test_a_wrong_number_of_samples_is_noticed():
    encoder = OpusEncoder(2, high_quality=False, packet_duration_ms=5)
    with pytest.raises(PipelineFailed, match="libopus"):
        encoder.encode(np.zeros((480, 2), np.int16))


def test_threads_start_with_the_encoder_and_end_with_it():
    before = threads()
    encoder = OpusEncoder(2, high_quality=False, packet_duration_ms=5)
    opened = threads()
    for _ in range(3):
        encoder.encode(np.zeros((240, 2), np.int16))
    assert threads() == opened
    encoder.close()
    # A thread that was joined is still listed until the kernel has done its last bit of work.
    deadline = time.monotonic() + 10
    while threads() != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() == before


def threads():
    return {entry.name for entry in Path("/proc/self/task").iterdir()}
