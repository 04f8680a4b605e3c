"""Sound at the client: loss is concealed, the buffer follows jitter and picture, and nothing clicks."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from client_pictures import MS
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.plan import SoundPlan
from punktfunk.realtime.present.concealment import Concealer
from punktfunk.realtime.present.playout import (
    MARGIN_LEAST_NS,
    MARGIN_MOST_NS,
    SYNC_MOST_NS,
    Change,
    Playout,
)
from punktfunk.realtime.present.sound import MOST_CONCEALED, SoundPacket, SoundPlayer

RATE_HZ = 48_000
FRAME = 240
FRAME_NS = 5 * MS
PLAN = SoundPlan(is_pcm=True, channel_count=2, rate_hz=RATE_HZ)


def wave(first, count=FRAME, hertz=440.0):
    times = np.arange(first * FRAME, first * FRAME + count) / RATE_HZ
    return np.repeat(np.sin(2 * np.pi * hertz * times)[:, None] * 0.5, 2, axis=1).astype(np.float32)


def payload(index):
    return (wave(index) * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("hertz", [82.4, 440, 1000, 3520])
def test_a_lost_packet_of_a_tone_is_hardly_heard(hertz):
    concealer = Concealer(2, RATE_HZ)
    for index in range(6):
        concealer.heard(wave(index, hertz=hertz))
    made = concealer.extend(FRAME)
    after = concealer.heard(wave(7, hertz=hertz))
    error = np.concatenate((made - wave(6, hertz=hertz), after - wave(7, hertz=hertz)))
    assert np.sqrt((error**2).mean()) < 0.12 * np.sqrt((wave(6, hertz=hertz) ** 2).mean())
    assert not concealer.extending


def test_a_long_loss_fades_to_silence_and_comes_back_without_a_step():
    concealer = Concealer(2, RATE_HZ)
    for index in range(6):
        concealer.heard(wave(index))
    parts = [concealer.extend(FRAME) for _ in range(14)]
    loudness = [float(np.abs(part).max()) for part in parts]
    assert loudness[0] > 0.4
    assert loudness[-1] == 0
    assert concealer.exhausted
    back = concealer.heard(wave(20))
    assert np.abs(np.diff(np.concatenate((parts[-1], back))[:, 0])).max() < 0.1


@given(noise=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.0, 1e-8, 1.0, 1e4]))
@settings(max_examples=30, deadline=None)
def test_concealment_of_anything_is_finite_and_no_louder(noise, scale):
    concealer = Concealer(2, RATE_HZ)
    past = (np.random.default_rng(noise).standard_normal((960, 2)) * scale).astype(np.float32)
    concealer.heard(past)
    made = np.concatenate([concealer.extend(FRAME) for _ in range(3)])
    assert np.isfinite(made).all()
    assert np.abs(made).max() <= np.abs(past).max()


def drive(playout, seconds, sync=lambda level_ns: None, level_ns=30 * MS, start_ns=0):
    """Feed packets at 5 ms; answers change the level as they would at a device."""
    changes = []
    for step in range(seconds * 200):
        change = playout.packet(level_ns, sync(level_ns), start_ns + step * FRAME_NS)
        changes.append(change)
        level_ns += {Change.SHORTEN: -FRAME_NS, Change.LENGTHEN: FRAME_NS}.get(change, 0)
    return level_ns, changes


def test_delay_left_by_a_stall_goes_away():
    playout = Playout(FRAME_NS)
    level_ns, changes = drive(playout, 5, level_ns=100 * MS)
    assert level_ns <= playout.target_ns + 2 * FRAME_NS
    assert not any(one is two is Change.SHORTEN for one, two in pairwise(changes))


def test_late_packets_raise_the_margin_and_quiet_lowers_it():
    playout = Playout(FRAME_NS)
    for second in range(40):
        playout.ran_dry()
        drive(playout, 1, start_ns=second * 1_005_000_000)
    assert MARGIN_MOST_NS - MS < playout.margin_ns <= MARGIN_MOST_NS
    drive(playout, 200, start_ns=41_000_000_000)
    assert playout.margin_ns == MARGIN_LEAST_NS


def test_sound_waits_for_a_late_picture_and_no_longer():
    playout = Playout(FRAME_NS)
    picture_late_ns = 60 * MS
    level_ns, _ = drive(playout, 20, lambda level: picture_late_ns - level, 10 * MS)
    assert abs(picture_late_ns - level_ns) < 20 * MS
    level_ns, _ = drive(playout, 30, lambda level: 900 * MS - level, level_ns)
    assert level_ns <= SYNC_MOST_NS + 2 * FRAME_NS


class Device:
    """A speaker with a clock that the test turns."""

    latency_ns = 10 * MS

    def __init__(self):
        self.parts, self.played = [], 0

    @property
    def samples(self):
        return np.concatenate(self.parts) if self.parts else np.zeros((0, 2), np.float32)

    def waiting_ns(self):
        return (sum(map(len, self.parts)) - self.played) * 1_000_000_000 // RATE_HZ

    def play(self, samples):
        self.parts.append(samples)

    def pass_time(self, time_ns):
        self.played = min(self.played + time_ns * RATE_HZ // 1_000_000_000, sum(map(len, self.parts)))


def player_of(picture_delay_ns=None):
    device = Device()
    return SoundPlayer(PLAN, device, lambda: picture_delay_ns, print), device


def play(player, device, indices, start_ns=0, base=0):
    now_ns = start_ns
    for index in indices:
        player.take(SoundPacket((base + index) % 2**32, now_ns, payload(index)), now_ns)
        device.pass_time(FRAME_NS)
        now_ns += FRAME_NS
    return now_ns


def test_packets_play_in_order_after_a_cushion_of_silence():
    player, device = player_of()
    play(player, device, range(40))
    assert player.counters()["played"] == 40
    lead = 10 * MS * RATE_HZ // 1_000_000_000
    assert not device.samples[:lead].any()
    assert device.samples[lead : lead + 40 * FRAME] == pytest.approx(wave(0, 40 * FRAME), abs=1e-3)
    assert player.delay_ns is not None


def test_sequences_wrap():
    player, device = player_of()
    play(player, device, range(10), base=2**32 - 5)
    assert (player.counters()["played"], player.counters()["lost"]) == (10, 0)


def test_lost_packets_are_concealed_in_length_and_late_ones_dropped():
    player, device = player_of()
    now_ns = play(player, device, [0, 1, 2, 3, 4, 5, 8, 9])
    player.take(SoundPacket(7, now_ns, payload(7)), now_ns)
    counters = player.counters()
    assert (counters["lost"], counters["concealed"], counters["late"]) == (2, 2, 1)
    assert len(device.samples) == 480 + 10 * FRAME
    assert np.abs(np.diff(device.samples[480:, 0])).max() < 0.06  # 0.029 is the tone's own


def test_a_stall_is_bridged_and_what_comes_later_counts_against_it():
    player, device = player_of()
    now_ns = play(player, device, range(10))
    for _ in range(30):
        device.pass_time(FRAME_NS)
        player.bridge()
    assert player.counters()["concealed"] == MOST_CONCEALED
    play(player, device, [13, 14], now_ns)
    assert player.counters()["lost"] == 0  # silent by then: a new beginning
    assert player.counters()["played"] == 12


def test_concealment_ahead_of_a_loss_is_not_made_twice():
    player, device = player_of()
    now_ns = play(player, device, range(10))
    device.pass_time(5 * FRAME_NS)
    player.bridge()
    player.bridge()
    player.take(SoundPacket(13, now_ns, payload(13)), now_ns)
    assert (player.counters()["lost"], player.counters()["concealed"]) == (3, 3)


def test_a_host_that_mutes_itself_is_not_concealed():
    player, device = player_of()
    play(player, device, range(5))
    player.mute(muted=True)
    device.pass_time(50 * FRAME_NS)
    player.bridge()
    assert player.counters()["concealed"] == 0


def test_a_restart_of_the_sequence_is_no_loss():
    player, device = player_of()
    now_ns = play(player, device, range(5))
    play(player, device, range(100_000, 100_005), now_ns)
    assert (player.counters()["lost"], player.counters()["played"]) == (0, 10)


def test_silence_by_wish_keeps_time():
    player, device = player_of()
    player.silence(on=True)
    play(player, device, range(20))
    assert not device.samples.any()
    assert len(device.samples) == 480 + 20 * FRAME


def test_a_packet_that_cannot_be_decoded_is_concealed():
    player, device = player_of()
    now_ns = play(player, device, range(5))
    player.take(SoundPacket(5, now_ns, b"odd"), now_ns)
    assert (player.counters()["undecodable"], player.counters()["concealed"]) == (1, 1)


def test_the_thread_plays_and_ends():
    player, _ = player_of(40 * MS)
    player.start()
    for index in range(3):
        player.packet(SoundPacket(index, 0, payload(index)))
    player.stop(5_000_000_000)
    assert player.counters()["played"] <= 3


def test_a_device_that_breaks_is_told_of():
    failed = threading.Event()

    class Broken(Device):
        def play(self, samples):
            raise OSError("unplugged")

    player = SoundPlayer(PLAN, Broken(), lambda: None, lambda error: failed.set())
    player.start()
    player.packet(SoundPacket(0, 0, payload(0)))
    assert failed.wait(10)
    player.stop(5_000_000_000)
