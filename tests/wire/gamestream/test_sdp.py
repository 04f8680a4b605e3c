"""DESCRIBE as the client searches it, ANNOUNCE as it writes it."""

import contextlib
import itertools
import re
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.plan import Codec, ColourSpace, Mode
from punktfunk.wire.gamestream.audio import opus_layout
from punktfunk.wire.gamestream.sdp import (
    MAX_BODY_BYTES,
    Announce,
    ClientFeature,
    DescribeOffer,
    Encryption,
    HostFeature,
    build_describe,
    parse_announce,
)

ALL = Encryption.CONTROL_V2 | Encryption.VIDEO | Encryption.AUDIO
OFFER = DescribeOffer(
    codecs=frozenset(Codec),
    features=HostFeature.PEN_TOUCH | HostFeature.CONTROLLER_TOUCH,
    encryption_supported=ALL,
)


def test_golden_offer():
    assert build_describe(OFFER) == (
        "a=x-ss-general.featureFlags:3\n"
        "a=x-ss-general.encryptionSupported:7\n"
        "a=x-ss-general.encryptionRequested:1\n"
        "a=x-nv-video[0].refPicInvalidation:1\n"
        "sprop-parameter-sets=AAAAAU\n"
        "a=rtpmap:98 AV1/90000\n"
        "a=fmtp:97 surround-params=21101\n"
        "a=fmtp:97 surround-params=21101\n"
        "a=fmtp:97 surround-params=642012453\n"
        "a=fmtp:97 surround-params=660012345\n"
        "a=fmtp:97 surround-params=85301245673\n"
        "a=fmtp:97 surround-params=88001234567\n"
    )


@pytest.mark.parametrize(
    "codecs", [c for n in range(4) for c in itertools.combinations(Codec, n) if Codec.H264 in c]
)
@pytest.mark.parametrize("invalidation", [False, True])
def test_codecs_and_invalidation_are_found_only_if_offered(codecs, invalidation):
    text = build_describe(
        DescribeOffer(frozenset(codecs), HostFeature(0), Encryption(5), reference_invalidation=invalidation)
    )
    assert ("AV1/90000" in text) == (Codec.AV1 in codecs)
    assert ("sprop-parameter-sets=AAAAAU" in text) == (Codec.HEVC in codecs)
    assert ("x-nv-video[0].refPicInvalidation" in text) == invalidation
    assert "a=x-ss-general.encryptionSupported:5\n" in text


def client_layouts(text, count):
    """moonlight-common-c, RtspConnection.c, parseOpusConfigurations: normal and high quality of a count."""
    prefix = f"a=fmtp:97 surround-params={count}"
    found = [text[m.end() :][: 2 + count] for m in re.finditer(re.escape(prefix), text)]
    layouts = [(int(digits[0]), int(digits[1]), tuple(map(int, digits[2:]))) for digits in found]
    streams, coupled, mapping = layouts[0]
    normal = (streams, coupled, (*mapping[:3], mapping[-1], *mapping[3:-1]))
    return normal, layouts[1]


@pytest.mark.parametrize("count", [6, 8])
def test_the_client_ends_at_the_encoders_own_mapping(count):
    read = client_layouts(build_describe(OFFER), count)
    for found, high_quality in zip(read, (False, True), strict=True):
        layout = opus_layout(count, high_quality)
        assert found == (layout.stream_count, layout.coupled_count, layout.mapping)


@pytest.mark.parametrize(
    "offer",
    [
        DescribeOffer(frozenset({Codec.AV1}), HostFeature(0), ALL),
        DescribeOffer(frozenset({Codec.H264}), HostFeature(0), Encryption.CONTROL_V2, Encryption.VIDEO),
    ],
)
def test_offers_that_cannot_be_kept_are_our_own_mistake(offer):
    with pytest.raises(LocalProtocolError):
        build_describe(offer)


