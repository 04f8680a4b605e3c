"""Sound of a session: what is agreed on, which datagrams leave, what a microphone's become."""

import os

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.native.audio import HostAudio
from punktfunk.control.native.microphone import Microphone
from punktfunk.control.native.sound_terms import agree_on_sound, pcm_frame_us, sound_plan
from punktfunk.control.native.terms import AudioTerms
from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import AudioSource
from punktfunk.realtime import MadeSound
from punktfunk.wire.native.capabilities import NO_CLIENT_CAPS, AudioCodec, ClientCap, HostCap
from punktfunk.wire.native.control import AudioState
from punktfunk.wire.native.datagrams import (
    AudioFrame,
    MicFrame,
    PcmFrame,
    RedundantAudio,
    parse_datagram,
)
from punktfunk.wire.native.handshake import Hello

COPIES, HIRES = ClientCap.REDUNDANT_AUDIO, ClientCap.HIRES_AUDIO


def hello(channels=2, caps=NO_CLIENT_CAPS, **fields):
    return Hello(width_px=1, height_px=1, refresh_hz=1, audio_channels=channels, client_caps=caps, **fields)


@pytest.mark.parametrize(
    ("budget_kbps", "channels", "caps", "kbps", "twice"),
    [
        (20_000, 2, COPIES, 512, True),
        (20_000, 2, NO_CLIENT_CAPS, 256, False),
        (10_239, 2, COPIES, 256, False),
        (5_000, 2, COPIES, 128, False),
        (5_120, 2, COPIES, 256, False),
        (2_560, 2, COPIES, 128, False),
        (500, 2, COPIES, 96, False),
        (20_000, 6, COPIES, 896, True),
        (17_000, 6, COPIES, 448, False),
        (8_000, 6, COPIES, 256, False),
        (500, 6, COPIES, 192, False),
        (30_720, 8, COPIES, 1536, True),
        (18_000, 8, COPIES, 768, False),
        (1_000, 8, COPIES, 320, False),
    ],
)
def test_the_ladder(budget_kbps, channels, caps, kbps, twice):
    terms = agree_on_sound(hello(channels, caps), budget_kbps, 1170)
    assert (terms.bitrate_kbps, bool(terms.host_caps & HostCap.REDUNDANT_AUDIO)) == (kbps, twice)
    plan = sound_plan(terms, AudioSource.TONE, 1170)
    assert plan.bitrate_bps == kbps * 1000 // (2 if twice else 1)
    assert (plan.frame_us, plan.is_pcm, plan.packet_bytes_max) == (5000, False, 1157)


def test_layouts():
    def layout(channels, wish, budget_kbps=20_000):
        return agree_on_sound(hello(channels, audio_layout=wish), budget_kbps, 1170).layout

    assert [layout(2, wish) for wish in (0, 1, 2, 9)] == [0, 0, 0, 0]
    assert [layout(6, wish) for wish in (0, 1, 2, 9)] == [0, 1, 1, 0]
    assert layout(6, 2, 40_000) == 2
    wide = agree_on_sound(hello(8, COPIES, audio_layout=2), 80_000, 1170)
    assert (wide.layout, wide.host_caps) == (2, 0)
    assert sound_plan(wide, AudioSource.TONE, 1170).bitrate_bps * 5 // 8000 <= 1170 - 13
    assert agree_on_sound(hello(8, audio_layout=2), 80_000, 1400).bitrate_kbps == 2048


FRAMES_US = [
    (2, 44_100, 16, 5000), (2, 44_100, 24, 5000), (2, 88_200, 16, 3000), (2, 88_200, 24, 2500),
    (2, 176_400, 16, 1500), (2, 176_400, 24, 1000), (6, 48_000, 16, 2000), (6, 48_000, 24, 1500),
    (8, 48_000, 16, 1500), (8, 48_000, 24, 1000),
]  # fmt: skip


@pytest.mark.parametrize(("channels", "rate_hz", "bits", "frame_us"), FRAMES_US)
def test_pcm_frames_are_the_longest_that_fit(channels, rate_hz, bits, frame_us):
    """The table of punktfunk-1 section 2.10, at datagrams of 1400 bytes."""
    assert pcm_frame_us(rate_hz, bits, channels, 1400) == frame_us
    terms = agree_on_sound(
        hello(channels, HIRES, audio_rate_hz=rate_hz, audio_bits=bits), 8_000_000, 1400, allow_pcm=True
    )
    assert (terms.codec, terms.rate_hz, terms.bits, terms.frame_us) == (2, rate_hz, bits, frame_us)
    assert terms.host_caps == HostCap.HIRES_AUDIO
    assert terms.bitrate_kbps == rate_hz * bits * channels // 1000


