"""What a client asked for, what this host can do, and the plan that comes of both. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from punktfunk.control.deep_colour import NO_DEEP_COLOUR, DeepColour
from punktfunk.plan import (
    AudioPlan,
    AudioSource,
    Codec,
    ColourSpace,
    EncodePlan,
    Mode,
    Pacing,
    RealtimePlan,
    SendPlan,
)
from punktfunk.wire.gamestream.audio import opus_layout
from punktfunk.wire.gamestream.launch import LaunchRequest
from punktfunk.wire.gamestream.rtsp import RtspRefused
from punktfunk.wire.gamestream.sdp import Announce, ClientFeature, DescribeOffer, Encryption, HostFeature
from punktfunk.wire.gamestream.serverinfo import CodecMode

LOWEST_VIDEO_BITRATE_BPS = 500_000
"""Below this no picture of any use can be made; a client that asks for less gets this."""
HIGHEST_VIDEO_BITRATE_BPS = 2_000_000_000
"""Encoders keep rates in 32 bits, some with a sign; the most that clients let people choose is 500 Mbit/s."""

_VIDEO_DSCP, _AUDIO_DSCP = 40, 48
"""CS5 and CS6, as Sunshine marks (src/platform/linux/misc.cpp, enable_socket_qos), for clients that ask."""

_EVERYTHING = Encryption.CONTROL_V2 | Encryption.VIDEO | Encryption.AUDIO
_CODEC_MODES = {  # by (ten bit, 4:4:4)
    Codec.H264: {(False, False): CodecMode.H264, (False, True): CodecMode.H264_HIGH8_444},
    Codec.HEVC: {
        (False, False): CodecMode.HEVC_MAIN,
        (True, False): CodecMode.HEVC_MAIN10,
        (False, True): CodecMode.HEVC_REXT8_444,
        (True, True): CodecMode.HEVC_REXT10_444,
    },
    Codec.AV1: {
        (False, False): CodecMode.AV1_MAIN8,
        (True, False): CodecMode.AV1_MAIN10,
        (False, True): CodecMode.AV1_HIGH8_444,
        (True, True): CodecMode.AV1_HIGH10_444,
    },
}


@dataclass(frozen=True, slots=True)
class HostOffer:
    """What every session of this host may use; ``encoders`` maps each offered codec to an FFmpeg encoder."""

    encoders: Mapping[Codec, str]
    fec_percent: int
    pacing: Pacing
    encryption: Literal["auto", "always", "never"]
    realtime: RealtimePlan
    deep_colour: DeepColour = NO_DEEP_COLOUR


@dataclass(frozen=True, slots=True)
class Agreement:
    """The outcome: everything of the plan but the picture's source, which only the display knows."""

    mode: Mode
    encode: EncodePlan
    send: SendPlan
    audio: AudioPlan
    encryption: Encryption
    client_features: ClientFeature


def codec_modes(offer: HostOffer) -> CodecMode:
    """Return ServerCodecModeSupport; DESCRIBE says the same through :func:`describe`."""
    mask = CodecMode(0)
    for codec in offer.encoders:
        for (ten_bit, chroma_444), mode in _CODEC_MODES[codec].items():
            if offer.deep_colour.allows(codec, ten_bit=ten_bit, chroma_444=chroma_444):
                mask |= mode
    return mask


def describe(offer: HostOffer, client_address: str) -> DescribeOffer:
    """Return the DESCRIBE offer for a client at ``client_address``.

    Encryption of video costs the client time, so at home it is offered but not asked for; a client from
    elsewhere is asked for it (Sunshine does the same: rtsp.cpp, cmd_describe, with its lan and wan modes).
    """
    supported = Encryption.CONTROL_V2 if offer.encryption == "never" else _EVERYTHING
    wanted = offer.encryption == "always" or not is_near(client_address)
    return DescribeOffer(
        codecs=frozenset(offer.encoders),
        features=HostFeature.PEN_TOUCH | HostFeature.CONTROLLER_TOUCH,
        encryption_supported=supported,
        encryption_requested=supported if wanted else Encryption.CONTROL_V2,
        # No encoder here can invalidate references; clients then ask for an IDR, which they get.
        reference_invalidation=False,
    )


