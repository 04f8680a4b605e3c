"""What a Hello asks for, what this host can do, and the session that comes of both. Pure.

Which parity and which seal is the host's choice, told in Welcome: GF(2^8) while whole frames fit one of its
blocks, GF(2^16) above; AES unless this CPU lacks the instructions and the client takes ChaCha20. Spec:
punktfunk-1 sections 2.3, 2.6, 2.7 and 2.9.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from punktfunk.control.adapt.budget import clamp_kbps, encoder_bitrate
from punktfunk.control.adapt.fec import INITIAL_PERCENT
from punktfunk.control.native.refusal import TurnedAway
from punktfunk.control.native.terms import AudioTerms, MediaPlace, NativeOffer
from punktfunk.plan import (
    Codec,
    ColourSpace,
    EncodePlan,
    MediaCipher,
    Mode,
    NativeSendPlan,
    Pacing,
)
from punktfunk.wire.native.capabilities import (
    CHROMA_420,
    CHROMA_444,
    Cipher,
    ClientCap,
    CloseCode,
    CodecBit,
    Grant,
    HostCap,
    HostCap2,
    VideoCap,
    pick_codec,
)
from punktfunk.wire.native.extension import Extensions
from punktfunk.wire.native.handshake import Hello
from punktfunk.wire.native.packet import SALT_BYTES, FecScheme
from punktfunk.wire.native.positional import CHACHA20_KEY_BYTES
from punktfunk.wire.native.welcome import KEY_BYTES, Welcome

SIDE_PX: Final = (128, 16_384)
REFRESH_HZ: Final = (1, 1000)
SHARD_BYTES_IPV4: Final = 1408
SHARD_BYTES_IPV6: Final = 1388
GF8_DATA_MAX: Final = 200
GF16_DATA_MAX: Final = 4096
PEAK_FRAMES: Final = 4
"""A large frame is so many mean ones: what must fit one block for GF(2^8) to be chosen."""

HOST_CAPS: Final = HostCap.PAD_SNAPSHOTS | HostCap.TEXT | HostCap.PEN
HOST_CAPS_2: Final = (
    HostCap2.REPEAT_MARK
    | HostCap2.TOUCH
    | HostCap2.EXTENSIONS
    | HostCap2.SCROLL
    | HostCap2.BRING_UP_RAMP
    | HostCap2.DELIVERY_EVERY_WINDOW
    | HostCap2.INPUT_EDGES
)

_CODECS: Final = {CodecBit.H264: Codec.H264, CodecBit.HEVC: Codec.HEVC, CodecBit.AV1: Codec.AV1}
_CIPHERS: Final = {
    Cipher.AES_128_GCM: MediaCipher.AES_128_GCM,
    Cipher.CHACHA20_POLY1305: MediaCipher.CHACHA20_POLY1305,
}
HDR10: Final = (9, 16, 9)
"""CICP numbers of primaries, transfer and matrix: BT.2020, PQ (ITU-T H.273)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The session: what Welcome says, and the plans that follow from it."""

    mode: Mode
    codec: Codec
    encoder_name: str
    budget_kbps: int
    audio: AudioTerms
    fec_percent: int
    fec_fixed: bool
    pacing: Pacing
    cipher: MediaCipher
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    welcome: Welcome = field(repr=False)

    @property
    def bit_depth(self) -> int:
        """8, or 10 for HDR10."""
        return self.welcome.bit_depth

    @property
    def chroma_444(self) -> bool:
        """Whether every pixel has its own colour."""
        return self.welcome.chroma_idc == CHROMA_444

    @property
    def encoder_bps(self) -> int:
        """The encoder's rate at the start."""
        return 1000 * encoder_bitrate(
            self.budget_kbps, self.audio.bitrate_kbps, self.fec_percent, self.welcome.shard_bytes
        )

    def encode_plan(self, bitrate_bps: int) -> EncodePlan:
        """How pictures are encoded at a rate."""
        return EncodePlan(
            codec=self.codec,
            encoder_name=self.encoder_name,
            bitrate_bps=bitrate_bps,
            colour_space=ColourSpace.BT2020 if self.bit_depth == 10 else ColourSpace.BT709,
            full_range=False,
            bit_depth=self.bit_depth,
            chroma_444=self.chroma_444,
        )

    def send_plan(self, mode: Mode, *, shard_bytes: int, pacing: Pacing, budget_kbps: int) -> NativeSendPlan:
        """How access units are sent."""
        return NativeSendPlan(
            shard_bytes=shard_bytes,
            data_max=self.welcome.data_max,
            fec_scheme=self.welcome.fec_scheme,
            fec_percent=self.welcome.fec_percent,
            cipher=self.cipher,
            encryption_key=self.key,
            salt=self.salt,
            pacing=pacing,
            frame_interval_ns=mode.frame_interval_ns,
            pace_bps=budget_kbps * 1000,
        )


