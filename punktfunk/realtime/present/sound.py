"""pf-sound: packets to samples to the device, with concealment and in step with the picture.

The device is fed ahead of time (SDL's queue) and not by its own callback: a callback would need the GIL at a
moment that it cannot choose. The thread sleeps until a packet comes or the device is about to run dry.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from punktfunk.plan import SoundPlan
from punktfunk.realtime.decode.samples import open_samples
from punktfunk.realtime.present.concealment import Concealer
from punktfunk.realtime.present.playout import Change, Playout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

MOST_CONCEALED: Final = 12
"""Packets in a row that are made up; the concealment is silent by then."""

LARGEST_STEP: Final = 200
"""Packets; a larger step of the sequence is a new beginning and no loss."""

FIRST_PACKETS: Final = 2
MOST_WAITING: Final = 64
IDLE_S: Final = 0.25


class Speaker(Protocol):
    """An opened device that plays float32 samples."""

    latency_ns: int
    """How long a sample takes from the queue's end to the ear, as far as the device says."""

    def waiting_ns(self) -> int:
        """Tell how much is queued before the device's own buffer."""

    def play(self, samples: "Samples") -> None:
        """Append samples, (count, channels)."""


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """One audio packet as it came: ``sequence`` modulo 2**32, ``captured_ns`` on this machine's clock."""

    sequence: int
    captured_ns: int
    payload: bytes


