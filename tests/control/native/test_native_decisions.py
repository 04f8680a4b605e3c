"""What a host decides about a session: terms, modes, packet sizes, probes. All pure."""

import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.commands.status import describe
from punktfunk.control.deep_colour import DeepColour
from punktfunk.control.native.modes import LEAST_DISTANCE_NS, ModeDesk
from punktfunk.control.native.negotiate import GF8_DATA_MAX, GF16_DATA_MAX, negotiate
from punktfunk.control.native.probes import MOST_KBPS, Load, load_of, pump
from punktfunk.control.native.refusal import TurnedAway
from punktfunk.control.native.shards import SETTLED_NS, ShardSize, fitting_shard_bytes
from punktfunk.control.native.terms import AudioTerms, MediaPlace, NativeOffer
from punktfunk.plan import Codec, ColourSpace, MediaCipher, Mode, Pacing, RealtimePlan
from punktfunk.wire.native.capabilities import (
    ClientCap,
    CloseCode,
    CodecBit,
    CompositorKind,
    Grant,
    HostCap,
    VideoCap,
)
from punktfunk.wire.native.control import ProbeRequest, ProbeShaped, Reconfigure, Reconfigured
from punktfunk.wire.native.handshake import Hello
from punktfunk.wire.native.packet import FecScheme
from punktfunk.wire.native.welcome import build_welcome, parse_welcome

HELLO = Hello(width_px=1280, height_px=720, refresh_hz=60, codecs=CodecBit.H264)
OFFER = NativeOffer(
    encoders={Codec.H264: "libx264", Codec.AV1: "libsvtav1"},
    fec_percent=None,
    pacing=Pacing.CAPPED,
    forced_pacing=False,
    cipher="auto",
    aes_is_fast=True,
    compositor=CompositorKind.WLROOTS,
    realtime=RealtimePlan(),
)
MS = 1_000_000


def agreed(hello=HELLO, address="192.0.2.1", audio=AudioTerms(), **offer):  # noqa: B008
    rights = Grant.KEYBOARD, 300
    return negotiate(hello, replace(OFFER, **offer), MediaPlace(address, 5000), audio, rights, os.urandom)


def test_a_session_as_welcome_says_it():
    made = agreed(audio=AudioTerms(bitrate_kbps=300))
    welcome = parse_welcome(build_welcome(made.welcome))
    assert (welcome.width_px, welcome.height_px, welcome.refresh_hz) == (1280, 720, 60)
    assert (welcome.media_port, welcome.shard_bytes, welcome.fec_percent) == (5000, 1408, 10)
    assert (welcome.bitrate_kbps, made.encoder_bps) == (20_000, 17_130_000)
    assert (welcome.grants, welcome.expires_in_s) == (Grant.KEYBOARD, 300)
    assert (welcome.codec, made.encoder_name) == (CodecBit.H264, "libx264")
    assert made.key == welcome.key
    assert len(build_welcome(made.welcome)) == 88
    plan = made.send_plan(made.mode, shard_bytes=1408, pacing=Pacing.CAPPED, budget_kbps=20_000)
    assert (plan.encryption_key, plan.salt, plan.pace_bps) == (welcome.key, welcome.salt, 20_000_000)
    assert repr(made).count("key=") == 0


@pytest.mark.parametrize(
    ("change", "scheme"),
    [
        ({}, FecScheme.GF8),
        ({"bitrate_kbps": 500_000}, FecScheme.GF16),
        ({"bitrate_kbps": 60_000, "refresh_hz": 240}, FecScheme.GF8),
    ],
)
def test_the_field_follows_the_size_of_frames(change, scheme):
    welcome = agreed(replace(HELLO, **change)).welcome
    assert welcome.fec_scheme is scheme
    assert welcome.data_max == (GF8_DATA_MAX if scheme is FecScheme.GF8 else GF16_DATA_MAX)


def test_an_operators_parity_beyond_the_small_field_takes_the_large_one():
    made = agreed(fec_percent=50)
    assert (made.welcome.fec_scheme, made.fec_percent, made.fec_fixed) == (FecScheme.GF16, 50, True)


@pytest.mark.parametrize(
    ("setting", "fast", "offers", "cipher"),
    [
        ("auto", True, True, MediaCipher.AES_128_GCM),
        ("auto", False, True, MediaCipher.CHACHA20_POLY1305),
        ("auto", False, False, MediaCipher.AES_128_GCM),
        ("chacha20", True, True, MediaCipher.CHACHA20_POLY1305),
        ("chacha20", True, False, MediaCipher.AES_128_GCM),
        ("aes", False, True, MediaCipher.AES_128_GCM),
    ],
)
def test_the_cipher(setting, fast, offers, cipher):
    caps = VideoCap.CHACHA20 if offers else VideoCap(0)
    made = agreed(replace(HELLO, video_caps=caps), cipher=setting, aes_is_fast=fast)
    assert made.cipher is cipher
    assert made.key == (made.welcome.chacha_key or made.welcome.key)
    assert len(made.key) == (32 if cipher is MediaCipher.CHACHA20_POLY1305 else 16)


