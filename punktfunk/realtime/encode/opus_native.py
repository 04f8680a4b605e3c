"""Opus packets in the stream layouts of punktfunk/1: 5 ms, restricted low delay, constrained rate.

Channels are FL FR FC LFE RL RR SL SR (the first N). libavcodec picks streams and mapping itself, as Vorbis
has them: decoded channels FL FR, surround pairs, centre, LFE. So what it takes for channel n must be the
channel of ours that the layout sends to that place:

    channels  layout       streams / coupled  mapping          libavcodec's input is our channel
    --------  -----------  -----------------  ---------------  ---------------------------------
       2      any                1 / 1        0 1              0 1
       6      0 legacy           4 / 2        identity         0 1 4 5 2 3
       6      1 standard         4 / 2        0 1 4 5 2 3      itself: libavcodec's own layout
       8      0 legacy           5 / 3        identity         0 1 6 7 4 5 2 3
       8      1 standard         5 / 3        0 1 6 7 2 3 4 5  0 1 2 3 6 7 4 5
     6, 8     2 uncoupled        N / 0        identity         itself, in mapping family 255

Spec: punktfunk-1 section 2.10; the peer decodes by the table (``decode/samples``).
"""

from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from punktfunk.errors import EnvironmentProblem, PipelineFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from punktfunk.plan import NativeAudioPlan

OPUS_RATE_HZ: Final = 48_000
UNCOUPLED: Final = 2
AMPLE_BPS: Final = 96_000
"""A channel: from here on libopus' dearest search is not heard, and costs 170 us a stereo packet, not 100."""
_LAYOUT_NAMES: Final = {2: "stereo", 6: "5.1", 8: "7.1"}
_SLOTS: Final = {
    (6, 0): (0, 1, 4, 5, 2, 3),
    (8, 0): (0, 1, 6, 7, 4, 5, 2, 3),
    (8, 1): (0, 1, 2, 3, 6, 7, 4, 5),
}


class NativeOpusEncoder:
    """One Opus multistream. EnvironmentProblem if PyAV has no libopus."""

    def __init__(self, plan: "NativeAudioPlan") -> None:
        uncoupled = plan.channel_count > 2 and plan.layout == UNCOUPLED
        every = tuple(range(plan.channel_count))
        self._slots = every if uncoupled else _SLOTS.get((plan.channel_count, plan.layout), every)
        self._layout_name = _LAYOUT_NAMES[plan.channel_count]
        self._position = 0
        options = {
            "application": "lowdelay",
            "vbr": "constrained",
            "frame_duration": f"{plan.frame_us / 1000:g}",
        }
        if plan.bitrate_bps >= AMPLE_BPS * plan.channel_count:
            options["compression_level"] = "5"
        if uncoupled:
            # At hundreds of kilobits a channel there is nothing to gain, and the size of packets is known.
            options |= {"mapping_family": "255", "vbr": "off"}
        try:
            context = av.CodecContext.create("libopus", "w")
            context.sample_rate = OPUS_RATE_HZ
            context.layout = self._layout_name
            context.format = "s16"
            context.bit_rate = plan.bitrate_bps
            context.options = options
            context.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise EnvironmentProblem(
                f"libopus cannot be opened: {error}", hint="Install a PyAV that has libopus (its wheels do)."
            ) from error
        self._context: Any = context
        # PyAV makes a filter graph, which starts threads, with the first frame: here and not in the thread
        # that is realtime, whose policy they would inherit.
        self.encode(np.zeros((OPUS_RATE_HZ * plan.frame_us // 1_000_000, plan.channel_count), np.int16))

    def close(self) -> None:
        """End the threads behind the encoder at once, instead of when the garbage is collected."""
        self._context = None

    def encode(self, samples: "NDArray[np.int16]") -> bytes:
        """One packet from the samples of one frame, (samples, channels); PipelineFailed if it fails."""
        permuted = np.ascontiguousarray(samples[:, self._slots]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(permuted, format="s16", layout=self._layout_name)
        frame.sample_rate = OPUS_RATE_HZ
        frame.pts = self._position
        self._position += len(samples)
        try:
            packets = [bytes(packet) for packet in self._context.encode(frame)]
        except av.error.FFmpegError as error:
            raise PipelineFailed(f"libopus failed: {error}") from error
        if len(packets) != 1:
            raise PipelineFailed(f"libopus gave {len(packets)} packets for one frame")
        return packets[0]
