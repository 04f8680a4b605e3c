"""GameStream's XML replies: the reply frame that every verb uses, and /serverinfo.

A reply is one flat document, ``<root status_code="200"><name>value</name>...</root>``, without white space
between elements. Clients take the first element of a name at any depth and trust ``status_code`` alone, so
errors travel in HTTP 200 with another code. Spec: gamestream.md sections 2.1 and 2.3; peers: Sunshine
src/nvhttp.cpp, serverinfo; moonlight-common-c Limelight.h, SCM_*. Lists of apps are in ``applist``.
"""

from dataclasses import dataclass
from enum import IntFlag
from html import escape
from re import compile as regex
from typing import Final

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import Mode

APP_VERSION: Final = "7.1.431.-1"
"""Switches clients to today's protocol; the negative last number allows every x-ss and x-ml extension."""
GFE_VERSION: Final = "3.23.0.74"
MAX_LUMA_PIXELS_HEVC: Final = 1_869_449_984
"""What Sunshine announces with HEVC; 0 hides everything but H.264 from moonlight-qt and moonlight-android."""
NO_MAC: Final = "00:00:00:00:00:00"
"""Sent to clients that have not proved a pairing; they ignore it."""
MAX_APP_ID: Final = 0x7FFFFFFF

_NOT_XML: Final = regex("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_CONTROLS: Final = regex("[\t\n\r]")
_ELEMENT_NAME: Final = regex("[A-Za-z][A-Za-z0-9]*")


class CodecMode(IntFlag):
    """Bits of ServerCodecModeSupport. A mask of 0 makes moonlight-common-c refuse to start."""

    H264 = 0x1
    HEVC_MAIN = 0x100
    HEVC_MAIN10 = 0x200
    AV1_MAIN8 = 0x10000
    AV1_MAIN10 = 0x20000
    H264_HIGH8_444 = 0x40000
    HEVC_REXT8_444 = 0x80000
    HEVC_REXT10_444 = 0x100000
    AV1_HIGH8_444 = 0x200000
    AV1_HIGH10_444 = 0x400000


ANY_HEVC: Final = (
    CodecMode.HEVC_MAIN | CodecMode.HEVC_MAIN10 | CodecMode.HEVC_REXT8_444 | CodecMode.HEVC_REXT10_444
)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What /serverinfo says. ``paired`` and ``mac`` may be real over HTTPS to a paired client only.

    ``local_address`` is the address that the request came in on; IPv6 is not sent, as clients cannot use it.
    ``current_app_id`` is 0 while nothing runs. ``display_modes`` is optional.
    """

    hostname: str
    unique_id: str
    http_port: int
    https_port: int
    local_address: str
    codec_modes: CodecMode
    paired: bool = False
    mac: str = NO_MAC
    current_app_id: int = 0
    external_address: str = ""
    display_modes: tuple[Mode, ...] = ()


def clean_text(text: str) -> str:
    """Drop what XML 1.0 cannot hold, and line breaks: a control character would end a client's parse."""
    return _NOT_XML.sub("", _LINE_CONTROLS.sub(" ", text))


def build_element(name: str, value: str | int) -> str:
    """``<name>value</name>``, escaped; True and False become 1 and 0."""
    if not _ELEMENT_NAME.fullmatch(name):
        raise LocalProtocolError(f"{name!r} is no element name")
    text = escape(clean_text(value)) if isinstance(value, str) else str(int(value))
    return f"<{name}>{text}</{name}>"


def build_document(content: str, *, status_code: int = 200, status_message: str = "") -> bytes:
    """Build a whole reply around ``content``, which is XML already."""
    message = f' status_message="{escape(clean_text(status_message))}"' if status_message else ""
    head = f'<?xml version="1.0" encoding="utf-8"?><root status_code="{status_code}"{message}>'
    return f"{head}{content}</root>".encode()


def build_reply(**elements: str | int) -> bytes:
    """Build a successful reply: one element per keyword, in the order given."""
    return build_document("".join(build_element(name, value) for name, value in elements.items()))


def build_error(status_code: int, message: str, **elements: str | int) -> bytes:
    """Build a refusal; ``message`` is shown to the player. 401 means "not paired: ask again over HTTP".

    Some verbs want an element beside the code, such as ``gamesession=0``.
    """
    if status_code == 200:
        raise LocalProtocolError("status 200 is success to every client, it cannot carry an error")
    content = "".join(build_element(name, value) for name, value in elements.items())
    return build_document(content, status_code=status_code, status_message=message)


def build_serverinfo(info: ServerInfo) -> bytes:
    """Build the /serverinfo document; LocalProtocolError if clients could not use it."""
    if not info.codec_modes & CodecMode.H264:
        raise LocalProtocolError(
            f"codec mask {int(info.codec_modes):#x} lacks H.264, which every client needs"
        )
    if not 0 <= info.current_app_id <= MAX_APP_ID:
        raise LocalProtocolError(f"app id {info.current_app_id} is outside 0..{MAX_APP_ID}")
    elements: dict[str, str | int] = {
        "hostname": info.hostname,
        "appversion": APP_VERSION,
        "GfeVersion": GFE_VERSION,
        "uniqueid": info.unique_id,
        "HttpsPort": info.https_port,
        "ExternalPort": info.http_port,
        "mac": info.mac,
        # Clients parse IPv4 here; Sunshine answers IPv6 requests with the loopback, which they ignore.
        "LocalIP": "127.0.0.1" if ":" in info.local_address else info.local_address,
        "MaxLumaPixelsHEVC": MAX_LUMA_PIXELS_HEVC if info.codec_modes & ANY_HEVC else 0,
        "ServerCodecModeSupport": int(info.codec_modes),
        "PairStatus": info.paired,
        "currentgame": info.current_app_id,
        # The end decides: clients take currentgame seriously only after _SERVER_BUSY.
        "state": "PUNKTFUNK_SERVER_BUSY" if info.current_app_id else "PUNKTFUNK_SERVER_FREE",
        # moonlight-embedded looks these two up and wants nothing in them.
        "gputype": "",
        "GsVersion": "",
    }
    if info.external_address:
        elements["ExternalIP"] = info.external_address
    content = "".join(build_element(name, value) for name, value in elements.items())
    return build_document(content + _build_display_modes(info.display_modes))


def _build_display_modes(modes: tuple[Mode, ...]) -> str:
    if not modes:
        return ""
    entries = "".join(
        "<DisplayMode>"
        + build_element("Width", mode.width_px)
        + build_element("Height", mode.height_px)
        + build_element("RefreshRate", round(mode.refresh_millihertz / 1000))
        + "</DisplayMode>"
        for mode in modes
    )
    return f"<SupportedDisplayMode>{entries}</SupportedDisplayMode>"
