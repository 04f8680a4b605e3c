"""The two SDP-like bodies of RTSP: what DESCRIBE offers, and what the client announces.

The client finds the offer by substring search (moonlight-common-c RtspConnection.c, performRtspHandshake):

    text                                    effect
    --------------------------------------  --------------------------------------------------------------
    AV1/90000                               AV1 can be had: first choice of clients that decode it
    sprop-parameter-sets=AAAAAU             HEVC can be had: second choice; with neither it is H.264
    x-nv-video[0].refPicInvalidation        reference frames can be invalidated
    a=x-ss-general.featureFlags:N           HostFeature
    a=x-ss-general.encryptionSupported:N    Encryption that it may choose; ...Requested:N that it should
    a=fmtp:97 surround-params=CSMmmm        per channel count: first hit normal quality, second high quality

It answers with lines ``a=name:value``, each ended by a blank and CRLF; ``Announce`` has the table of names.
Spec: gamestream.md sections 3.3 to 3.4 and 5; peers: moonlight-common-c SdpGenerator.c, getAttributesList;
Sunshine src/rtsp.cpp, cmd_describe and cmd_announce.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntFlag
from typing import Any, Final

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.plan import Codec, ColourSpace, Mode
from punktfunk.wire.gamestream.audio import opus_layout, surround_params
from punktfunk.wire.gamestream.launch import (
    CHANNEL_COUNTS,
    MAX_REFRESH_HZ,
    MAX_SIDE_PX,
    MIN_SIDE_PX,
    check_channel_count,
    check_picture_size,
)
from punktfunk.wire.gamestream.numbers import parse_number

MAX_BODY_BYTES: Final = 64 * 1024
MIN_PACKET_BYTES: Final = 160
MAX_PACKET_BYTES: Final = 65024
"""The largest P whose datagram (P + 16, + 32 encrypted) is still one UDP datagram, with room for IPv6."""
PACKET_STEP_BYTES: Final = 16
MAX_BITRATE_KBPS: Final = 10_000_000
LOW_QUALITY_HOST: Final = "0.0.0.0"  # noqa: S104  (a value of the Host header, nothing is bound to it)

_UINT32: Final = 0xFFFFFFFF
_LEGACY_AUDIO_ENCRYPTION: Final = 0x20
_CODECS: Final = (Codec.H264, Codec.HEVC, Codec.AV1)
_PACKET_DURATIONS_MS: Final = (5, 10)


class Encryption(IntFlag):
    """Bits of encryptionSupported, encryptionRequested and encryptionEnabled."""

    CONTROL_V2 = 1
    VIDEO = 2
    AUDIO = 4


class HostFeature(IntFlag):
    """Bits of the host's featureFlags: events that the client may send."""

    PEN_TOUCH = 1
    CONTROLLER_TOUCH = 2  # and motion


class ClientFeature(IntFlag):
    """Bits of x-ml-general.featureFlags."""

    FEC_STATUS = 1
    SESSION_ID = 2  # pings carry the payload, ENet's CONNECT the data of SETUP


@dataclass(frozen=True, slots=True)
class DescribeOffer:
    """What this host can do for one session; ``codecs`` must agree with ServerCodecModeSupport."""

    codecs: frozenset[Codec]
    features: HostFeature
    encryption_supported: Encryption
    encryption_requested: Encryption = Encryption.CONTROL_V2
    reference_invalidation: bool = True


def build_describe(offer: DescribeOffer) -> str:
    """Build the DESCRIBE body; LocalProtocolError without H.264, on which every client falls back."""
    if Codec.H264 not in offer.codecs:
        raise LocalProtocolError("a GameStream host must offer H.264")
    if offer.encryption_requested & ~offer.encryption_supported:
        raise LocalProtocolError(
            f"{offer.encryption_requested!r} requested, {offer.encryption_supported!r} supported"
        )
    lines = [
        f"a=x-ss-general.featureFlags:{int(offer.features)}",
        f"a=x-ss-general.encryptionSupported:{int(offer.encryption_supported)}",
        f"a=x-ss-general.encryptionRequested:{int(offer.encryption_requested)}",
    ]
    if offer.reference_invalidation:
        lines.append("a=x-nv-video[0].refPicInvalidation:1")
    if Codec.HEVC in offer.codecs:
        lines.append("sprop-parameter-sets=AAAAAU")
    if Codec.AV1 in offer.codecs:
        lines.append("a=rtpmap:98 AV1/90000")
    # Stereo twice as well, like Sunshine: clients need neither line.
    lines += [
        f"a=fmtp:97 surround-params={surround_params(opus_layout(count, high_quality))}"
        for count in CHANNEL_COUNTS
        for high_quality in (False, True)
    ]
    return "".join(line + "\n" for line in lines)


