"""Hello, Welcome and Start: optional ends, placeholders, blocks without one, and what strangers may send."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from native_vectors import CHACHA, HD, HELLOS, OFFER, VOLUME, WELCOMES

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.capabilities import (
    Cipher,
    ClientCap,
    CodecBit,
    CompositorKind,
    GamepadKind,
    Grant,
    HostCap2,
    pick_codec,
    read_grants,
)
from punktfunk.wire.native.extension import (
    MAX_ENTRIES,
    Extensions,
    build_block,
    build_extensions,
    parse_block,
    parse_extensions,
)
from punktfunk.wire.native.handshake import Hello, Start, build_hello, build_start, parse_hello, parse_start
from punktfunk.wire.native.hdr import HDR_BYTES
from punktfunk.wire.native.welcome import Welcome, build_welcome, parse_welcome

PLAIN = build_hello(Hello(**HD))
BYTE = st.integers(0, 0xFF)
WORD = st.integers(0, 0xFFFF)
LONG = st.integers(0, 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("changed", "length"),
    [
        ({}, 68),
        ({"mgmt_port": 1}, 71),
        ({"expires_in_s": 1}, 79),
        ({"audio_codec": 2}, 87),
        ({"audio_frame_us": 5000}, 87),
        ({"host_caps2": HostCap2.TOUCH}, 88),
        ({"audio_layout": 1}, 89),
        (CHACHA, 101),
        ({**CHACHA, "mgmt_port": 1}, 103),
        ({**CHACHA, "grants": Grant.POINTER}, 111),
        ({**CHACHA, "audio_bits": 24}, 119),
        ({**CHACHA, "host_caps2": HostCap2.TOUCH}, 120),
        ({**CHACHA, "audio_layout": 2}, 121),
    ],
)
def test_welcome_is_as_long_as_it_must_be(changed, length):
    welcome = Welcome(**OFFER, **changed)
    wire = build_welcome(welcome)
    assert len(wire) == length
    assert parse_welcome(wire) == welcome


def test_welcome_fails_closed_on_ciphers():
    wire = build_welcome(Welcome(**OFFER, mgmt_port=1))
    for cipher in range(2, 256):
        with pytest.raises(RemoteProtocolError, match="cipher"):
            parse_welcome(wire[:68] + bytes((cipher,)) + wire[69:])
    keyed = build_welcome(Welcome(**OFFER, **CHACHA))
    for length in range(69, len(keyed)):
        with pytest.raises(RemoteProtocolError, match="key"):
            parse_welcome(keyed[:length])
    with pytest.raises(LocalProtocolError):
        Welcome(**OFFER, cipher=Cipher.CHACHA20_POLY1305)
    with pytest.raises(LocalProtocolError):
        Welcome(**OFFER, chacha_key=bytes(32))


def test_welcome_keeps_its_keys_to_itself():
    shown = repr(Welcome(**OFFER, **CHACHA))
    assert "key" not in shown
    assert "salt" not in shown


def test_short_ones_are_refused():
    for data, parse, least in ((PLAIN, parse_hello, 20), (build_welcome(WELCOMES[0]), parse_welcome, 53)):
        for length in range(least):
            with pytest.raises(RemoteProtocolError):
                parse(data[:length])
        parse(data[:least])
        with pytest.raises(RemoteProtocolError):
            parse(b"PKFc" + data[4:])
    for length in range(6):
        with pytest.raises(RemoteProtocolError):
            parse_start(build_start(Start(7))[:length])
    with pytest.raises(RemoteProtocolError):
        parse_start(b"PKFc\x30" + bytes(8))  # a ClockProbe where Start belongs


def test_hello_without_its_end_has_defaults():
    hello = parse_hello(build_hello(HELLOS[7])[:20])
    assert hello == replace(Hello(**HD), width_px=3216, height_px=1440)
    assert parse_hello(PLAIN + b"\0" * 40) == Hello(**HD, hdr=parse_hello(PLAIN + b"\0" * 40).hdr)


@pytest.mark.parametrize("length", [65, 100, 255])
def test_a_name_that_is_too_long_is_skipped(length):
    data = PLAIN + bytes((length,)) + b"x" * length + b"\x03abc" + b"\x01\x06"
    assert parse_hello(data) == Hello(**HD, launch_id="abc", video_caps=1, audio_channels=6)


def test_a_name_that_overruns_ends_everything():
    assert parse_hello(PLAIN + b"\x40short" + b"\xff") == Hello(**HD)
    assert parse_hello(PLAIN + b"\x02\xff\xfe" + b"\x00" + b"\x08") == Hello(**HD, video_caps=8)


def test_names_are_cut_at_a_character():
    hello = parse_hello(build_hello(Hello(**HD, name="ä" * 40, launch_id="é" * 80)))
    assert (hello.name, hello.launch_id) == ("ä" * 32, "é" * 64)
    odd = parse_hello(build_hello(Hello(**HD, name="a" + "ä" * 40)))
    assert odd.name == "a" + "ä" * 31


def test_torn_numbers_count_as_absent():
    whole = build_hello(Hello(**HD, client_caps=ClientCap.CURSOR, shard_bytes_max=9152, audio_rate_hz=96_000))
    assert parse_hello(whole[:-1]) == Hello(**HD, client_caps=ClientCap.CURSOR, shard_bytes_max=9152)
    assert parse_hello(whole[:-5]) == Hello(**HD, client_caps=ClientCap.CURSOR)


def test_hdr_is_told_from_what_follows():
    with_hdr = build_hello(Hello(**HD, hdr=VOLUME))
    assert len(with_hdr) == 26 + 6 + HDR_BYTES
    assert parse_hello(with_hdr) == Hello(**HD, hdr=VOLUME)
    assert parse_hello(with_hdr[:-1]).hdr is None


def test_unknown_numbers_read_as_their_default():
    data = bytearray(build_hello(HELLOS[7]))
    data[20], data[21], data[-1], data[-3] = 99, 99, 99, 17
    hello = parse_hello(bytes(data))
    assert (hello.compositor, hello.gamepad, hello.video_fit, hello.audio_bits) == (
        CompositorKind.AUTO,
        GamepadKind.AUTO,
        0,
        16,
    )
    data = bytearray(build_welcome(Welcome(**OFFER, audio_layout=7, audio_codec=1, grants=Grant(1))))
    data[22], data[53], data[64], data[65], data[66] = 9, 77, 2, 7, 16
    data[79 + 1 : 79 + 5] = (12345).to_bytes(4, "little")
    data[79 + 6 : 79 + 8] = (3).to_bytes(2, "little")
    welcome = parse_welcome(bytes(data))
    assert (welcome.fec_scheme, welcome.compositor, welcome.chroma_idc) == (0, 0, 1)
    assert (welcome.audio_channels, welcome.codec) == (2, CodecBit.HEVC)
    assert (welcome.audio_layout, welcome.audio_codec) == (7, 1), "kept: a client refuses what it cannot play"
    assert (welcome.audio_rate_hz, welcome.audio_frame_us) == (48_000, 1000)


def test_grants_of_older_hosts():
    assert read_grants(0x3F) == read_grants(0x7F) == read_grants(0xFF) == Grant.ALL
    assert read_grants(0xFFFFFF01) == Grant.GAMEPAD
    assert read_grants(0) == Grant(0)
    assert read_grants(0x1F) == Grant(0x1F)


@pytest.mark.parametrize(
    ("client", "host", "preferred", "picked"),
    [
        *((0x03, 0x06, 0, 2), (0x05, 0x05, 0, 4), (0x01, 0x01, 0, 1), (0x02, 0x01, 0, None)),
        *((0, 0x03, 0, 2), (0, 0x01, 0, None), (0x03, 0x03, 1, 1), (0x06, 0x06, 4, 4)),
        *((0x03, 0x03, 4, 2), (0x08, 0x08, 0, None), (0x0A, 0x0A, 0, 2), (0x0A, 0x0A, 8, 8)),
        (0x0A, 0x02, 8, 2),
    ],
)
def test_codec_pick(client, host, preferred, picked):
    assert pick_codec(client, host, preferred) == picked


@pytest.mark.parametrize(
    "block",
    [
        *("08000100000001000000", "040001000900", "ffff", "0400000000000000"),
        *("050001000100070"[:k] for k in range(0, 14, 2)),
        "05000100010007ff",
    ],
)
def test_bad_extension_blocks(block):
    with pytest.raises(RemoteProtocolError):
        parse_block(bytes.fromhex(block))


def test_extension_bounds():
    many = [(tag, b"") for tag in range(1, MAX_ENTRIES + 1)]
    assert len(parse_block(build_block(many))) == MAX_ENTRIES
    with pytest.raises(LocalProtocolError):
        build_block([*many, (MAX_ENTRIES + 1, b"")])
    with pytest.raises(LocalProtocolError):
        build_block([(1, bytes(4096))])
    body = b"".join(tag.to_bytes(2, "little") + b"\0\0" for tag in range(1, MAX_ENTRIES + 2))
    with pytest.raises(RemoteProtocolError):
        parse_block(len(body).to_bytes(2, "little") + body)
    with pytest.raises(RemoteProtocolError):
        parse_block((4096).to_bytes(2, "little") + bytes(4096))


def test_what_an_extension_says_badly_counts_as_absent():
    entries = [(2, b"\xff\xfe"), (3, b""), (4, b"\x09x"), (5, b"\x01"), (77, b"later")]
    assert parse_extensions(build_block(entries)) == Extensions()
    assert parse_extensions(build_block([(2, b"a\x07b\xe2\x80\xae")])).label == "ab"
    assert parse_extensions(build_block([(3, b"\xf1")])).reads_reason
    assert parse_extensions(build_block([(4, b"\x02\x01\x02\x02TV")])) == Extensions()


def test_start_fails_on_a_bad_block():
    with pytest.raises(RemoteProtocolError):
        parse_start(build_start(Start(7)) + b"\xff\xff")


def test_local_mistakes():
    for build, message in (
        (build_hello, Hello(width_px=-1, height_px=1, refresh_hz=1)),
        (build_start, Start(70_000)),
        (build_welcome, replace(WELCOMES[0], key=b"short")),
        (build_welcome, replace(WELCOMES[0], fec_percent=300)),
    ):
        with pytest.raises(LocalProtocolError):
            build(message)


@settings(max_examples=60)
@given(
    st.builds(
        Hello,
        width_px=LONG,
        height_px=LONG,
        refresh_hz=LONG,
        compositor=st.sampled_from(CompositorKind),
        gamepad=st.sampled_from(GamepadKind),
        bitrate_kbps=LONG,
        name=st.none() | st.text("aä€🙂", min_size=1, max_size=16),
        launch_id=st.none() | st.text("aä€🙂", min_size=1, max_size=32),
        video_caps=BYTE,
        audio_channels=st.sampled_from((2, 6, 8)),
        codecs=BYTE,
        preferred_codec=BYTE,
        hdr=st.none() | st.just(VOLUME),
        client_caps=BYTE,
        shard_bytes_max=WORD,
        audio_rate_hz=st.integers(1, 0xFFFFFFFF),
        audio_bits=st.sampled_from((16, 24)),
        audio_layout=BYTE,
        video_fit=st.sampled_from((0, 1, 2)),
    )
)
def test_every_hello_comes_back(hello):
    assert parse_hello(build_hello(hello)) == hello


@settings(max_examples=60)
@given(
    changed=st.fixed_dictionaries(
        {},
        optional={
            "mgmt_port": WORD,
            "grants": BYTE.map(read_grants),
            "expires_in_s": LONG,
            "audio_codec": BYTE,
            "audio_rate_hz": st.sampled_from((44_100, 48_000, 96_000)),
            "audio_bits": st.sampled_from((16, 24)),
            "audio_frame_us": st.just(0) | st.integers(1000, 0xFFFF),
            "host_caps2": BYTE.map(HostCap2),
            "audio_layout": BYTE,
        },
    ),
    chacha=st.booleans(),
    extensions=st.none()
    | st.builds(
        Extensions,
        label=st.text("abc äß", max_size=20).map(str.strip),
        reads_reason=st.booleans(),
        preset_id=st.just("id"),
        preset_name=st.just("name"),
        delivery_profile=BYTE,
        delivery_flags=BYTE,
        padding=st.none() | st.binary(max_size=40),
    ),
)
def test_every_welcome_comes_back(changed, chacha, extensions):
    welcome = Welcome(**OFFER, **changed, **(CHACHA if chacha else {}), extensions=extensions)
    wire = build_welcome(welcome)
    assert parse_welcome(wire) == welcome
    if extensions is not None:
        assert wire.endswith(build_extensions(extensions))
        assert len(wire) - len(build_extensions(extensions)) == (121 if chacha else 89)


@settings(max_examples=60)
@given(st.binary(max_size=200))
@example(bytes(53))
@example(PLAIN[4:] + b"\xff" * 60)
def test_garbage_behind_the_magic(data):
    for parse in (parse_hello, parse_welcome, parse_start):
        try:
            read = parse(b"PKF1" + data)
        except RemoteProtocolError:
            continue
        assert isinstance(read, Hello | Welcome | Start)