def test_small_packets_over_ipv6_and_a_block_for_who_reads_it():
    assert agreed(address="fe80::1").welcome.shard_bytes == 1388
    assert agreed().welcome.extensions is None
    assert agreed(replace(HELLO, client_caps=ClientCap.EXTENSIONS)).welcome.extensions is not None


@pytest.mark.parametrize(
    "change",
    [
        {"codecs": CodecBit.HEVC},
        {"codecs": CodecBit(0)},
        {"width_px": 0},
        {"refresh_hz": 0},
        {"height_px": 1 << 20},
    ],
)
def test_what_cannot_be(change):
    with pytest.raises(TurnedAway) as refusal:
        agreed(replace(HELLO, **change))
    assert refusal.value.code is CloseCode.SETUP_FAILED
    assert len(str(refusal.value).encode()) <= 256


@given(
    st.builds(
        Hello,
        **dict.fromkeys(("width_px", "height_px", "refresh_hz", "bitrate_kbps"), st.integers(0, 2**32 - 1)),
    )
)
@settings(max_examples=60)
def test_no_hello_breaks_the_host(hello):
    try:
        build_welcome(agreed(replace(hello, codecs=CodecBit.H264)).welcome)
    except TurnedAway:
        return


# -- modes


def test_modes_are_answered_at_once_and_not_too_often():
    desk = ModeDesk(Mode(1280, 720, 60_000))
    first = desk.ask(Reconfigure(1920, 1080, 60), 0)
    assert (first.answer, first.mode) == (Reconfigured(True, 1920, 1080, 60), Mode(1920, 1080, 60_000))  # noqa: FBT003
    early = desk.ask(Reconfigure(800, 600, 60), LEAST_DISTANCE_NS - 1)
    assert (early.answer, early.mode) == (Reconfigured(False, 1280, 720, 60), None)  # noqa: FBT003
    assert desk.built(Mode(1920, 1080, 60_000)) is None
    again = desk.ask(Reconfigure(1920, 1080, 60), LEAST_DISTANCE_NS)
    assert (again.answer.accepted, again.mode) == (True, None)
    assert not desk.ask(Reconfigure(0, 1080, 60), 2 * LEAST_DISTANCE_NS).answer.accepted


def test_a_promise_that_could_not_be_kept_is_corrected_once():
    desk = ModeDesk(Mode(1280, 720, 60_000))
    desk.ask(Reconfigure(1920, 1080, 60), 0)
    assert desk.built(Mode(1280, 720, 60_000), more=True) is None
    assert desk.built(Mode(1280, 720, 60_000)) == Reconfigured(True, 1280, 720, 60)  # noqa: FBT003
    assert desk.built(Mode(1280, 720, 60_000)) is None


# -- packet sizes


def test_packets_grow_once_the_stream_runs_well():
    size = ShardSize(1408, 9152, fitting_shard_bytes(9000, 4))
    assert size.wanted(0) is None
    size.on_streaming(5)
    assert size.wanted(SETTLED_NS) is None
    assert size.wanted(SETTLED_NS + 5) == 8908
    assert size.wanted(SETTLED_NS + 6) is None
    assert size.on_ack(2000) is None
    assert size.on_ack(8908) == 8908
    assert size.on_ack(8908) is None
    assert size.on_loss(100_000) is None
    assert size.on_loss(400_000) == 1408
    assert size.wanted(10 * SETTLED_NS) is None


@pytest.mark.parametrize(("client_max", "mtu"), [(0, 9000), (1408, 9000), (9152, 1500), (9152, 1280)])
def test_packets_that_have_no_room_stay(client_max, mtu):
    size = ShardSize(1408, client_max, fitting_shard_bytes(mtu, 4))
    size.on_streaming(0)
    assert size.wanted(10 * SETTLED_NS) is None
    assert size.on_loss(1_000_000) is None


def test_packets_shrink_where_nothing_arrives():
    size = ShardSize(1408, 9152, 9152)
    size.on_streaming(0)
    size.on_ack(size.wanted(SETTLED_NS))
    assert [size.on_delivery(count) for count in (10, 20, 20, 20)] == [None, None, None, 1408]
    assert size.on_too_long() is None


@given(st.integers(0, 100_000), st.sampled_from([4, 6]))
def test_shards_fit_their_path(mtu, version):
    shard_bytes = fitting_shard_bytes(mtu, version)
    assert shard_bytes % 2 == 0
    assert 512 <= shard_bytes <= 9152
    assert shard_bytes == 512 or shard_bytes + 64 + 8 + (20 if version == 4 else 40) <= mtu


# -- probes