STOCK = {
    "x-ml-general.featureFlags": "3",
    "x-ss-general.encryptionEnabled": "5",
    "x-ss-video[0].chromaSamplingType": "0",
    "x-nv-video[0].clientViewportWd": "1920",
    "x-nv-video[0].clientViewportHt": "1080",
    "x-nv-video[0].maxFPS": "60",
    "x-nv-video[0].packetSize": "1392",
    "x-nv-video[0].rateControlMode": "4",
    "x-nv-video[0].timeoutLengthMs": "7000",
    "x-nv-video[0].framesWithInvalidRefThreshold": "0",
    "x-nv-video[0].initialBitrateKbps": "100000",
    "x-nv-video[0].initialPeakBitrateKbps": "100000",
    "x-nv-vqos[0].bw.minimumBitrateKbps": "100000",
    "x-nv-vqos[0].bw.maximumBitrateKbps": "100000",
    "x-ml-video.configuredBitrateKbps": "150000",
    "x-nv-vqos[0].fec.enable": "1",
    "x-nv-vqos[0].videoQualityScoreUpdateTime": "5000",
    "x-nv-vqos[0].qosTrafficType": "0",
    "x-nv-aqos.qosTrafficType": "0",
    "x-nv-general.featureFlags": "167",
    "x-nv-general.useReliableUdp": "13",
    "x-nv-vqos[0].fec.minRequiredFecPackets": "2",
    "x-nv-vqos[0].bllFec.enable": "0",
    "x-nv-vqos[0].drc.enable": "0",
    "x-nv-general.enableRecoveryMode": "0",
    "x-nv-video[0].videoEncoderSlicesPerFrame": "4",
    "x-nv-clientSupportHevc": "1",
    "x-nv-vqos[0].bitStreamFormat": "1",
    "x-nv-video[0].dynamicRangeMode": "1",
    "x-nv-video[0].maxNumReferenceFrames": "1",
    "x-nv-video[0].clientRefreshRateX100": "5994",
    "x-nv-audio.surround.numChannels": "6",
    "x-nv-audio.surround.channelMask": "63",
    "x-nv-audio.surround.enable": "1",
    "x-nv-audio.surround.AudioQuality": "1",
    "x-nv-aqos.packetDuration": "10",
    "x-nv-video[0].encoderCscMode": "3",
}
LEAST = {
    name: STOCK[name]
    for name in (
        "x-nv-video[0].clientViewportWd",
        "x-nv-video[0].clientViewportHt",
        "x-nv-video[0].maxFPS",
        "x-nv-video[0].packetSize",
        "x-nv-vqos[0].bw.maximumBitrateKbps",
    )
}


def body(attributes):
    """moonlight-common-c, SdpGenerator.c: a blank before every CRLF."""
    head = "v=0\r\no=android 0 14 IN IPv4 192.168.1.20\r\ns=NVIDIA Streaming Client\r\n"
    lines = "".join(f"a={name}:{value} \r\n" for name, value in attributes.items())
    return (head + lines + "t=0 0\r\nm=video 47998  \r\n").encode("utf-8", "surrogatepass")


def test_every_attribute_of_a_stock_announcement_is_kept():
    announce = parse_announce(body(STOCK))
    by_name = {item.metadata["name"]: getattr(announce, item.name) for item in fields(Announce)}
    for name, text in STOCK.items():
        if name != "x-nv-vqos[0].videoQualityScoreUpdateTime":
            assert by_name[name] == int(text), name
    assert announce.mode == Mode(1920, 1080, 59940)
    assert announce.codec is Codec.HEVC
    assert announce.bitrate_kbps == 150_000
    assert announce.encryption == Encryption.CONTROL_V2 | Encryption.AUDIO
    assert announce.features == ClientFeature.FEC_STATUS | ClientFeature.SESSION_ID
    assert (announce.colour_space, announce.full_range) == (ColourSpace.BT709, True)
    assert announce.ten_bit
    assert not announce.chroma_444
    assert announce.high_quality_audio("0.0.0.0")