def is_near(address: str) -> bool:
    """Tell whether the address (without zone) is one of a home network or of this machine."""
    parsed = ip_address(address)
    return parsed.is_private or parsed.is_link_local or parsed.is_loopback


def video_bitrate_bps(total_bps: int, sound_bps: int, fec_percent: int) -> int:
    """Return the encoder's share of the bitrate that the user set.

    Parity and sound (at most a fifth) are taken off, and a tenth (at most 500 kbit/s) for headers and control
    (Sunshine, rtsp.cpp, cmd_announce).
    """
    video_bps = total_bps * (100 - fec_percent) // 100
    video_bps -= min(sound_bps, video_bps // 5)
    video_bps -= min(500_000, video_bps // 10)
    return min(max(video_bps, LOWEST_VIDEO_BITRATE_BPS), HIGHEST_VIDEO_BITRATE_BPS)


def negotiate(
    announce: Announce, host_header: str, launch: LaunchRequest, offer: HostOffer, sound: AudioSource
) -> Agreement:
    """Return what will be streamed; RtspRefused (400 or 403) where no agreement is possible."""
    encoder_name = offer.encoders.get(announce.codec)
    if encoder_name is None:
        raise RtspRefused(400, "Bad Request", f"codec {announce.codec.value} was not offered")
    ten_bit, chroma_444 = announce.ten_bit, announce.chroma_444
    if not offer.deep_colour.allows(announce.codec, ten_bit=ten_bit, chroma_444=chroma_444):
        wish = " in ".join(["HDR"] * ten_bit + ["4:4:4"] * chroma_444)
        raise RtspRefused(400, "Bad Request", f"{wish} was not offered for {announce.codec.value}")
    encryption = announce.encryption
    if offer.encryption == "always" and encryption != _EVERYTHING:
        raise RtspRefused(403, "Forbidden", f"encryption is mandatory, the client agreed to {encryption!r}")
    high_quality = announce.high_quality_audio(host_header)
    sound_bps = opus_layout(announce.channel_count, high_quality).bitrate_bps
    return Agreement(
        mode=announce.mode,
        encode=EncodePlan(
            codec=announce.codec,
            encoder_name=encoder_name,
            bitrate_bps=video_bitrate_bps(announce.bitrate_kbps * 1000, sound_bps, offer.fec_percent),
            # HDR10 has one matrix, whatever the client said for pictures without.
            colour_space=ColourSpace.BT2020 if ten_bit else announce.colour_space,
            full_range=announce.full_range,
            slices_per_frame=announce.slices_per_frame,
            reference_frame_count=announce.reference_frame_count,
            bit_depth=10 if ten_bit else 8,
            chroma_444=chroma_444,
        ),
        send=SendPlan(
            packet_bytes=announce.packet_bytes,
            fec_percent=offer.fec_percent,
            minimum_parity_count=announce.minimum_parity_count,
            encryption_key=launch.key if encryption & Encryption.VIDEO else None,
            pacing=offer.pacing,
            frame_interval_ns=announce.mode.frame_interval_ns,
            dscp=_VIDEO_DSCP if announce.video_qos_type else 0,
        ),
        audio=AudioPlan(
            source=sound,
            channel_count=announce.channel_count,
            high_quality=high_quality,
            packet_duration_ms=announce.packet_duration_ms,
            encryption_key=launch.key if encryption & Encryption.AUDIO else None,
            encryption_iv_id=launch.key_id,
            dscp=_AUDIO_DSCP if announce.audio_qos_type else 0,
        ),
        encryption=encryption,
        client_features=announce.features,
    )
