"""pf-voice: the microphone's samples to Opus packets, only while the user wishes it."""

import threading
import time
from collections.abc import Callable
from typing import Final

from punktfunk.control.client.window.speaker import SdlMicrophone
from punktfunk.realtime import VoiceEncoder

POLL_S: Final = 0.004
PACKET_BYTES: Final = VoiceEncoder.PACKET_SAMPLES * 2
PACKET_NS: Final = VoiceEncoder.PACKET_SAMPLES * 1_000_000_000 // VoiceEncoder.RATE_HZ


class Microphone:
    """``send(sequence, captured_ns, opus)`` is called by the thread; ``captured_ns`` is CLOCK_MONOTONIC.

    ``failed`` is called by it if it dies.

    EnvironmentProblem if there is no device or no encoder. ``stop`` must be called.
    """

    def __init__(
        self,
        send: Callable[[int, int, bytes], None],
        failed: Callable[[BaseException], None],
        first_sequence: int = 0,
    ) -> None:
        self._encoder = VoiceEncoder()
        self._device = SdlMicrophone(VoiceEncoder.RATE_HZ)
        self._send = send
        self._failed = failed
        self.sequence = first_sequence
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pf-voice", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and give the device back."""
        self._ended.set()
        self._thread.join()
        self._device.close()

    def _run(self) -> None:
        try:
            self._record()
        except (OSError, ValueError) as error:  # what PyAV and ctypes raise
            self._failed(error)

    def _record(self) -> None:
        while not self._ended.wait(POLL_S):
            while (samples := self._device.take(PACKET_BYTES)) is not None:
                captured_ns = time.monotonic_ns() - PACKET_NS
                for opus in self._encoder.encode(samples):
                    self._send(self.sequence, captured_ns, opus)
                    self.sequence = (self.sequence + 1) & 0xFFFFFFFF
