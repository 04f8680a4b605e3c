"""SDL's audio devices: one that plays, one that records.

Both are fed and emptied through SDL's queues, from threads of ours; SDL converts rate and channels to what
the device has.
"""

import ctypes
from typing import TYPE_CHECKING, Any, Final

from punktfunk.control.client.window.sdl import need, pointer, sdl

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PERIOD_S: Final = 0.005
SAMPLE_BYTES: Final = 4


class SdlSpeaker:
    """Plays float32 samples. EnvironmentProblem if there is no device."""

    def __init__(self, channel_count: int, rate_hz: int) -> None:
        lib = sdl()
        wanted = lib.SDL_AudioSpec(rate_hz, lib.AUDIO_F32SYS, channel_count, _period(rate_hz))
        got = lib.SDL_AudioSpec(0, 0, 0, 0)
        self._device = lib.SDL_OpenAudioDevice(None, 0, pointer(wanted), pointer(got), 0)
        need(self._device, "open a device for sound")
        self._bytes_per_s = rate_hz * channel_count * SAMPLE_BYTES
        self.latency_ns = 2 * got.samples * 1_000_000_000 // max(got.freq, 1)
        lib.SDL_PauseAudioDevice(self._device, 0)

    def waiting_ns(self) -> int:
        """Tell how much is queued before the device's own buffer."""
        return int(sdl().SDL_GetQueuedAudioSize(self._device)) * 1_000_000_000 // self._bytes_per_s

    def play(self, samples: "NDArray[np.float32]") -> None:
        """Append samples, (count, channels)."""
        data = samples.astype("f4", copy=False).tobytes()
        sdl().SDL_QueueAudio(self._device, data, len(data))

    def close(self) -> None:
        """Give the device back; nobody may play any more."""
        sdl().SDL_CloseAudioDevice(self._device)


class SdlMicrophone:
    """Records 16-bit mono. EnvironmentProblem if there is no device."""

    def __init__(self, rate_hz: int) -> None:
        lib = sdl()
        wanted = lib.SDL_AudioSpec(rate_hz, lib.AUDIO_S16SYS, 1, _period(rate_hz))
        got = lib.SDL_AudioSpec(0, 0, 0, 0)
        self._device = lib.SDL_OpenAudioDevice(None, 1, pointer(wanted), pointer(got), 0)
        need(self._device, "open a microphone")
        lib.SDL_PauseAudioDevice(self._device, 0)

    def take(self, byte_count: int) -> bytes | None:
        """Take exactly so many bytes; None while fewer are there."""
        lib = sdl()
        if lib.SDL_GetQueuedAudioSize(self._device) < byte_count:
            return None
        buffer: Any = ctypes.create_string_buffer(byte_count)
        count = lib.SDL_DequeueAudio(self._device, buffer, byte_count)
        return bytes(buffer.raw[:count]) if count == byte_count else None

    def close(self) -> None:
        """Give the device back."""
        sdl().SDL_CloseAudioDevice(self._device)


def _period(rate_hz: int) -> int:
    """Tell the samples of one device period: a power of two, as some drivers take nothing else."""
    return 1 << (round(rate_hz * PERIOD_S) - 1).bit_length()