def _attribute(
    name: str, default: int | None, low: int = 0, high: int = _UINT32, *, clamp: bool = False
) -> Any:
    """Describe one number. No default: it must be there. ``clamp`` pulls strays into the range."""
    return field(metadata={"name": name, "default": default, "low": low, "high": high, "clamp": clamp})


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """Every number that the client announces, under the host's names. Those that steer nothing are kept too.

    An absent or empty attribute has its default, and so does one that is no number. Properties combine them.
    """

    width_px: int = _attribute("x-nv-video[0].clientViewportWd", None, MIN_SIDE_PX, MAX_SIDE_PX)
    height_px: int = _attribute("x-nv-video[0].clientViewportHt", None, MIN_SIDE_PX, MAX_SIDE_PX)
    fps: int = _attribute("x-nv-video[0].maxFPS", None, 1, MAX_REFRESH_HZ)
    refresh_x100: int = _attribute(
        "x-nv-video[0].clientRefreshRateX100", 0, 0, MAX_REFRESH_HZ * 100, clamp=True
    )
    packet_bytes: int = _attribute("x-nv-video[0].packetSize", None, MIN_PACKET_BYTES, MAX_PACKET_BYTES)
    slices_per_frame: int = _attribute("x-nv-video[0].videoEncoderSlicesPerFrame", 1, 1, 32, clamp=True)
    reference_frame_count: int = _attribute("x-nv-video[0].maxNumReferenceFrames", 0, 0, 16, clamp=True)
    dynamic_range_mode: int = _attribute("x-nv-video[0].dynamicRangeMode", 0, clamp=True)
    colour_mode: int = _attribute("x-nv-video[0].encoderCscMode", 0, 0, 5)
    rate_control_mode: int = _attribute("x-nv-video[0].rateControlMode", 0, clamp=True)
    timeout_length_ms: int = _attribute("x-nv-video[0].timeoutLengthMs", 0, clamp=True)
    invalid_reference_threshold: int = _attribute(
        "x-nv-video[0].framesWithInvalidRefThreshold", 0, clamp=True
    )
    initial_bitrate_kbps: int = _attribute("x-nv-video[0].initialBitrateKbps", 0, clamp=True)
    initial_peak_bitrate_kbps: int = _attribute("x-nv-video[0].initialPeakBitrateKbps", 0, clamp=True)
    minimum_bitrate_kbps: int = _attribute("x-nv-vqos[0].bw.minimumBitrateKbps", 0, clamp=True)
    maximum_bitrate_kbps: int = _attribute("x-nv-vqos[0].bw.maximumBitrateKbps", 0, 0, MAX_BITRATE_KBPS)
    configured_bitrate_kbps: int = _attribute("x-ml-video.configuredBitrateKbps", 0, 0, MAX_BITRATE_KBPS)
    bitstream_format: int = _attribute("x-nv-vqos[0].bitStreamFormat", 0, 0, len(_CODECS) - 1)
    supports_hevc: int = _attribute("x-nv-clientSupportHevc", 0, clamp=True)
    fec_enable: int = _attribute("x-nv-vqos[0].fec.enable", 0, clamp=True)
    minimum_parity_count: int = _attribute("x-nv-vqos[0].fec.minRequiredFecPackets", 0, 0, 8, clamp=True)
    bll_fec_enable: int = _attribute("x-nv-vqos[0].bllFec.enable", 0, clamp=True)
    resolution_change_enable: int = _attribute("x-nv-vqos[0].drc.enable", 0, clamp=True)
    video_qos_type: int = _attribute("x-nv-vqos[0].qosTrafficType", 5, clamp=True)
    audio_qos_type: int = _attribute("x-nv-aqos.qosTrafficType", 4, clamp=True)
    packet_duration_ms: int = _attribute("x-nv-aqos.packetDuration", 5)
    channel_count: int = _attribute("x-nv-audio.surround.numChannels", 2)
    channel_mask: int = _attribute("x-nv-audio.surround.channelMask", 0, clamp=True)
    surround_enable: int = _attribute("x-nv-audio.surround.enable", 0, clamp=True)
    audio_quality: int = _attribute("x-nv-audio.surround.AudioQuality", 0, clamp=True)
    recovery_mode: int = _attribute("x-nv-general.enableRecoveryMode", 0, clamp=True)
    legacy_features: int = _attribute("x-nv-general.featureFlags", 135)
    control_protocol: int = _attribute("x-nv-general.useReliableUdp", 1, clamp=True)
    client_features: int = _attribute("x-ml-general.featureFlags", 0)
    encryption_enabled: int = _attribute("x-ss-general.encryptionEnabled", 0)
    chroma_sampling_type: int = _attribute("x-ss-video[0].chromaSamplingType", 0, clamp=True)
    intra_refresh_mode: int = _attribute("x-ss-video[0].intraRefresh", 0, clamp=True)

    @property
    def codec(self) -> Codec:
        """The codec that the client chose from the offer."""
        return _CODECS[self.bitstream_format]

    @property
    def mode(self) -> Mode:
        """The display mode: the exact refresh rate if it is within 1 % of maxFPS, as 59.94 Hz is of 60.

        Some clients send their display's rate whatever was asked for (Sunshine src/rtsp.cpp, cmd_announce).
        """
        exact = abs(self.refresh_x100 - self.fps * 100) <= self.fps
        return Mode(self.width_px, self.height_px, self.refresh_x100 * 10 if exact else self.fps * 1000)

    @property
    def bitrate_kbps(self) -> int:
        """What the user set; from clients that do not say, the capped maximum of old."""
        return self.configured_bitrate_kbps or self.maximum_bitrate_kbps

    @property
    def encryption(self) -> Encryption:
        """The agreed set: what the client enabled, not what was offered; old ones ask for audio elsewhere."""
        legacy = Encryption.AUDIO if self.legacy_features & _LEGACY_AUDIO_ENCRYPTION else Encryption(0)
        return Encryption(self.encryption_enabled & 0b111) | legacy

    @property
    def features(self) -> ClientFeature:
        """What the client knows of today's extensions."""
        return ClientFeature(self.client_features & 0b11)

    @property
    def colour_space(self) -> ColourSpace:
        """Matrix of the conversion."""
        return ColourSpace(self.colour_mode >> 1)

    @property
    def full_range(self) -> bool:
        """Whether luma and chroma use all their values."""
        return bool(self.colour_mode & 1)

    @property
    def ten_bit(self) -> bool:
        """Whether 10 bit was agreed; HDR if the display is."""
        return self.dynamic_range_mode != 0

    @property
    def chroma_444(self) -> bool:
        """Whether 4:4:4 was agreed."""
        return self.chroma_sampling_type == 1

    def high_quality_audio(self, host_header: str) -> bool:
        """Whether to encode audio in high quality; for stereo only the request's Host header tells."""
        if self.channel_count > 2:
            return self.audio_quality != 0
        return LOW_QUALITY_HOST not in host_header


