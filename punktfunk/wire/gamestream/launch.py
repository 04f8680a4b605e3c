"""The query of /launch and /resume: what the client wants to see, and the key of everything that follows.

    parameter             form           meaning
    --------------------  -------------  -----------------------------------------------------------------
    appid                 int            the app; moonlight-python's resume leaves it out
    mode                  WxHxF          display mode; F in Hz, a fraction is understood
    rikey                 32 hex         AES-128 key of RTSP, control, video and audio
    rikeyid               signed 32 bit  first four bytes, big-endian, of the audio IV; negative ones occur
    hdrMode               0/1            the client can show 10 bit
    localAudioPlayMode    0/1            play on the host too
    surroundAudioInfo     int            channel mask << 16 | channel count
    surroundParams        digits         an Opus layout of the client's own (Sunshine's extension)
    continuousAudio       0/1            send silence too (Sunshine's extension)
    remoteControllersBitmap, gcmap       pads attached, one bit each; gcpersist: keep them after a disconnect
    sops                  0/1            "optimise game settings"
    corever               int            1 and above: the client can do encrypted RTSP, so rtspenc may be used

Unknown parameters are ignored. Every launch and resume brings a new key: on the wire a resumed session is a
new one. Spec: gamestream.md section 2.6; peer: Sunshine src/nvhttp.cpp, make_launch_session.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from re import ASCII
from re import compile as regex
from typing import Final

from punktfunk.errors import RemoteProtocolError
from punktfunk.plan import Mode
from punktfunk.wire.gamestream.numbers import parse_hex, parse_number, shown

MIN_SIDE_PX: Final = 64
MAX_SIDE_PX: Final = 16384
MAX_PICTURE_PX: Final = 142_606_336
"""The largest picture that any level of HEVC or AV1 has a number for (levels 7 and up)."""
MAX_REFRESH_HZ: Final = 1000
CHANNEL_COUNTS: Final = (2, 6, 8)
STEREO_AUDIO_INFO: Final = 0x3_0002
KEY_BYTES: Final = 16

_MODE: Final = regex(r"[ \t]*(\d{1,5})x(\d{1,5})x(\d{1,4}(?:\.\d{1,6})?)[ \t]*", ASCII)
_SURROUND_PARAMS: Final = regex(r"\d{3,16}", ASCII)
_UINT32: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """A checked launch or resume. ``mode`` and ``app_id`` are None where the client sent none.

    ``key_id`` is rikeyid modulo 2**32. ``channel_mask`` is the speaker mask of WAVEFORMATEXTENSIBLE.
    """

    key: bytes
    key_id: int
    app_id: int | None = None
    mode: Mode | None = None
    hdr: bool = False
    local_audio: bool = False
    channel_count: int = 2
    channel_mask: int = 3
    surround_params: str = ""
    continuous_audio: bool = False
    gamepad_mask: int = 0
    gamepads_persist: bool = False
    optimise_settings: bool = False
    core_version: int = 0

    @property
    def can_encrypt_rtsp(self) -> bool:
        """Whether the answer may be an ``rtspenc://`` URL."""
        return self.core_version >= 1


def check_picture_size(width_px: int, height_px: int) -> None:
    """RemoteProtocolError unless a stream of this size can exist."""
    for name, side_px in (("width", width_px), ("height", height_px)):
        if not MIN_SIDE_PX <= side_px <= MAX_SIDE_PX:
            raise RemoteProtocolError(f"{name} is {side_px} px, outside {MIN_SIDE_PX}..{MAX_SIDE_PX}")
    if width_px * height_px > MAX_PICTURE_PX:
        raise RemoteProtocolError(f"{width_px} x {height_px} px are more than {MAX_PICTURE_PX}")


def parse_mode(text: str) -> Mode:
    """Read ``WxHxF``."""
    match = _MODE.fullmatch(text)
    if match is None:
        raise RemoteProtocolError(f"mode is {shown(text)}, WIDTHxHEIGHTxREFRESH was expected")
    width_px, height_px = int(match[1]), int(match[2])
    check_picture_size(width_px, height_px)
    refresh_millihertz = round(Decimal(match[3]) * 1000)
    if not 1000 <= refresh_millihertz <= MAX_REFRESH_HZ * 1000:
        raise RemoteProtocolError(f"refresh rate is {match[3]} Hz, outside 1..{MAX_REFRESH_HZ}")
    return Mode(width_px, height_px, refresh_millihertz)


def check_channel_count(name: str, channel_count: int) -> int:
    """Return the count itself, if GameStream has an Opus layout for it."""
    if channel_count not in CHANNEL_COUNTS:
        raise RemoteProtocolError(f"{name} asks for {channel_count} channels, 2, 6 or 8 can be had")
    return channel_count


def parse_launch(query: Mapping[str, str]) -> LaunchRequest:
    """Check the query; bad or missing values raise RemoteProtocolError with the parameter's name."""

    def number(name: str, low: int, high: int, default: int = 0) -> int:
        text = query.get(name, "")
        return parse_number(name, text, low, high) if text.strip() else default

    for name in ("rikey", "rikeyid"):
        if not query.get(name):
            raise RemoteProtocolError(f"launch lacks {name}")
    audio_info = number("surroundAudioInfo", -0x80000000, _UINT32, STEREO_AUDIO_INFO) & _UINT32
    # Older clients spell gcmap the long way; where both come they agree.
    pads = "gcmap" if query.get("gcmap") else "remoteControllersBitmap"
    surround_params = query.get("surroundParams", "")
    mode = query.get("mode", "")
    return LaunchRequest(
        key=parse_hex("rikey", query["rikey"], KEY_BYTES, KEY_BYTES),
        key_id=number("rikeyid", -0x80000000, _UINT32) & _UINT32,
        app_id=number("appid", -0x80000000, 0x7FFFFFFF) if query.get("appid", "").strip() else None,
        mode=parse_mode(mode) if mode.strip() else None,
        hdr=number("hdrMode", -1, _UINT32) > 0,
        local_audio=number("localAudioPlayMode", -1, _UINT32) > 0,
        channel_count=check_channel_count("surroundAudioInfo", audio_info & 0xFFFF),
        channel_mask=audio_info >> 16,
        surround_params=surround_params if _SURROUND_PARAMS.fullmatch(surround_params) else "",
        continuous_audio=number("continuousAudio", -1, _UINT32) > 0,
        gamepad_mask=number(pads, -0x80000000, _UINT32) & 0xFFFF,
        gamepads_persist=number("gcpersist", -1, _UINT32) > 0,
        optimise_settings=number("sops", -1, _UINT32) > 0,
        core_version=number("corever", -1, _UINT32),
    )
