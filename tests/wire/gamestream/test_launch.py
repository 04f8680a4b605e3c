"""The query of launch and resume: what each stock client sends, and what nobody may send."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import RemoteProtocolError
from punktfunk.plan import Mode
from punktfunk.wire.gamestream.launch import LaunchRequest, parse_launch, parse_mode

KEY = bytes(range(16))
STOCK = {
    "uniqueid": "0123456789ABCDEF",
    "appid": "1881448767",
    "mode": "1920x1080x60",
    "additionalStates": "1",
    "sops": "1",
    "rikey": KEY.hex().upper(),
    "rikeyid": "-1508473",
    "localAudioPlayMode": "0",
    "surroundAudioInfo": "196610",
    "remoteControllersBitmap": "1",
    "gcmap": "1",
    "gcpersist": "0",
    "corever": "1",
}


def test_stock_launch():
    request = parse_launch(STOCK)
    assert request == LaunchRequest(
        key=KEY,
        key_id=2**32 - 1508473,
        app_id=1881448767,
        mode=Mode(1920, 1080, 60000),
        optimise_settings=True,
        gamepad_mask=1,
        core_version=1,
    )
    assert request.can_encrypt_rtsp


def test_the_least_that_a_resume_may_hold():
    request = parse_launch({"rikey": KEY.hex(), "rikeyid": "0", "": ""})
    assert (request.app_id, request.mode, request.channel_count) == (None, None, 2)
    assert not request.can_encrypt_rtsp


@pytest.mark.parametrize(
    ("info", "count", "mask"), [("4128774", 6, 0x3F), ("104792072", 8, 0x63F), ("196610 ", 2, 3), ("", 2, 3)]
)
def test_surround(info, count, mask):
    request = parse_launch({**STOCK, "surroundAudioInfo": info})
    assert (request.channel_count, request.channel_mask) == (count, mask)


def test_extensions_of_sunshine():
    extras = {
        "surroundParams": "660012345",
        "continuousAudio": "1",
        "hdrMode": "1",
        "localAudioPlayMode": "1",
    }
    request = parse_launch({**STOCK, **extras})
    assert request.surround_params == "660012345"
    assert request.continuous_audio
    assert request.hdr
    assert request.local_audio
    assert not parse_launch({**STOCK, "surroundParams": "6; rm -rf"}).surround_params


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("1280x720x120", Mode(1280, 720, 120_000)),
        ("1366x767x59.94", Mode(1366, 767, 59_940)),
        (" 64x16384x1 ", Mode(64, 16384, 1000)),
        ("16384x8704x1000", Mode(16384, 8704, 1_000_000)),
    ],
)
def test_modes(text, mode):
    assert parse_mode(text) == mode


@pytest.mark.parametrize(
    ("text", "naming"),
    [
        ("", "mode"),
        ("1920x1080", "mode"),
        ("-1x1080x60", "mode"),
        ("1920x1080x60x60", "mode"),
        ("1920x1080x1e3", "mode"),
        ("1920\n1080x60", "mode"),
        ("9" * 5000, "mode"),
        ("63x1080x60", "width is 63"),
        ("16385x1080x60", "width is 16385"),
        ("1920x0x60", "height is 0"),
        ("16384x16384x60", "16384 x 16384"),
        ("1920x1080x0", "refresh rate is 0 Hz"),
        ("1920x1080x1001", "refresh rate is 1001 Hz"),
    ],
)
def test_modes_that_no_display_has(text, naming):
    with pytest.raises(RemoteProtocolError) as caught:
        parse_mode(text)
    assert naming in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("name", "text", "naming"),
    [
        ("rikey", "", "rikey"),
        ("rikey", "00" * 15, "rikey"),
        ("rikey", "00" * 17, "rikey"),
        ("rikey", "0g" * 16, "rikey"),
        ("rikeyid", "", "rikeyid"),
        ("rikeyid", "x", "rikeyid"),
        ("rikeyid", str(2**32), "rikeyid is '4294967296'"),
        ("rikeyid", str(-(2**31) - 1), "rikeyid"),
        ("appid", "Desktop", "appid is 'Desktop'"),
        ("appid", str(2**31), "appid"),
        ("surroundAudioInfo", "196609", "1 channels"),
        ("surroundAudioInfo", str(0xFFFF), "65535 channels"),
        ("surroundAudioInfo", "9" * 5000, "surroundAudioInfo"),
        ("corever", "\x00", "corever"),
    ],
)
def test_bad_values_are_refused_by_name(name, text, naming):
    with pytest.raises(RemoteProtocolError) as caught:
        parse_launch({**STOCK, name: text})
    assert naming in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.integers(-(2**31), 2**32 - 1))
def test_every_key_id_is_taken_modulo_2_to_the_32(number):
    assert parse_launch({**STOCK, "rikeyid": str(number)}).key_id == number % 2**32


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*STOCK, "hdrMode"]), st.text(st.characters(), max_size=30) | st.integers().map(str)
    )
)
def test_garbage(changes):
    for query in (changes, {**STOCK, **changes}):
        with contextlib.suppress(RemoteProtocolError):
            request = parse_launch(query)
            assert len(request.key) == 16
            assert request.channel_count in {2, 6, 8}
            assert 0 <= request.key_id < 2**32
