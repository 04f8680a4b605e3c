"""A whole captured session, told message by message: QUIC opened by its secrets, media by its Welcome."""

import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from dissect_world import CLIENT, CLIENT_MEDIA, HOST, HOST_MEDIA, Conversation, ethernet, pcap, pcapng
from typer.testing import CliRunner

from punktfunk.cli import app
from punktfunk.commands.dissect import DissectOptions, dissect
from punktfunk.control.quic.config import QuicConfig, build_configuration, secrets_log
from punktfunk.errors import ConfigError, Misuse
from punktfunk.wire.native.blocks import FrameInfo, Geometry, build_packets
from punktfunk.wire.native.capabilities import PUNCH, Cipher, CloseCode
from punktfunk.wire.native.control import ClipFetch, ClipFetchHdr, ClockProbe, build_control
from punktfunk.wire.native.datagrams import AudioFrame, build_datagram
from punktfunk.wire.native.framing import CLIPBOARD_STREAM, frame
from punktfunk.wire.native.handshake import Hello, Start, build_hello, build_start
from punktfunk.wire.native.input import KeyEdge
from punktfunk.wire.native.packet import FecScheme, build_nonce, build_sequence
from punktfunk.wire.native.pairing import PairRequest, build_pairing
from punktfunk.wire.native.welcome import Welcome, build_welcome

SALT = bytes((1, 2, 3, 4))
KEY, CHACHA_KEY = b"\7" * 16, bytes(range(32))
GEOMETRY = Geometry(1024, 8, FecScheme.GF16, 25)
HELLO = Hello(width_px=1280, height_px=720, refresh_hz=60, name="desk")


def welcome(**changed):
    return Welcome(
        **{
            "media_port": HOST_MEDIA[1],
            "width_px": 1280,
            "height_px": 720,
            "refresh_hz": 60,
            "fec_scheme": FecScheme.GF16,
            "fec_percent": 25,
            "data_max": 8,
            "shard_bytes": 1024,
            "key": KEY,
            "salt": SALT,
            **changed,
        }
    )


def media(cipher, frames, *, drop=()):
    """Sealed packets of some frames: (frame index, length)."""
    sequence, sealed = 0, []
    for index, length in frames:
        info = FrameInfo(10**9, index, sequence, 5 if index == 0 else 1)
        for packet in build_packets(
            bytes(length), GEOMETRY, 25, info, lambda _, count: [bytes(1024)] * count
        ):
            counter = build_sequence(sequence)
            if sequence not in drop:
                sealed.append(counter + cipher.encrypt(build_nonce(SALT, sequence), packet, counter))
            sequence += 1
    return sealed


@pytest.fixture(scope="module")
def session():
    """Hello to quit, with a clipboard transfer, input, sound and three frames of which one is beyond repair."""
    talk = Conversation()
    talk.say(talk.client, 0, frame(build_hello(HELLO)))
    talk.say(talk.host, 0, frame(build_welcome(welcome()))[:30])
    talk.say(talk.host, 0, frame(build_welcome(welcome()))[30:])
    talk.say(talk.client, 0, frame(build_start(Start(CLIENT_MEDIA[1]))) + frame(build_control(ClockProbe(5))))
    talk.say(talk.host, 0, frame(b"PKFc\x99later"))
    talk.note(CLIENT_MEDIA, HOST_MEDIA, PUNCH)
    # Frame 0: 3+2 packets; frame 1: 9+4 of which one is lost; frame 2: 3+2 of which three are lost.
    lost = {6, 18, 19, 20}
    for packet in media(AESGCM(KEY), [(0, 3000), (1, 9000), (2, 3000)], drop=lost):
        talk.note(HOST_MEDIA, CLIENT_MEDIA, packet)
    talk.note(HOST_MEDIA, CLIENT_MEDIA, talk_again := media(AESGCM(KEY), [(0, 10)])[0])
    talk.note(HOST_MEDIA, CLIENT_MEDIA, talk_again[:-1] + b"\0")
    talk.throw(talk.client, build_datagram(KeyEdge(0x41, pressed=True)))
    talk.throw(talk.host, build_datagram(AudioFrame(7, 1, b"opus")))
    talk.throw(talk.host, b"\xff what is this")
    fetch = CLIPBOARD_STREAM + frame(build_control(ClipFetch(7, 0xFFFFFFFF, "text/plain")))
    talk.say(talk.client, 4, fetch, end_stream=True)
    header = frame(build_control(ClipFetchHdr(0, 6)))
    talk.say(talk.host, 4, header + b"sec", end_stream=False)
    talk.say(talk.host, 4, b"ret", end_stream=True)
    talk.client.close(error_code=CloseCode.QUIT, reason_phrase="bye")
    talk.run()
    return talk


