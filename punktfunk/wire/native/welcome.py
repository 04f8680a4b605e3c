"""Welcome: what the host made of a client's Hello, and the keys of the session.

Begins with "PKF1"; the fields below are the layout, in order; how missing ends are read and written:
``positional``. Everything behind ``host_caps`` came later: 68 bytes carry none of it, 71 the management port,
79 the grants, 87 the audio block, 88 the second capability byte, 89 the audio layout; a ChaCha20 key adds 32.
An unknown cipher or a short key is an error, never a silent AES. Spec: punktfunk-1.md section 2.3.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.capabilities import (
    CHROMA_420,
    CHROMA_444,
    NO_HOST_CAPS,
    NO_HOST_CAPS2,
    WIRE_VERSION,
    AudioCodec,
    Cipher,
    CodecBit,
    CompositorKind,
    GamepadKind,
    Grant,
    HostCap,
    HostCap2,
    read_grants,
)
from punktfunk.wire.native.extension import Extensions
from punktfunk.wire.native.forms import FLAG, U8, U16, U32, Bits, Choice, Number, Octets, OrDefault
from punktfunk.wire.native.layout import Tail
from punktfunk.wire.native.packet import SALT_BYTES, FecScheme
from punktfunk.wire.native.positional import CHACHA20_KEY_BYTES, ChachaKey, ExtensionBlock, Positional

KEY_BYTES: Final = 16
AUDIO_RATES_HZ: Final = (44_100, 48_000, 88_200, 96_000, 176_400)
AUDIO_FRAME_MIN_US: Final = 1000


class GrantBits(Number):
    """u32 of Grant; what older hosts call all reads as all."""

    def __init__(self) -> None:
        super().__init__("u32 bits", "I")

    def normal(self, value: Any) -> Grant:
        """Fold the older words for all and drop unknown bits."""
        return read_grants(int(value))

    def take(self, data: bytes, at: int) -> tuple[Grant, int]:
        """Read them."""
        value, end = super().take(data, at)
        return self.normal(value), end


class CipherByte(Number):
    """u8 of Cipher; any other value is an error."""

    def __init__(self) -> None:
        super().__init__("u8", "B")

    def take(self, data: bytes, at: int) -> tuple[Cipher, int]:
        """Read it."""
        value, end = super().take(data, at)
        try:
            return Cipher(value), end
        except ValueError as error:
            raise RemoteProtocolError(f"cipher {value} is not known here") from error


class FrameMicroseconds(Number):
    """u16; 0, or at least 1000."""

    def __init__(self) -> None:
        super().__init__("u16", "H")

    def normal(self, value: Any) -> int:
        """Raise what is too short."""
        return max(int(value), AUDIO_FRAME_MIN_US) if value else 0

    def take(self, data: bytes, at: int) -> tuple[int, int]:
        """Read it."""
        value, end = super().take(data, at)
        return self.normal(value), end


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """Host to client: the session as it will be."""

    wire_version: Annotated[int, U32, "2; clients do not look at it"] = WIRE_VERSION
    media_port: Annotated[int, U16, "UDP port of the host's media socket"]
    width_px: Annotated[int, U32, "mode of the session"]
    height_px: Annotated[int, U32, ""]
    refresh_hz: Annotated[int, U32, ""]
    fec_scheme: Annotated[FecScheme, Choice(FecScheme, FecScheme.GF8), "0 GF(2^8), 1 GF(2^16)"]
    fec_percent: Annotated[int, U8, "parity at the start"]
    data_max: Annotated[int, U16, "data shards of a full block"]
    shard_bytes: Annotated[int, U16, "payload of a packet at the start"]
    encrypt: Annotated[bool, FLAG, "0 for tests only"] = True
    key: Annotated[bytes, Octets(KEY_BYTES), "AES-128-GCM; random also when ChaCha20 is used"] = field(
        repr=False
    )
    salt: Annotated[bytes, Octets(SALT_BYTES), "front of every nonce"] = field(repr=False)
    frame_limit: Annotated[int, U32, "frames that will come, for tests; 0 no limit"] = 0
    compositor: Annotated[
        CompositorKind, Choice(CompositorKind, CompositorKind.AUTO), "what makes the display"
    ] = CompositorKind.AUTO
    gamepad: Annotated[GamepadKind, Choice(GamepadKind, GamepadKind.AUTO), "what pads look like"] = (
        GamepadKind.AUTO
    )
    bitrate_kbps: Annotated[int, U32, "wire budget; 0: automatic bitrate stays off"] = 0
    bit_depth: Annotated[int, U8, "8 or 10"] = 8
    colour_primaries: Annotated[int, U8, "CICP; HDR10 is 9, 16, 9, 0"] = 1
    colour_transfer: Annotated[int, U8, "CICP"] = 1
    colour_matrix: Annotated[int, U8, "CICP"] = 1
    colour_full_range: Annotated[int, U8, "CICP"] = 0
    chroma_idc: Annotated[
        int, OrDefault("u8", "B", CHROMA_420, (CHROMA_444,)), "3 is 4:4:4, everything else 4:2:0"
    ] = CHROMA_420
    audio_channels: Annotated[int, OrDefault("u8", "B", 2, (6, 8)), "2, 6 or 8"] = 2
    codec: Annotated[
        CodecBit,
        Choice((CodecBit.H264, CodecBit.AV1, CodecBit.PYROWAVE), CodecBit.HEVC),
        "HEVC unless 1, 4 or 8",
    ] = CodecBit.HEVC
    host_caps: Annotated[HostCap, Bits(HostCap), "HostCap"] = NO_HOST_CAPS
    cipher: Annotated[Cipher, CipherByte(), "0 AES-128-GCM, 1 ChaCha20-Poly1305"] = Cipher.AES_128_GCM
    chacha_key: Annotated[bytes | None, ChachaKey(), "of cipher 1"] = field(default=None, repr=False)
    mgmt_port: Annotated[int, U16, "0: a client tries 47990"] = 0
    grants: Annotated[Grant, GrantBits(), Tail(1), "what the client may do"] = Grant.ALL
    expires_in_s: Annotated[int, U32, Tail(1), "0: never"] = 0
    audio_codec: Annotated[int, U8, Tail(2), "0 Opus, 2 PCM; kept: a client refuses what it cannot play"] = (
        AudioCodec.OPUS
    )
    audio_rate_hz: Annotated[
        int,
        OrDefault("u32", "I", 48_000, AUDIO_RATES_HZ),
        Tail(2),
        "48,000 unless 44,100, 88,200, 96,000 or 176,400",
    ] = 48_000
    audio_bits: Annotated[int, OrDefault("u8", "B", 16, (24,)), Tail(2), "16 or 24"] = 16
    audio_frame_us: Annotated[int, FrameMicroseconds(), Tail(2), "of PCM; 0 for Opus"] = 0
    host_caps2: Annotated[HostCap2, Bits(HostCap2), "HostCap2"] = NO_HOST_CAPS2
    audio_layout: Annotated[int, U8, "AudioLayout, kept as it is"] = 0
    extensions: Annotated[
        Extensions | None, ExtensionBlock(), "only toward a client with ClientCap.EXTENSIONS"
    ] = None

    def __post_init__(self) -> None:
        """Refuse a cipher without its key, and a key without its cipher."""
        wanted = CHACHA20_KEY_BYTES if self.cipher == Cipher.CHACHA20_POLY1305 else 0
        if len(self.chacha_key or b"") != wanted:
            raise LocalProtocolError(
                f"cipher {self.cipher.name} and a key of {len(self.chacha_key or b'')} bytes"
            )


WELCOME: Final = Positional(Welcome, required=13, always=25)


def build_welcome(welcome: Welcome) -> bytes:
    """Write Welcome, 68 bytes or more; LocalProtocolError for what does not fit."""
    return WELCOME.build(welcome)


def parse_welcome(payload: bytes) -> Welcome:
    """Read Welcome; RemoteProtocolError below 53 bytes, without magic, for a bad cipher, key or extension."""
    welcome: Welcome = WELCOME.parse(payload)
    return welcome