def test_pcm_is_as_asked_or_not_at_all():
    asked = {"caps": HIRES, "audio_rate_hz": 96_000, "audio_bits": 24}
    assert agree_on_sound(hello(**asked), 18_432, 1170).codec == AudioCodec.PCM
    for budget_kbps, datagram_bytes, change in (
        (18_431, 1170, {}),
        (90_000, 500, {"audio_rate_hz": 176_400}),
        (90_000, 1170, {"audio_rate_hz": 50_000}),
        (90_000, 1170, {"caps": NO_CLIENT_CAPS}),
    ):
        terms = agree_on_sound(hello(**(asked | change)), budget_kbps, datagram_bytes)
        assert (terms.codec, terms.rate_hz, terms.bits) == (AudioCodec.OPUS, 48_000, 16)
    assert agree_on_sound(hello(**asked), 90_000, 1170, allow_pcm=False).codec == AudioCodec.OPUS


@given(
    st.sampled_from([2, 6, 8]),
    st.integers(0, 127).map(ClientCap),
    st.integers(500, 8_000_000),
    st.integers(1100, 1452),
    st.sampled_from([44_100, 48_000, 96_000, 176_400, 5]),
    st.integers(0, 255),
)
@settings(max_examples=60)
def test_whatever_is_agreed_on_fits(channels, caps, budget_kbps, datagram_bytes, rate_hz, layout):
    wish = hello(channels, caps, audio_rate_hz=rate_hz, audio_bits=24, audio_layout=layout)
    terms = agree_on_sound(wish, budget_kbps, datagram_bytes)
    plan = sound_plan(terms, AudioSource.TONE, datagram_bytes)
    if plan.is_pcm:
        assert -(-plan.rate_hz * plan.frame_us // 1_000_000) * channels * 3 <= plan.packet_bytes_max
    else:
        assert plan.bitrate_bps * 5 // 8000 <= plan.packet_bytes_max
        assert terms.bitrate_kbps <= max(96 * channels // 2, 320, budget_kbps // 20)


class Maker:
    """Gives what a test puts in."""

    def __init__(self, plan):
        self.plan = plan
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.waiting, self.refuse, self.fail, self.stops = [], None, None, 0
        self.taken = trio.Event()

    def start(self):
        if self.refuse:
            raise self.refuse

    def stop(self, _join_ns):
        self.stops += 1
        os.close(self.event_fd)

    def put(self, *packets):
        self.waiting += packets
        self.taken = trio.Event()
        os.eventfd_write(self.event_fd, 1)

    def take(self):
        os.eventfd_read(self.event_fd)
        self.taken.set()
        if self.fail:
            raise self.fail
        taken, self.waiting = self.waiting, []
        return taken


class Sender:
    datagram_bytes_max = 100

    def __init__(self):
        self.sent, self.takes = [], True

    def send_datagram(self, data):
        if self.takes:
            self.sent.append(parse_datagram(data))
        return self.takes


class Sounding:
    """A session's sound with everything around it replaced."""

    def __init__(self, **terms):
        self.sender, self.said, self.told = Sender(), [], []
        self.makers = []

        async def say(message):
            self.said.append(message)

        def make(plan):
            self.makers.append(Maker(plan))
            return self.makers[-1]

        self.audio = HostAudio(
            self.sender, AudioTerms(**terms), AudioSource.TONE, say=say, tell=self.told.append, make=make
        )

    async def play(self, *packets):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.audio.run)
            await trio.testing.wait_all_tasks_blocked()
            for packet in packets:
                self.makers[0].put(packet)
                await self.makers[0].taken.wait()
                await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert self.makers[0].stops == 1
        return self.sender.sent


def sound(payload, pts_ns=0, *, first=False, ends=False):
    return MadeSound(pts_ns, payload, first, ends)


TWICE = {"host_caps": HostCap.REDUNDANT_AUDIO, "bitrate_kbps": 256}


@pytest.mark.trio
async def test_each_packet_carries_the_one_before():
    sounding = Sounding(**TWICE)
    large = b"c" * 60
    assert await sounding.play(
        sound(b"a", 5, first=True), sound(b"b", 10), sound(large, 15), sound(large, 20), sound(b"d", 25)
    ) == [
        RedundantAudio(0, 5, b"a", b""),
        RedundantAudio(1, 10, b"b", b"a"),
        RedundantAudio(2, 15, large, b"b"),
        AudioFrame(3, 20, large),  # both do not fit one datagram
        RedundantAudio(4, 25, b"d", large),
    ]
    assert sounding.said == []


@pytest.mark.trio
async def test_quiet_is_said_and_sequence_goes_on():
    sounding = Sounding(**TWICE)
    sent = await sounding.play(
        sound(b"a", first=True), sound(b"b", ends=True), sound(b"c", 99, first=True), sound(b"d")
    )
    assert sent[2:] == [RedundantAudio(2, 99, b"c", b""), RedundantAudio(3, 0, b"d", b"c")]
    assert sounding.said == [AudioState(muted=True), AudioState(muted=False)]


@pytest.mark.trio
async def test_plain_and_pcm():
    assert await Sounding().play(sound(b"a"), sound(b"b")) == [AudioFrame(0, 0, b"a"), AudioFrame(1, 0, b"b")]
    pcm = Sounding(codec=AudioCodec.PCM, rate_hz=96_000, bits=24, frame_us=1000)
    assert await pcm.play(sound(b"abc")) == [PcmFrame(0, 0, b"abc")]
    assert pcm.makers[0].plan.rate_hz == 96_000


@pytest.mark.trio
async def test_datagrams_that_are_not_taken_are_counted_and_numbered():
    sounding = Sounding()
    sounding.sender.takes = False
    await sounding.play(sound(b"a"))
    assert (sounding.audio.sent_count, sounding.audio.unsent_count) == (0, 1)


@pytest.mark.trio
async def test_sound_that_cannot_be_made_ends_nothing_else():
    sounding = Sounding()
    original = sounding.audio._make

    def refusing(plan):
        maker = original(plan)
        maker.refuse = EnvironmentProblem("libopus cannot be opened", hint="Install it.")
        return maker

    sounding.audio._make = refusing
    await sounding.audio.run()
    assert sounding.told == ["no sound: libopus cannot be opened Install it."]
    assert sounding.said == [AudioState(muted=True)]
    broken = Sounding()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(broken.audio.run)
        await trio.testing.wait_all_tasks_blocked()
        broken.makers[0].fail = PipelineFailed("pf-sound stopped: broken")
        broken.makers[0].put()
    assert broken.told == ["no sound: pf-sound stopped: broken"]


def test_a_microphone_is_counted_and_told_once():
    told = []
    microphone = Microphone(told.append)
    frames = [
        (5, b"a"),
        (6, b"b"),
        (6, b"b"),
        (5, b"c"),
        (0xFFFFFFFF, b"d"),
        (8, b""),
        (9, b"x" * 1276),
        (10, b"e"),
    ]
    for sequence, opus in frames:
        microphone.hear(MicFrame(sequence, 0, opus))
    assert microphone.counts == {"unplayed": 6, "malformed": 2}
    assert len(told) == 1
    wrapping = Microphone(told.append)
    for sequence in (0xFFFFFFFE, 0xFFFFFFFF, 0, 1):
        wrapping.hear(MicFrame(sequence, 0, b"x"))
    assert wrapping.counts == {"unplayed": 4}


@pytest.mark.trio
async def test_packets_that_were_dropped_here_are_missed_by_the_client():
    sounding = Sounding(**TWICE)
    late = sound(b"d", 40)._replace(lost_before=5)
    assert await sounding.play(sound(b"a", 5, first=True), sound(b"b", 10), late, sound(b"e", 45)) == [
        RedundantAudio(0, 5, b"a", b""),
        RedundantAudio(1, 10, b"b", b"a"),
        RedundantAudio(7, 40, b"d", b""),
        RedundantAudio(8, 45, b"e", b"d"),
    ]
    assert sounding.audio.status() == {"sound_sent": 4, "sound_unsent": 0, "sound_lost": 5}
