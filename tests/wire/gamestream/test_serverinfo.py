"""Replies and /serverinfo, read back the way clients read them: an XML parser, first element of the name."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError
from punktfunk.plan import Mode
from punktfunk.wire.gamestream.serverinfo import (
    CodecMode,
    ServerInfo,
    build_error,
    build_reply,
    build_serverinfo,
    clean_text,
)

INFO = ServerInfo(
    hostname="Living <room> & more",
    unique_id="6f0c5e3a-8d1b-4a53-9c55-111111111111",
    http_port=47989,
    https_port=47984,
    local_address="192.168.1.20",
    codec_modes=CodecMode.H264 | CodecMode.HEVC_MAIN,
)


def read(document):
    root = ET.fromstring(document)
    assert root.tag == "root"
    assert root.text is None
    return root, {element.tag: element.text or "" for element in root}


def test_golden_document():
    assert build_serverinfo(INFO).decode() == (
        '<?xml version="1.0" encoding="utf-8"?><root status_code="200">'
        "<hostname>Living &lt;room&gt; &amp; more</hostname><appversion>7.1.431.-1</appversion>"
        "<GfeVersion>3.23.0.74</GfeVersion><uniqueid>6f0c5e3a-8d1b-4a53-9c55-111111111111</uniqueid>"
        "<HttpsPort>47984</HttpsPort><ExternalPort>47989</ExternalPort><mac>00:00:00:00:00:00</mac>"
        "<LocalIP>192.168.1.20</LocalIP><MaxLumaPixelsHEVC>1869449984</MaxLumaPixelsHEVC>"
        "<ServerCodecModeSupport>257</ServerCodecModeSupport><PairStatus>0</PairStatus>"
        "<currentgame>0</currentgame><state>PUNKTFUNK_SERVER_FREE</state><gputype></gputype>"
        "<GsVersion></GsVersion></root>"
    )


def test_busy_paired_and_reached_over_ipv6():
    info = ServerInfo(
        **{name: getattr(INFO, name) for name in ("hostname", "unique_id", "http_port", "https_port")},
        local_address="fe80::1",
        codec_modes=CodecMode.H264,
        paired=True,
        mac="aa:bb:cc:dd:ee:ff",
        current_app_id=0x7FFFFFFF,
        external_address="203.0.113.9",
        display_modes=(Mode(1920, 1080, 59940), Mode(1280, 720, 120000)),
    )
    root, elements = read(build_serverinfo(info))
    assert elements["PairStatus"] == "1"
    assert elements["mac"] == "aa:bb:cc:dd:ee:ff"
    assert elements["LocalIP"] == "127.0.0.1"
    assert elements["MaxLumaPixelsHEVC"] == "0"
    assert elements["currentgame"] == "2147483647"
    assert elements["state"].endswith("_SERVER_BUSY")
    assert "MJOLNIR" not in elements["state"]
    assert elements["ExternalIP"] == "203.0.113.9"
    modes = [[value.text for value in mode] for mode in root.iter("DisplayMode")]
    assert modes == [["1920", "1080", "60"], ["1280", "720", "120"]]


def test_app_version_has_the_four_numbers_that_android_insists_on():
    _, elements = read(build_serverinfo(INFO))
    assert [int(part) for part in elements["appversion"].split(".")] == [7, 1, 431, -1]


@pytest.mark.parametrize("bits", [0, 0x100])
def test_a_mask_without_h264_is_our_own_mistake(bits):
    info = ServerInfo("h", "u", 1, 2, "127.0.0.1", CodecMode(bits))
    with pytest.raises(LocalProtocolError, match=r"H\.264"):
        build_serverinfo(info)


@pytest.mark.parametrize("app_id", [-1, 1 << 31])
def test_app_ids_have_31_bits(app_id):
    info = ServerInfo("h", "u", 1, 2, "127.0.0.1", CodecMode.H264, current_app_id=app_id)
    with pytest.raises(LocalProtocolError, match="app id"):
        build_serverinfo(info)


def test_codec_bits_are_those_of_the_client():
    # moonlight-common-c, Limelight.h, SCM_*
    assert [int(mode) for mode in CodecMode] == [
        0x1, 0x100, 0x200, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000,
    ]  # fmt: skip


def test_errors_carry_their_message_and_elements():
    root, elements = read(build_error(401, 'Not "paired" <yet>', gamesession=0))
    assert root.get("status_code") == "401"
    assert root.get("status_message") == 'Not "paired" <yet>'
    assert elements == {"gamesession": "0"}
    with pytest.raises(LocalProtocolError):
        build_error(200, "fine")


def test_replies_keep_their_order_and_write_flags_as_digits():
    assert build_reply(sessionUrl0="rtsp://[fe80::1]:48010", gamesession=True).endswith(
        b"<sessionUrl0>rtsp://[fe80::1]:48010</sessionUrl0><gamesession>1</gamesession></root>"
    )
    with pytest.raises(LocalProtocolError):
        build_reply(**{"a b": "x"})


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(), max_size=40), st.text(st.characters(), max_size=40))
def test_any_text_is_well_formed_and_comes_back(value, message):
    """Surrogates and control characters too: they are dropped, not sent."""
    root, elements = read(build_reply(name=value))
    assert elements["name"] == clean_text(value)
    root, _ = read(build_error(500, message))
    assert root.get("status_message", "") == clean_text(message)


def test_controls_are_dropped_and_line_breaks_become_blanks():
    assert clean_text("a\0b\x1bc\ud800d\ufffee\tf\ng") == "abcde f g"