def test_defaults():
    announce = parse_announce(body(LEAST))
    assert announce.mode == Mode(1920, 1080, 60000)
    assert announce.packet_duration_ms == 5
    assert announce.legacy_features == 135
    assert announce.control_protocol == 1
    assert (announce.video_qos_type, announce.audio_qos_type) == (5, 4)
    assert announce.codec is Codec.H264
    assert announce.bitrate_kbps == 100_000
    assert announce.encryption == Encryption(0)
    assert announce.channel_count == 2
    assert announce.minimum_parity_count == 0
    assert announce.slices_per_frame == 1


@pytest.mark.parametrize("name", LEAST)
def test_what_must_be_there(name):
    rest = {key: value for key, value in LEAST.items() if key != name}
    with pytest.raises(RemoteProtocolError) as caught:
        parse_announce(body(rest))
    assert name.rpartition(".")[2].replace("maximumBitrateKbps", "bitrate") in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "naming"),
    [
        ("x-nv-video[0].packetSize", "0", "packetSize is '0'"),
        ("x-nv-video[0].packetSize", "159", "packetSize"),
        ("x-nv-video[0].packetSize", "1400", "packetSize is 1400"),
        ("x-nv-video[0].packetSize", "65040", "packetSize"),
        ("x-nv-video[0].packetSize", "-1392", "packetSize"),
        ("x-nv-video[0].packetSize", "9" * 30_000, "packetSize"),
        ("x-nv-video[0].clientViewportWd", "63", "clientViewportWd is '63'"),
        ("x-nv-video[0].clientViewportWd", "16385", "clientViewportWd"),
        ("x-nv-video[0].clientViewportHt", "-2", "clientViewportHt"),
        ("x-nv-video[0].maxFPS", "0", "maxFPS"),
        ("x-nv-video[0].maxFPS", "1001", "maxFPS is '1001'"),
        ("x-ml-video.configuredBitrateKbps", "-1", "configuredBitrateKbps"),
        ("x-ml-video.configuredBitrateKbps", "10000001", "configuredBitrateKbps"),
        ("x-nv-vqos[0].bw.maximumBitrateKbps", "0", "bitrate is 0"),
        ("x-nv-audio.surround.numChannels", "1", "numChannels asks for 1"),
        ("x-nv-audio.surround.numChannels", "4000000000", "4000000000"),
        ("x-nv-audio.surround.numChannels", "-6", "numChannels"),
        ("x-nv-aqos.packetDuration", "0", "packetDuration is 0"),
        ("x-nv-aqos.packetDuration", "20", "packetDuration is 20"),
        ("x-nv-vqos[0].bitStreamFormat", "3", "bitStreamFormat is '3'"),
        ("x-nv-video[0].encoderCscMode", "6", "encoderCscMode"),
        ("x-ss-general.encryptionEnabled", "4294967296", "encryptionEnabled"),
    ],
)
def test_wild_values_are_refused_by_name(name, text, naming):
    with pytest.raises(RemoteProtocolError) as caught:
        parse_announce(body({**LEAST, name: text}))
    assert naming in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_picture_larger_than_any_level_of_any_codec():
    size = {"x-nv-video[0].clientViewportWd": "16384", "x-nv-video[0].clientViewportHt": "16384"}
    with pytest.raises(RemoteProtocolError, match="16384 x 16384"):
        parse_announce(body({**LEAST, **size}))


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("x-nv-video[0].maxFPS", "60junk", "fps", 60),
        ("x-nv-video[0].maxFPS", "\t 60", "fps", 60),
        ("x-nv-video[0].maxFPS", "+60", "fps", 60),
        ("x-nv-video[0].clientRefreshRateX100", "-1", "refresh_x100", 0),
        ("x-nv-video[0].clientRefreshRateX100", "NaN", "refresh_x100", 0),
        ("x-nv-video[0].videoEncoderSlicesPerFrame", "0", "slices_per_frame", 1),
        ("x-nv-video[0].videoEncoderSlicesPerFrame", "255", "slices_per_frame", 32),
        ("x-nv-vqos[0].fec.minRequiredFecPackets", "1000", "minimum_parity_count", 8),
        ("x-nv-aqos.packetDuration", "", "packet_duration_ms", 5),
        ("x-nv-video[0].timeoutLengthMs", "-7000", "timeout_length_ms", 0),
    ],
)
def test_numbers_are_read_tolerantly(name, text, field, value):
    assert getattr(parse_announce(body({**LEAST, name: text})), field) == value