class SoundPlayer:
    """The sound of one session. ``picture_delay_ns`` answers capture to screen, None while unknown.

    ``on_failure`` is called once, by the thread, if it dies.
    """

    def __init__(
        self,
        plan: SoundPlan,
        speaker: Speaker,
        picture_delay_ns: Callable[[], int | None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._samples = open_samples(plan)
        self._frame_count = plan.rate_hz * plan.frame_us // 1_000_000
        self._frame_ns = plan.frame_us * 1000
        self._channel_count = plan.channel_count
        self._rate_hz = plan.rate_hz
        self._speaker = speaker
        self._picture_delay_ns = picture_delay_ns
        self._on_failure = on_failure
        self._concealer = Concealer(plan.channel_count, plan.rate_hz)
        self._playout = Playout(self._frame_ns)
        self._waiting: deque[SoundPacket] = deque(maxlen=MOST_WAITING)
        self._wake = threading.Condition()
        self._ended = False
        self._muted = False
        self._silent = False
        self._expected: int | None = None
        self._ahead = 0  # concealed packets whose originals may still come
        self._carried: Samples | None = None
        self._thread = threading.Thread(target=self._run, name="pf-sound", daemon=True)
        self._counts = {"played": 0, "concealed": 0, "lost": 0, "late": 0, "undecodable": 0, "changed": 0}
        self.delay_ns: int | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, join_ns: int) -> None:
        """End the thread within ``join_ns``."""
        with self._wake:
            self._ended = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join(join_ns / 1e9)

    def packet(self, packet: SoundPacket) -> None:
        """Take a packet, from any thread. The oldest goes if nobody plays them."""
        with self._wake:
            self._waiting.append(packet)
            self._wake.notify()

    def silence(self, *, on: bool) -> None:
        """Play nothing, by this user's wish; delays are kept up."""
        self._silent = on

    def mute(self, *, muted: bool) -> None:
        """Say that the host has muted itself: what does not come is not concealed (punktfunk-1 §2.5)."""
        self._muted = muted

    def counters(self) -> dict[str, int]:
        """Packets played, made up, lost and late, and numbers of the buffer in microseconds."""
        error_ns = self._playout.sync_error_ns
        return self._counts | {
            "target_us": self._playout.target_ns // 1000,
            "sync_error_us": 0 if error_ns is None else error_ns // 1000,
        }

    def _run(self) -> None:
        try:
            self._play_all()
        except Exception as error:  # noqa: BLE001  (whatever it is, the owner is to hear of it)
            self._on_failure(error)

    def _play_all(self) -> None:
        while True:
            with self._wake:
                if not self._waiting and not self._ended:
                    self._wake.wait(self._patience_s())
                if self._ended:
                    return
                packets = list(self._waiting)
                self._waiting.clear()
            if self._expected is None:
                packets = packets[-FIRST_PACKETS:]  # what waited for the device to open is past
            for packet in packets:
                self.take(packet, time.monotonic_ns())
            if not packets:
                self.bridge()

    def _patience_s(self) -> float:
        """How long the device can do without a packet."""
        if self._expected is None or self._muted or self._ahead >= MOST_CONCEALED:
            return IDLE_S
        return max(0, self._speaker.waiting_ns() - self._frame_ns) / 1e9 + 0.0005

    def bridge(self) -> None:
        """Nothing came: conceal one packet if the device is about to run dry."""
        if self._expected is None or self._muted or self._ahead >= MOST_CONCEALED:
            return
        if self._speaker.waiting_ns() > self._frame_ns + 1_000_000:
            return
        self._playout.ran_dry()
        self._conceal(1)
        self._ahead += 1

    def take(self, packet: SoundPacket, now_ns: int) -> None:
        """Decode and play one packet, and what is missing before it."""
        level_ns = self._speaker.waiting_ns()
        missing = self._missing_before(packet)
        if missing is None or (not level_ns and self._ahead >= MOST_CONCEALED):
            self._begin()
        elif missing < 0:
            self._counts["late"] += 1
            return
        else:
            self._counts["lost"] += missing
            self._conceal(min(max(missing - self._ahead, 0), MOST_CONCEALED))
        self._ahead = 0
        self._expected = (packet.sequence + 1) % 0x100000000
        samples = self._samples.decode(packet.payload)
        if samples is None:
            self._counts["undecodable"] += 1
            self._conceal(1)
            return
        change = self._playout.packet(level_ns, self._sync_error_ns(packet, now_ns), now_ns)
        self._counts["played"] += 1
        self._counts["changed"] += change is not Change.NOTHING
        self._play(self._concealer.heard(samples), change)

    def _missing_before(self, packet: SoundPacket) -> int | None:
        """Packets between the last one and this; negative if it is late, None if this is a new beginning."""
        if self._expected is None:
            return None
        step = (packet.sequence - self._expected + 0x80000000) % 0x100000000 - 0x80000000
        return step if abs(step) <= LARGEST_STEP else None

    def _begin(self) -> None:
        """Start or start anew: silence as long as the target, so that the next late packet is none."""
        count = self._playout.target_ns * self._rate_hz // 1_000_000_000
        self._speaker.play(np.zeros((count, self._channel_count), np.float32))
        self._carried = None

    def _conceal(self, count: int) -> None:
        for _ in range(count):
            self._counts["concealed"] += 1
            self._play(self._concealer.extend(self._frame_count), Change.NOTHING)

    def _sync_error_ns(self, packet: SoundPacket, now_ns: int) -> int | None:
        self.delay_ns = now_ns + self._speaker.waiting_ns() + self._speaker.latency_ns - packet.captured_ns
        picture_ns = self._picture_delay_ns()
        return None if picture_ns is None else picture_ns - self.delay_ns

    def _play(self, samples: "Samples", change: Change) -> None:
        """Play a packet; a shortened one waits and is blended with the next."""
        if self._carried is not None:
            samples = _blend(self._carried, samples)
            self._carried = None
        if self._silent:
            samples = np.zeros_like(samples)
        if change is Change.SHORTEN:
            self._carried = samples
            return
        self._speaker.play(samples)
        if change is Change.LENGTHEN:
            self._speaker.play(self._concealer.extend(len(samples)))


def _blend(first: "Samples", second: "Samples") -> "Samples":
    """One packet that begins as ``first`` and ends as ``second``."""
    count = min(len(first), len(second))
    rise = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)[:, None]
    blended: Samples = first[:count] * (1 - rise) + second[:count] * rise
    return blended