def told(tmp_path, capsys, data, **options):
    """What ``punktfunk dissect --json`` prints of a capture."""
    path = tmp_path / "session.pcap"
    path.write_bytes(data)
    dissect(path, DissectOptions(as_json=True, **options))
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def secrets(tmp_path, session):
    path = tmp_path / "secrets"
    path.write_text("# a comment\n" + session.secrets.getvalue())
    return path


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_whole_session(tmp_path, capsys, session, secrets, make):
    *rows, counts = told(tmp_path, capsys, make(session.rows), secrets=secrets)
    said = [(row["from"], row["what"]) for row in rows if row["what"] not in ("Frame", "first punch")]
    assert said == [
        ("client", "Hello"),
        ("host", "Welcome"),
        ("client", "Start"),
        ("client", "ClockProbe"),
        ("host", "Unread"),
        ("client", "KeyEdge"),
        ("host", "AudioFrame"),
        ("host", "Unread"),
        ("client", "ClipFetch"),
        ("host", "ClipFetchHdr"),
        ("host", "TransferBytes"),
        ("host", "TransferBytes"),
        ("client", "Close"),
    ]
    assert rows[0]["name"] == "desk"
    assert rows[-1]["lost"] is True
    frames = [row for row in rows if row["what"] == "Frame"]
    assert [(row["frame_index"], row["frame_bytes"], row["key_frame"]) for row in frames] == [
        *((0, 3000, True), (1, 9000, False), (2, 3000, False))
    ]
    assert [
        (row["data_packets"], row["parity_packets"], row["lost_packets"], row["lost"]) for row in frames
    ] == [*((3, 2, 0, False), (9, 4, 1, False), (3, 2, 3, True))]
    assert (counts["frames"], counts["frames lost"], counts["media packets lost"]) == (3, 1, 4)
    assert (counts["media packets repeated"], counts["media packets not opened"]) == (1, 1)
    assert "QUIC packets not opened" not in counts


def test_nothing_secret_is_shown(tmp_path, capsys, session, secrets):
    shown = json.dumps(told(tmp_path, capsys, pcap(session.rows), secrets=secrets))
    for secret in (KEY.hex(), SALT.hex(), "secret"):
        assert secret not in shown


def test_without_secrets_the_key_opens_the_media(tmp_path, capsys, session):
    *rows, counts = told(tmp_path, capsys, pcap(session.rows), key=KEY.hex(), salt=SALT.hex())
    assert sum(row["what"] == "Frame" for row in rows) == 3
    assert counts["QUIC packets not opened"] > 10
    sealed = [(row["from"], row["what"].split(",")[0]) for row in rows if "not opened" in row["what"]]
    assert sorted(sealed) == sorted(
        (who, kind) for who in ("client", "host") for kind in ("Handshake", "1-RTT")
    )
    assert "Hello" not in counts


def test_as_text(tmp_path, session, secrets):
    path = tmp_path / "session.pcap"
    path.write_bytes(pcap(session.rows))
    text = CliRunner().invoke(app, ["dissect", str(path), "--secrets", str(secrets), "--packets"]).output
    assert "client >  Hello wire_version=2 width_px=1280" in text
    assert "frame 2  3,000 bytes in 3+2 packets" in text
    assert "3 lost, NOT REPAIRABLE" in text
    assert "packet 0 frame 0 block 0/1 3+2 shard 0 data 1024 bytes" in text
    assert "close 0x51 (QUIT) 'bye'" in text
    assert "SSLKEYLOGFILE" in CliRunner().invoke(app, ["dissect", str(path)]).output


def test_pairing_and_chacha(tmp_path, capsys):
    talk = Conversation()
    talk.say(talk.client, 0, frame(build_pairing(PairRequest("desk", b"\7" * 33))))
    other = welcome(cipher=Cipher.CHACHA20_POLY1305, chacha_key=CHACHA_KEY)
    talk.say(talk.host, 0, frame(build_welcome(other)))
    for packet in media(ChaCha20Poly1305(CHACHA_KEY), [(0, 10)]):
        talk.note(HOST_MEDIA, CLIENT_MEDIA, packet)
    path = tmp_path / "secrets"
    path.write_text(talk.secrets.getvalue())
    rows = told(tmp_path, capsys, pcap(talk.rows), secrets=path)
    assert [row["what"] for row in rows] == ["PairRequest", "Welcome", "Frame", "Summary"]


