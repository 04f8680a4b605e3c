"""Decode what a client received, and say which tone each channel plays."""

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE_HZ = 48_000
VORBIS_PLACES = {6: (0, 2, 1, 5, 3, 4), 8: (0, 2, 1, 7, 5, 6, 3, 4)}
"""FFmpeg's decoder takes surround for Vorbis order and moves its channels (libavcodec/libopusdec.c, libopus_decode_init;
vorbis_data.c, ff_vorbis_channel_layout_offsets)."""

SKIPPED_PACKETS = 20
"""The first packets after a start or a gap carry the codec's own settling."""


def opus_head(opus: dict[str, Any]) -> bytes:
    """RFC 7845 section 5.1, mapping family 255: what a multistream decoder must know; channels come out unmoved."""
    mapping = list(opus["mapping"])
    for place, vorbis in enumerate(VORBIS_PLACES.get(opus["channels"], ())):
        mapping[vorbis] = opus["mapping"][place]
    head = struct.pack("<8sBBHIhB", b"OpusHead", 1, opus["channels"], 0, RATE_HZ, 0, 255)
    return head + bytes([opus["streams"], opus["coupled"], *mapping])


def decode_packets(path: Path, opus: dict[str, Any]) -> np.ndarray:
    """Samples of every channel, (channels, samples)."""
    decoder = av.CodecContext.create("libopus", "r")
    decoder.extradata = opus_head(opus)
    data, at, parts = path.read_bytes(), 0, []
    while at < len(data):
        (length,) = struct.unpack_from(">H", data, at)
        for frame in decoder.decode(av.Packet(data[at + 2 : at + 2 + length])):
            samples = frame.to_ndarray()
            parts.append(samples.reshape(-1, opus["channels"]).T if samples.shape[0] == 1 else samples)
        at += 2 + length
    return np.concatenate(parts[SKIPPED_PACKETS:], axis=1).astype(np.float64)


def loudest_hz(samples: np.ndarray) -> float:
    """Frequency of the strongest tone."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * RATE_HZ / samples.size)