def parse_announce(body: bytes) -> Announce:
    """Read an ANNOUNCE body; what no stream could be made of raises RemoteProtocolError naming the value."""
    if len(body) > MAX_BODY_BYTES:
        raise RemoteProtocolError(f"announcement of {len(body)} bytes, {MAX_BODY_BYTES} are allowed")
    texts: dict[str, str] = {}
    for line in body.decode("latin-1").replace("\r", "\n").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.startswith("a="):
            texts.setdefault(name[2:].strip(), value.strip())
    announce = Announce(**{item.name: _read(item.metadata, texts) for item in fields(Announce)})
    check_picture_size(announce.width_px, announce.height_px)
    check_channel_count("x-nv-audio.surround.numChannels", announce.channel_count)
    if announce.packet_bytes % PACKET_STEP_BYTES:
        raise RemoteProtocolError(
            f"packetSize is {announce.packet_bytes}, no multiple of {PACKET_STEP_BYTES}"
        )
    if announce.packet_duration_ms not in _PACKET_DURATIONS_MS:
        raise RemoteProtocolError(f"packetDuration is {announce.packet_duration_ms} ms, 5 or 10 can be had")
    if not announce.bitrate_kbps:
        raise RemoteProtocolError(
            "the announced bitrate is 0: neither configuredBitrateKbps nor maximumBitrateKbps"
        )
    return announce


def _read(attribute: Mapping[str, Any], texts: Mapping[str, str]) -> int:
    name: str = attribute["name"]
    default: int | None = attribute["default"]
    low: int = attribute["low"]
    high: int = attribute["high"]
    text = texts.get(name, "")
    if default is not None and not text.lstrip("+-")[:1].isdecimal():
        return default
    if attribute["clamp"]:
        return max(low, min(high, parse_number(name, text, -(10**20), 10**20)))
    return parse_number(name, text, low, high)