def test_what_a_probe_asks_for_within_its_bounds():
    assert load_of(ProbeRequest(0, 100)) is None
    assert load_of(ProbeRequest(100, 0)) is None
    assert load_of(ProbeRequest(100_000, 200)) == Load(100_000, 200 * MS, 16 << 10)
    assert load_of(ProbeRequest(1000, 200)).unit_bytes == 1200
    assert load_of(ProbeRequest(2**32 - 1, 2**32 - 1)) == Load(MOST_KBPS, 5000 * MS, 16 << 10)
    assert load_of(ProbeShaped(100_000, 100, 20, 0, 0)).burst_hz == 20


class Time:
    def __init__(self):
        self.now_ns = 0

    def clock(self):
        return self.now_ns

    def sleep(self, seconds):
        self.now_ns += round(seconds * 1e9)


@pytest.mark.parametrize("burst_hz", [0, 20])
def test_a_probe_sends_what_was_asked_for(burst_hz):
    time, sent = Time(), []
    load = Load(100_000, 200 * MS, 10_000, burst_hz)
    units, took_ns = pump(
        lambda size: sent.append((time.now_ns, size)) is None,
        load,
        lambda: False,
        clock_ns=time.clock,
        sleep=time.sleep,
    )
    assert took_ns == 200 * MS
    assert 248 <= units <= 250
    assert {size for _, size in sent} == {10_000}
    moments = {now_ns for now_ns, _ in sent}
    assert len(moments) == 4 if burst_hz else len(moments) > 150


def test_a_probe_gives_way_where_the_line_takes_no_more():
    time = Time()
    load = Load(100_000, 20 * MS, 10_000)
    assert pump(lambda _: False, load, lambda: False, clock_ns=time.clock, sleep=time.sleep) == (0, 20 * MS)
    assert pump(lambda _: True, load, lambda: True, clock_ns=time.clock, sleep=time.sleep)[0] == 0


# -- status


def test_status_for_people():
    host = {
        "name": "desk",
        "version": "1",
        "pid": 7,
        "display": "sway",
        "ready": True,
        "waiting_for": "",
        "app": "",
        "client": "",
        "gamestream": [],
    }
    assert describe({**host, "native": []})[1:] == ["nobody streams"]
    assert describe({**host, "native": None})[1:] == ["punktfunk/1 is switched off"]
    session = {
        "number": 1,
        "client": "phone",
        "address": "192.0.2.7",
        "seconds": 9,
        "app": "Desktop",
        "frames": 540,
    }
    video = {
        "mode": "1280x720@60",
        "codec": "h264",
        "bitrate_kbps": 20_000,
        "fec_percent": 10,
        "loss_ppm": 12_300,
    }
    streaming = (
        "punktfunk/1 session 1: phone at 192.0.2.7, Desktop, 1280x720@60 h264, 20.0 Mbit/s with 10 % parity, "
        "1.23 % lost, 540 frames in 9 s"
    )
    waiting = {"client": "tablet", "app": "Game", "waiting": True}
    runs = [
        {"app": "Steam", "client": "tv", "owner": "tv"},
        {"app": "Desktop", "client": "", "owner": "deck"},
    ]
    assert describe({**host, "gamestream": runs, "native": [session, {**session, **video}, waiting]})[1:] == [
        "GameStream: Steam, shown to tv",
        "GameStream: Desktop, waits for deck to come back",
        "punktfunk/1 session 1: phone at 192.0.2.7, starting",
        streaming,
        "punktfunk/1: Game waits for tablet to come back",
    ]


def test_hdr_and_full_chroma_are_what_both_sides_have():
    every = VideoCap.TEN_BIT | VideoCap.HDR | VideoCap.FULL_CHROMA
    codec = frozenset({Codec.H264})

    def got(caps, **deep):
        made = agreed(replace(HELLO, video_caps=caps), deep_colour=DeepColour(**deep))
        welcome = parse_welcome(build_welcome(made.welcome))
        plan = made.encode_plan(1_000_000)
        assert (plan.bit_depth, plan.chroma_444) == (welcome.bit_depth, welcome.chroma_idc == 3)
        assert (plan.colour_space is ColourSpace.BT2020) == (welcome.colour_transfer == 16)
        return plan.bit_depth, plan.chroma_444

    everything = {"full_chroma": codec, "hdr": codec, "hdr_full_chroma": codec}
    assert got(every, **everything) == (10, True)
    assert got(every, full_chroma=codec, hdr=codec) == (10, False)
    assert got(every, full_chroma=codec) == (8, True)
    assert got(every) == got(VideoCap(0), **everything) == (8, False)
    assert got(VideoCap.TEN_BIT, **everything) == (8, False)  # ten bits without HDR: nothing here gives that
    assert got(VideoCap.FULL_CHROMA, **everything) == (8, True)


def test_the_pointer_is_sent_to_clients_that_draw_it_where_the_display_tells_of_it():
    draws = replace(HELLO, client_caps=ClientCap.CURSOR)
    assert agreed(draws, sends_pointer=True).welcome.host_caps & HostCap.CURSOR
    assert not agreed(draws).welcome.host_caps & HostCap.CURSOR
    assert not agreed(sends_pointer=True).welcome.host_caps & HostCap.CURSOR
