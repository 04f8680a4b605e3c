"""The microphone's encoder: Opus for speech, 10 ms packets with in-band FEC (punktfunk-1 §2.10, tag CB)."""

from typing import Any, Final

import av
import numpy as np

from punktfunk.errors import EnvironmentProblem

BITRATE_BPS: Final = 48_000
EXPECTED_LOSS_PERCENT: Final = 10


class VoiceEncoder:
    """Mono, 16 bit. EnvironmentProblem if PyAV has no libopus."""

    RATE_HZ: Final = 48_000
    PACKET_SAMPLES: Final = 480

    def __init__(self) -> None:
        try:
            context = av.CodecContext.create("libopus", "w")
            context.sample_rate = self.RATE_HZ
            context.layout = "mono"
            context.format = "s16"
            context.bit_rate = BITRATE_BPS
            context.options = {
                "application": "voip",
                "frame_duration": "10",
                "fec": "1",
                "packet_loss": str(EXPECTED_LOSS_PERCENT),
            }
            context.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise EnvironmentProblem(f"libopus cannot be opened for the microphone: {error}") from error
        self._context: Any = context
        self._position = 0

    def encode(self, samples: bytes) -> list[bytes]:
        """Encode PACKET_SAMPLES little-endian 16-bit samples; the first call may give nothing."""
        array = np.frombuffer(samples, np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(array, format="s16", layout="mono")
        frame.sample_rate = self.RATE_HZ
        frame.pts = self._position
        self._position += self.PACKET_SAMPLES
        return [bytes(packet) for packet in self._context.encode(frame)]