def requested_mode(width_px: int, height_px: int, refresh_hz: int) -> Mode | None:
    """Return the mode, None for one that no display here could have."""
    sides = all(SIDE_PX[0] <= side <= SIDE_PX[1] for side in (width_px, height_px))
    if not sides or not REFRESH_HZ[0] <= refresh_hz <= REFRESH_HZ[1]:
        return None
    return Mode(width_px, height_px, refresh_hz * 1000)


def negotiate(
    hello: Hello,
    offer: NativeOffer,
    place: MediaPlace,
    audio: AudioTerms,
    rights: tuple[Grant, int],
    random_bytes: Callable[[int], bytes],
) -> Agreement:
    """Return the session for a Hello; ``rights`` are grants and seconds left. TurnedAway says why none."""
    chosen = _choose(hello, offer, place, random_bytes)
    return Agreement(
        mode=chosen.mode,
        codec=chosen.codec,
        encoder_name=offer.encoders[chosen.codec],
        budget_kbps=chosen.budget_kbps,
        audio=audio,
        fec_percent=chosen.fec_percent,
        fec_fixed=offer.fec_percent is not None,
        pacing=offer.pacing,
        cipher=_CIPHERS[chosen.cipher],
        key=chosen.chacha_key or chosen.key,
        salt=chosen.salt,
        welcome=_welcome(hello, offer, chosen, audio, place.port, rights),
    )


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the host decides of a session's pictures and packets."""

    mode: Mode
    codec_bit: CodecBit
    codec: Codec
    ten_bit: bool
    chroma_444: bool
    budget_kbps: int
    fec_percent: int
    fec_scheme: FecScheme
    shard_bytes: int
    cipher: Cipher
    key: bytes
    salt: bytes
    chacha_key: bytes | None


def _choose(
    hello: Hello, offer: NativeOffer, place: MediaPlace, random_bytes: Callable[[int], bytes]
) -> _Chosen:
    mode = requested_mode(hello.width_px, hello.height_px, hello.refresh_hz)
    if mode is None:
        raise TurnedAway(
            CloseCode.SETUP_FAILED,
            f"No display of {hello.width_px}x{hello.height_px} at {hello.refresh_hz} Hz can be made here; "
            "choose another resolution.",
        )
    codec_bit, codec = _codec(hello, offer)
    ten_bit, chroma_444 = _depth(hello, offer, codec)
    budget_kbps = clamp_kbps(hello.bitrate_kbps)
    fec_percent = INITIAL_PERCENT if offer.fec_percent is None else offer.fec_percent
    shard_bytes = SHARD_BYTES_IPV6 if ip_address(place.local_address).version == 6 else SHARD_BYTES_IPV4
    cipher = _cipher(hello, offer)
    return _Chosen(
        mode=mode,
        codec_bit=codec_bit,
        codec=codec,
        ten_bit=ten_bit,
        chroma_444=chroma_444,
        budget_kbps=budget_kbps,
        fec_percent=fec_percent,
        fec_scheme=_scheme(budget_kbps, hello.refresh_hz, shard_bytes, fec_percent),
        shard_bytes=shard_bytes,
        cipher=cipher,
        key=random_bytes(KEY_BYTES),
        salt=random_bytes(SALT_BYTES),
        chacha_key=random_bytes(CHACHA20_KEY_BYTES) if cipher is Cipher.CHACHA20_POLY1305 else None,
    )


