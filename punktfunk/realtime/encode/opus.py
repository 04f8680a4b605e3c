"""Opus packets of constant size with exactly the stream layout that GameStream announces.

libavcodec picks streams and mapping itself and orders them as Vorbis does; the announced layout has an
identity mapping over FL FR C LFE BL BR SL SR. So the channels are permuted on the way in: whatever FFmpeg
sends to decoded channel n gets our channel n. In 5.1 of normal quality that couples C with LFE, as Sunshine
does (src/audio.cpp, stream_configs): the layout is the protocol's, not a choice.
"""

from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.wire.gamestream.audio import SAMPLE_RATE_HZ, opus_layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LAYOUT_NAMES: Final = {2: "stereo", 6: "5.1", 8: "7.1"}

_SLOTS: Final = {2: (0, 1), 6: (0, 1, 4, 5, 2, 3), 8: (0, 1, 6, 7, 4, 5, 2, 3)}
"""FFmpeg's input channel -> our channel, for coupled layouts. Made from libopusenc's Vorbis mappings
0 4 1 2 3 5 (FL C FR BL BR LFE) and 0 6 1 2 3 4 5 7 (FL C FR SL SR BL BR LFE)."""


class OpusEncoder:
    """One Opus multistream, restricted low delay, hard CBR. EnvironmentProblem if PyAV has no libopus."""

    def __init__(self, channel_count: int, *, high_quality: bool, packet_duration_ms: int) -> None:
        layout = opus_layout(channel_count, high_quality)
        self._packet_bytes = layout.packet_bytes(packet_duration_ms)
        discrete = layout.coupled_count == 0
        self._slots = tuple(range(channel_count)) if discrete else _SLOTS[channel_count]
        self._layout_name = _LAYOUT_NAMES[channel_count]
        self._position = 0
        options = {"application": "lowdelay", "vbr": "off", "frame_duration": str(packet_duration_ms)}
        if discrete:
            options["mapping_family"] = "255"
        try:
            context = av.CodecContext.create("libopus", "w")
            context.sample_rate = SAMPLE_RATE_HZ
            context.layout = self._layout_name
            context.format = "s16"
            # Rounded up to what gives whole bytes, as the size of every packet follows from it.
            context.bit_rate = self._packet_bytes * 8000 // packet_duration_ms
            context.options = options
            context.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise EnvironmentProblem(f"libopus cannot be opened: {error}") from error
        self._context: Any = context
        # PyAV makes a filter graph, which starts threads, with the first frame: here and not in pf-audio,
        # whose policy they would inherit.
        self.encode(np.zeros((SAMPLE_RATE_HZ * packet_duration_ms // 1000, channel_count), np.int16))

    def close(self) -> None:
        """End the threads behind the encoder at once, instead of when the garbage is collected."""
        self._context = None

    def encode(self, samples: "NDArray[np.int16]") -> bytes:
        """One packet from the samples of one packet duration, (samples, channels).

        PipelineFailed if libopus does not answer with exactly one packet of the constant size.
        """
        permuted = np.ascontiguousarray(samples[:, self._slots]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(permuted, format="s16", layout=self._layout_name)
        frame.sample_rate = SAMPLE_RATE_HZ
        frame.pts = self._position
        self._position += len(samples)
        try:
            packets = [bytes(packet) for packet in self._context.encode(frame)]
        except av.error.FFmpegError as error:
            raise PipelineFailed(f"libopus failed: {error}") from error
        if [len(packet) for packet in packets] != [self._packet_bytes]:
            sizes = [len(packet) for packet in packets]
            raise PipelineFailed(f"libopus gave packets of {sizes} bytes instead of {self._packet_bytes}")
        return packets[0]
