"""Negotiation: what is offered, what is agreed, what is refused, and that the two places that say it agree."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_client import KEY, OFFER, announcement, make_launch

from punktfunk.control.deep_colour import DeepColour
from punktfunk.control.gamestream.negotiate import (
    HIGHEST_VIDEO_BITRATE_BPS,
    LOWEST_VIDEO_BITRATE_BPS,
    codec_modes,
    describe,
    is_near,
    negotiate,
    video_bitrate_bps,
)
from punktfunk.plan import AudioSource, Codec, ColourSpace, Mode
from punktfunk.wire.gamestream.rtsp import RtspRefused
from punktfunk.wire.gamestream.sdp import ClientFeature, Encryption, build_describe, parse_announce
from punktfunk.wire.gamestream.serverinfo import CodecMode

ALL = Encryption.CONTROL_V2 | Encryption.VIDEO | Encryption.AUDIO
EVERY_CODEC = {Codec.H264: "libx264", Codec.HEVC: "hevc_nvenc", Codec.AV1: "libsvtav1"}


def agree(offer=OFFER, host="192.0.2.1", **announced):
    announce = parse_announce(announcement(**announced))
    return negotiate(announce, host, make_launch(), offer, AudioSource.TONE)


def test_the_plain_case():
    agreement = agree()
    assert agreement.mode == Mode(1280, 720, 60_000)
    assert agreement.encode.codec is Codec.H264
    assert agreement.encode.encoder_name == "libx264"
    assert (
        agreement.encode.bitrate_bps == 6_988_000
    )  # of 10 Mbit/s: parity 20 %, sound 512k, 500k for the rest
    assert agreement.encode.colour_space is ColourSpace.BT601
    assert agreement.send.packet_bytes == 1392
    assert agreement.send.fec_percent == 20
    assert agreement.send.minimum_parity_count == 2
    assert agreement.send.frame_interval_ns == 16_666_666
    assert agreement.send.encryption_key is None
    assert agreement.audio.encryption_key is None
    assert agreement.audio.encryption_iv_id == 2**32 - 7
    assert (agreement.audio.channel_count, agreement.audio.packet_duration_ms) == (2, 5)
    assert agreement.encryption is Encryption.CONTROL_V2
    assert agreement.client_features == ClientFeature.FEC_STATUS | ClientFeature.SESSION_ID


@pytest.mark.parametrize(
    ("enabled", "legacy", "video", "audio"),
    [(0, 135, None, None), (2, 135, KEY, None), (4, 135, None, KEY), (7, 135, KEY, KEY), (1, 167, None, KEY)],
)
def test_the_clients_encryption_decides(enabled, legacy, video, audio):
    changes = {"x-ss-general.encryptionEnabled": enabled, "x-nv-general.featureFlags": legacy}
    agreement = agree(**changes)
    assert agreement.send.encryption_key == video
    assert agreement.audio.encryption_key == audio


@pytest.mark.parametrize(("video", "audio", "marks"), [(5, 4, (40, 48)), (0, 0, (0, 0)), (0, 4, (0, 48))])
def test_datagrams_are_marked_for_clients_that_ask(video, audio, marks):
    agreement = agree(**{"x-nv-vqos[0].qosTrafficType": video, "x-nv-aqos.qosTrafficType": audio})
    assert (agreement.send.dscp, agreement.audio.dscp) == marks


@pytest.mark.parametrize(
    ("announced", "status", "words"),
    [
        ({"x-nv-vqos[0].bitStreamFormat": 1}, 400, "hevc"),
        ({"x-nv-vqos[0].bitStreamFormat": 2}, 400, "av1"),
        ({"x-nv-video[0].dynamicRangeMode": 1}, 400, "HDR"),
        ({"x-ss-video[0].chromaSamplingType": 1}, 400, "4:4:4"),
    ],
)
def test_what_was_not_offered_is_refused(announced, status, words):
    with pytest.raises(RtspRefused, match=words) as refused:
        agree(**announced)
    assert refused.value.status == status


@pytest.mark.parametrize("enabled", range(7))
def test_mandatory_encryption_takes_nothing_less(enabled):
    strict = replace(OFFER, encryption="always")
    with pytest.raises(RtspRefused) as refused:
        agree(strict, **{"x-ss-general.encryptionEnabled": enabled})
    assert refused.value.status == 403
    assert agree(strict, **{"x-ss-general.encryptionEnabled": 7}).send.encryption_key == KEY


@pytest.mark.parametrize(
    ("encryption", "address", "supported", "requested"),
    [
        ("auto", "192.168.1.9", ALL, Encryption.CONTROL_V2),
        ("auto", "127.0.0.1", ALL, Encryption.CONTROL_V2),
        ("auto", "fe80::1", ALL, Encryption.CONTROL_V2),
        ("auto", "fd00::1", ALL, Encryption.CONTROL_V2),
        ("auto", "8.8.8.8", ALL, ALL),
        ("auto", "2a00::1", ALL, ALL),
        ("always", "192.168.1.9", ALL, ALL),
        ("always", "8.8.8.8", ALL, ALL),
        ("never", "192.168.1.9", Encryption.CONTROL_V2, Encryption.CONTROL_V2),
        ("never", "8.8.8.8", Encryption.CONTROL_V2, Encryption.CONTROL_V2),
    ],
)
def test_encryption_that_describe_offers(encryption, address, supported, requested):
    offered = describe(replace(OFFER, encryption=encryption), address)
    assert (offered.encryption_supported, offered.encryption_requested) == (supported, requested)


def test_only_home_is_near():
    assert [is_near(address) for address in ("10.0.0.1", "172.16.0.1", "::1", "1.1.1.1")] == [
        True,
        True,
        True,
        False,
    ]


@given(st.sets(st.sampled_from([Codec.HEVC, Codec.AV1])))
def test_describe_says_what_serverinfo_says(more):
    offer = replace(OFFER, encoders={codec: EVERY_CODEC[codec] for codec in {Codec.H264, *more}})
    mask, body = codec_modes(offer), build_describe(describe(offer, "192.168.1.9"))
    assert mask & CodecMode.H264
    assert bool(mask & CodecMode.HEVC_MAIN) == ("sprop-parameter-sets=AAAAAU" in body) == (Codec.HEVC in more)
    assert bool(mask & CodecMode.AV1_MAIN8) == ("AV1/90000" in body) == (Codec.AV1 in more)
    assert not mask & ~(CodecMode.H264 | CodecMode.HEVC_MAIN | CodecMode.AV1_MAIN8)
    assert "refPicInvalidation" not in body
    for number, codec in enumerate((Codec.H264, Codec.HEVC, Codec.AV1)):
        announced = {"x-nv-vqos[0].bitStreamFormat": number}
        if codec in offer.encoders:
            assert agree(offer, **announced).encode.encoder_name == EVERY_CODEC[codec]
        else:
            with pytest.raises(RtspRefused):
                agree(offer, **announced)


@given(st.integers(0, 10**10), st.integers(0, 2_048_000), st.integers(0, 100))
def test_the_bitrate_stays_within_bounds(total_bps, sound_bps, fec_percent):
    video_bps = video_bitrate_bps(total_bps, sound_bps, fec_percent)
    assert LOWEST_VIDEO_BITRATE_BPS <= video_bps <= HIGHEST_VIDEO_BITRATE_BPS < 2**31
    assert video_bps <= max(total_bps, LOWEST_VIDEO_BITRATE_BPS)
    assert video_bps >= min(total_bps * (100 - fec_percent) // 100 * 7 // 10, HIGHEST_VIDEO_BITRATE_BPS)
    more_bps = video_bitrate_bps(total_bps + 1_000_000, sound_bps, fec_percent)
    assert more_bps >= video_bps


@pytest.mark.parametrize(
    ("host", "announced", "high_quality"),
    [
        ("192.0.2.1", {}, True),
        ("0.0.0.0", {}, False),
        ("192.0.2.1", {"x-nv-audio.surround.numChannels": 6}, False),
        ("0.0.0.0", {"x-nv-audio.surround.numChannels": 6, "x-nv-audio.surround.AudioQuality": 1}, True),
        ("192.0.2.1", {"x-nv-audio.surround.numChannels": 8, "x-nv-audio.surround.AudioQuality": 1}, True),
    ],
)
def test_sound_quality(host, announced, high_quality):
    audio = agree(host=host, **announced).audio
    assert audio.high_quality is high_quality
    assert audio.channel_count == announced.get("x-nv-audio.surround.numChannels", 2)


def test_more_than_8_bit_420_is_agreed_where_it_was_offered_and_nowhere_else():
    deep = DeepColour(frozenset({Codec.H264, Codec.HEVC}), frozenset({Codec.HEVC}))
    offer = replace(OFFER, encoders=EVERY_CODEC, deep_colour=deep)
    extra = CodecMode.H264_HIGH8_444 | CodecMode.HEVC_REXT8_444 | CodecMode.HEVC_MAIN10
    assert codec_modes(offer) == codec_modes(replace(offer, deep_colour=DeepColour())) | extra
    full, hdr = {"x-ss-video[0].chromaSamplingType": 1}, {"x-nv-video[0].dynamicRangeMode": 1}
    hevc, av1 = ({"x-nv-vqos[0].bitStreamFormat": number} for number in (1, 2))
    assert agree(offer, **full).encode.chroma_444
    encode = agree(offer, **hevc, **hdr).encode
    assert (encode.bit_depth, encode.colour_space) == (10, ColourSpace.BT2020)
    for refused, words in (
        (hdr, "HDR was not offered for h264"),
        (av1 | full, "4:4:4 was not offered for av1"),
        (hevc | hdr | full, "HDR in 4:4:4 was not offered"),
    ):
        with pytest.raises(RtspRefused, match=words):
            agree(offer, **refused)