def _welcome(
    hello: Hello,
    offer: NativeOffer,
    chosen: _Chosen,
    audio: AudioTerms,
    media_port: int,
    rights: tuple[Grant, int],
) -> Welcome:
    grants, expires_in_s = rights
    return Welcome(
        media_port=media_port,
        width_px=chosen.mode.width_px,
        height_px=chosen.mode.height_px,
        refresh_hz=hello.refresh_hz,
        fec_scheme=chosen.fec_scheme,
        fec_percent=chosen.fec_percent,
        data_max=GF8_DATA_MAX if chosen.fec_scheme is FecScheme.GF8 else GF16_DATA_MAX,
        shard_bytes=chosen.shard_bytes,
        key=chosen.key,
        salt=chosen.salt,
        compositor=offer.compositor,
        gamepad=hello.gamepad,
        bitrate_kbps=chosen.budget_kbps,
        bit_depth=10 if chosen.ten_bit else 8,
        colour_primaries=HDR10[0] if chosen.ten_bit else 1,
        colour_transfer=HDR10[1] if chosen.ten_bit else 1,
        colour_matrix=HDR10[2] if chosen.ten_bit else 1,
        chroma_idc=CHROMA_444 if chosen.chroma_444 else CHROMA_420,
        audio_channels=audio.channel_count,
        codec=chosen.codec_bit,
        host_caps=HOST_CAPS | audio.host_caps | _pointer_cap(hello, offer),
        cipher=chosen.cipher,
        chacha_key=chosen.chacha_key,
        mgmt_port=offer.management_port,
        grants=grants,
        expires_in_s=expires_in_s,
        audio_codec=audio.codec,
        audio_rate_hz=audio.rate_hz,
        audio_bits=audio.bits,
        audio_frame_us=audio.frame_us,
        host_caps2=HOST_CAPS_2,
        audio_layout=audio.layout,
        extensions=Extensions() if hello.client_caps & ClientCap.EXTENSIONS else None,
    )


def _codec(hello: Hello, offer: NativeOffer) -> tuple[CodecBit, Codec]:
    available = CodecBit(0)
    for bit, codec in _CODECS.items():
        if codec in offer.encoders:
            available |= bit
    picked = pick_codec(hello.codecs, available, hello.preferred_codec)
    if picked is None:
        names = ", ".join(codec.value for codec in offer.encoders) or "nothing"
        raise TurnedAway(
            CloseCode.SETUP_FAILED,
            f"This host encodes {names}, and the client decodes none of it. Switch on H.264 there, or "
            "software HEVC or AV1 in the host's settings.",
        )
    return picked, _CODECS[picked]


def _pointer_cap(hello: Hello, offer: NativeOffer) -> HostCap:
    """Answer a client that draws the pointer itself."""
    return HostCap.CURSOR if offer.sends_pointer and hello.client_caps & ClientCap.CURSOR else HostCap(0)


def _depth(hello: Hello, offer: NativeOffer, codec: Codec) -> tuple[bool, bool]:
    """Whether the session is HDR10, and whether it is 4:4:4: what the client takes and this host has.

    HDR goes first where both together cannot be had: it changes every picture, 4:4:4 its finest lines.
    """
    takes = hello.video_caps
    wants_hdr = takes & (VideoCap.TEN_BIT | VideoCap.HDR) == VideoCap.TEN_BIT | VideoCap.HDR
    wants_444 = bool(takes & VideoCap.FULL_CHROMA)
    for ten_bit, chroma_444 in ((True, True), (True, False), (False, True)):
        wanted = (wants_hdr or not ten_bit) and (wants_444 or not chroma_444)
        if wanted and offer.deep_colour.allows(codec, ten_bit=ten_bit, chroma_444=chroma_444):
            return ten_bit, chroma_444
    return False, False


def _scheme(budget_kbps: int, refresh_hz: int, shard_bytes: int, fec_percent: int) -> FecScheme:
    peak_bytes = PEAK_FRAMES * budget_kbps * 125 // refresh_hz
    fits = peak_bytes <= GF8_DATA_MAX * shard_bytes
    # 200 data shards leave room for 55 of parity: an operator's larger share needs the larger field.
    roomy = fec_percent * GF8_DATA_MAX <= 100 * (255 - GF8_DATA_MAX)
    return FecScheme.GF8 if fits and roomy else FecScheme.GF16


def _cipher(hello: Hello, offer: NativeOffer) -> Cipher:
    takes_chacha = bool(hello.video_caps & VideoCap.CHACHA20)
    wanted = offer.cipher == "chacha20" or (offer.cipher == "auto" and not offer.aes_is_fast)
    return Cipher.CHACHA20_POLY1305 if takes_chacha and wanted else Cipher.AES_128_GCM