@pytest.mark.parametrize(
    ("x100", "millihertz"),
    [(5994, 59940), (6000, 60000), (5940, 59400), (5939, 60000), (14400, 60000), (0, 60000)],
)
def test_exact_refresh_rates_within_one_percent(x100, millihertz):
    announce = parse_announce(body({**LEAST, "x-nv-video[0].clientRefreshRateX100": str(x100)}))
    assert announce.mode.refresh_millihertz == millihertz


def test_audio_quality_of_stereo_is_in_the_host_header():
    stereo = parse_announce(body({**LEAST, "x-nv-audio.surround.AudioQuality": "1"}))
    assert stereo.high_quality_audio("192.168.1.20")
    assert not stereo.high_quality_audio("0.0.0.0")
    surround = parse_announce(body({**LEAST, "x-nv-audio.surround.numChannels": "8"}))
    assert not surround.high_quality_audio("192.168.1.20")


def test_old_clients_ask_for_audio_encryption_elsewhere():
    announce = parse_announce(body({**LEAST, "x-nv-general.featureFlags": "167"}))
    assert announce.encryption == Encryption.AUDIO


def test_of_a_repeated_attribute_the_first_counts():
    text = body(LEAST) + b"a=x-nv-video[0].maxFPS:30 \r\n"
    assert parse_announce(text).fps == 60
    assert parse_announce(text.replace(b"\r\n", b"\n")).fps == 60
    assert parse_announce(text.replace(b"\r\n", b"\r")).fps == 60


def test_sizes_are_bounded():
    with pytest.raises(RemoteProtocolError, match="allowed"):
        parse_announce(bytes(MAX_BODY_BYTES + 1))


def test_truncation_and_damage_at_every_byte():
    data = body(STOCK)
    for position in range(len(data)):
        damaged = data[:position] + bytes([data[position] ^ 1 << position % 8]) + data[position + 1 :]
        for candidate in (data[:position], damaged):
            with contextlib.suppress(RemoteProtocolError):
                parse_announce(candidate)


IN_RANGE = st.fixed_dictionaries(
    {
        item.name: st.integers(item.metadata["low"], item.metadata["high"])
        for item in fields(Announce)
        if item.name not in {"width_px", "height_px", "packet_bytes", "channel_count", "packet_duration_ms"}
    }
    | {
        "width_px": st.integers(64, 8704),
        "height_px": st.integers(64, 16384),
        "packet_bytes": st.integers(10, 4064).map(lambda step: step * 16),
        "channel_count": st.sampled_from([2, 6, 8]),
        "packet_duration_ms": st.sampled_from([5, 10]),
        "maximum_bitrate_kbps": st.integers(1, 10_000_000),
    }
)


@settings(max_examples=100, deadline=None)
@given(IN_RANGE)
def test_round_trip(values):
    names = {item.name: item.metadata["name"] for item in fields(Announce)}
    announce = parse_announce(body({names[name]: value for name, value in values.items()}))
    assert announce == Announce(**values)
    # Every combination has a meaning: no property fails on numbers that were accepted.
    for name, item in vars(Announce).items():
        if isinstance(item, property):
            getattr(announce, name)
    assert announce.mode.frame_interval_ns > 0


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200)
    | st.dictionaries(st.sampled_from(list(STOCK)), st.text(max_size=25) | st.integers().map(str)).map(
        lambda changes: body({**STOCK, **changes})
    )
)
def test_garbage(data):
    with contextlib.suppress(RemoteProtocolError):
        parse_announce(data)