def test_datagrams_that_offloads_joined_are_cut_again(tmp_path, capsys):
    packets = media(AESGCM(KEY), [(0, 3000), (1, 9000)])
    joined = [b"".join(packets[:5]), b"".join(packets[5:11]), b"".join(packets[11:17]), packets[17]]
    rows = [(n, ethernet(HOST_MEDIA, CLIENT_MEDIA, datagram)) for n, datagram in enumerate(joined)]
    *frames, counts = told(tmp_path, capsys, pcap(rows), key=KEY.hex(), salt=SALT.hex())
    assert [row["lost_packets"] for row in frames] == [0, 0]
    assert counts["media packets"] == 18
    assert counts["media bytes"] == 18 * (1024 + 64)


def test_media_in_clear(tmp_path, capsys):
    packets = build_packets(
        bytes(10), GEOMETRY, 0, FrameInfo(1, 0, 0, 5), lambda _, count: [bytes(1024)] * count
    )
    rows = [(n, ethernet(HOST_MEDIA, CLIENT_MEDIA, packet)) for n, packet in enumerate(packets)]
    assert [row["what"] for row in told(tmp_path, capsys, pcap(rows), clear=True)] == ["Frame", "Summary"]
    several = build_packets(bytes(3000), GEOMETRY, 0, FrameInfo(1, 0, 0, 5), lambda _, _count: [])
    rows = [(0, ethernet(HOST_MEDIA, CLIENT_MEDIA, b"".join(several)))]
    *_, counts = told(tmp_path, capsys, pcap(rows), clear=True)
    assert counts["media packets"] == 3


def test_a_connection_after_retry_and_another_on_its_addresses(tmp_path, capsys):
    talks = Conversation(retry=True), Conversation()
    path = tmp_path / "secrets"
    rows = []
    for talk in talks:
        talk.say(talk.client, 0, frame(build_hello(HELLO)))
        rows += talk.rows
    path.write_text("".join(talk.secrets.getvalue() for talk in talks))
    *said, counts = told(tmp_path, capsys, pcap(rows), secrets=path)
    assert [row["what"] for row in said] == ["Retry, 44 bytes, not opened", "Hello", "Hello"]
    assert counts["Hello"] == 2


def test_key_update_is_followed(tmp_path, capsys):
    talk = Conversation()
    talk.say(talk.client, 0, frame(build_hello(HELLO)))
    talk.client.request_key_update()
    talk.say(talk.client, 0, frame(build_control(ClockProbe(1))))
    talk.throw(talk.host, build_datagram(AudioFrame(7, 1, b"opus")))
    path = tmp_path / "secrets"
    path.write_text(talk.secrets.getvalue())
    rows = told(tmp_path, capsys, pcap(talk.rows), secrets=path)
    assert [row["what"] for row in rows[:-1]] == ["Hello", "ClockProbe", "AudioFrame"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"key": "00"}, Misuse),
        ({"key": "00" * 16, "salt": "xx"}, Misuse),
        ({"key": "00" * 15, "salt": "00" * 4}, Misuse),
        ({"secrets": "missing"}, ConfigError),
        ({"secrets": "session.pcap"}, ConfigError),
    ],
)
def test_misuse(tmp_path, session, options, error):
    path = tmp_path / "session.pcap"
    path.write_bytes(pcap(session.rows[:3]))
    if "secrets" in options:
        options = {"secrets": tmp_path / options["secrets"]}
    with pytest.raises(error):
        dissect(path, DissectOptions(**options))


def test_what_is_no_capture(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(ConfigError):
        dissect(path, DissectOptions())
    path.write_bytes(b"no capture")
    with pytest.raises(ConfigError):
        dissect(path, DissectOptions())


def test_secrets_are_written_when_asked(tmp_path, monkeypatch, caplog):
    path = tmp_path / "secrets"
    assert build_configuration(QuicConfig(alpn=("pkf1",)), is_client=True).secrets_log_file is None
    monkeypatch.setenv("SSLKEYLOGFILE", str(path))
    configuration = build_configuration(QuicConfig(alpn=("pkf1",)), is_client=True)
    with configuration.secrets_log_file as file:
        assert build_configuration(QuicConfig(alpn=("pkf1",)), is_client=True).secrets_log_file is file
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secrets of every QUIC connection are written" in caplog.text
    secrets_log.cache_clear()


def test_addresses_of_the_test_are_what_they_seem():
    assert len({CLIENT, HOST, CLIENT_MEDIA, HOST_MEDIA}) == 4
