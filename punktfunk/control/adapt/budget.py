"""Bitrates of punktfunk/1: what a link's budget leaves for the encoder, and how large a frame may be.

Bitrates on the wire (Hello, Welcome, SetBitrate, BitrateChanged) are the whole budget: headers, seals, parity
and audio spend it. Kilobits a second everywhere, integer division as the protocol has it.
Spec: punktfunk-1.md sections 2.3, 2.7 and 2.9.
"""

from typing import Final

from punktfunk.wire.native.placing import FRAME_BYTES_MAX, frame_ceiling_bytes

DEFAULT_KBPS: Final = 20_000
LEAST_KBPS: Final = 500
MOST_KBPS: Final = 8_000_000

PACKET_OVERHEAD_BYTES: Final = 64
"""Sequence, header and tag around every shard."""

FRAME_CEILING_MOST_BYTES: Final = FRAME_BYTES_MAX
frame_ceiling: Final = frame_ceiling_bytes
"""(bitrate_kbps, refresh_hz) -> bytes that a receiver takes for one frame."""


def clamp_kbps(asked_kbps: int) -> int:
    """Budget that a host grants for the one asked in Hello or SetBitrate; 0 asks for the default."""
    return min(max(asked_kbps, LEAST_KBPS), MOST_KBPS) if asked_kbps else DEFAULT_KBPS


def encoder_bitrate(budget_kbps: int, audio_kbps: int, fec_percent: int, shard_bytes: int) -> int:
    """Kilobits a second that the encoder may make inside a wire budget; never under 500."""
    video_kbps = max(0, budget_kbps - audio_kbps)
    scaled = video_kbps * shard_bytes * 100
    return max(LEAST_KBPS, scaled // ((shard_bytes + PACKET_OVERHEAD_BYTES) * (100 + fec_percent)))


def wire_bitrate(encoder_kbps: int, audio_kbps: int, fec_percent: int, shard_bytes: int) -> int:
    """Wire budget that an encoder's rate stands for: what BitrateChanged names."""
    scaled = encoder_kbps * (shard_bytes + PACKET_OVERHEAD_BYTES) * (100 + fec_percent)
    return scaled // (shard_bytes * 100) + audio_kbps


def stream_ceiling(
    width_px: int, height_px: int, refresh_hz: int, *, bit_depth: int = 8, chroma_444: bool = False
) -> int:
    """Kilobits a second beyond which no picture of this mode gets better: what a ramp asks for at most.

    0.75 bits a pixel, as the reference client has it, more for ten bits and for full chroma.
    """
    tenths = 75 * (125 if bit_depth > 8 else 100) * (150 if chroma_444 else 100)
    return max(DEFAULT_KBPS, width_px * height_px * refresh_hz * tenths // 1_000_000_000)
