"""Encrypted RTSP frames: golden bytes, round trips, forgeries and replays."""

import contextlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.gamestream.rtsp import (
    MAX_MESSAGE_BYTES,
    Origin,
    RtspCipher,
    frame_is_complete,
    open_frame,
    seal_frame,
)

KEY = bytes(range(16))


def test_layout_as_the_client_reads_it():
    """moonlight-common-c, RtspConnection.c, unsealRtspMessage: big-endian header, little-endian IV."""
    frame = seal_frame(KEY, 0x01020304, b"RTSP/1.0 200 OK\r\n", Origin.HOST)
    assert frame[:8] == b"\x80\x00\x00\x11\x01\x02\x03\x04"
    tag, ciphertext = frame[8:24], frame[24:]
    iv = b"\x04\x03\x02\x01\0\0\0\0\0\0HR"
    assert AESGCM(KEY).decrypt(iv, ciphertext + tag, None) == b"RTSP/1.0 200 OK\r\n"


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=300))
def test_round_trip(key, sequence, plaintext):
    for origin in Origin:
        frame = seal_frame(key, sequence, plaintext, origin)
        assert frame_is_complete(frame) == len(frame)
        assert frame_is_complete(frame + b"more") == len(frame)
        assert open_frame(key, frame, origin) == (sequence, plaintext)


def test_directions_do_not_open_each_other():
    with pytest.raises(RemoteProtocolError, match="does not open"):
        open_frame(KEY, seal_frame(KEY, 1, b"x", Origin.HOST), Origin.CLIENT)


def test_truncation_at_every_byte_and_every_damaged_bit():
    frame = seal_frame(KEY, 1, b"OPTIONS rtsp://h RTSP/1.0\r\nCSeq: 1\r\n\r\n", Origin.CLIENT)
    for end in range(len(frame)):
        assert frame_is_complete(frame[:end]) is None
        with pytest.raises(RemoteProtocolError):
            open_frame(KEY, frame[:end])
    for position in range(len(frame) * 8):
        damaged = bytearray(frame)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(RemoteProtocolError):
            open_frame(KEY, bytes(damaged))
    with pytest.raises(RemoteProtocolError, match="another length"):
        open_frame(KEY, frame + b"\0")


@pytest.mark.parametrize("length", [0, MAX_MESSAGE_BYTES + 1, 0x7FFFFFFF])
def test_lengths_are_refused_before_anything_is_buffered(length):
    with pytest.raises(RemoteProtocolError, match="outside"):
        frame_is_complete((0x80000000 | length).to_bytes(4, "big"))


def test_plain_text_on_an_encrypted_session_is_refused():
    with pytest.raises(RemoteProtocolError, match="not encrypted"):
        frame_is_complete(b"OPTIONS")


def test_the_cipher_counts_up_and_refuses_replays():
    cipher = RtspCipher(KEY)
    assert open_frame(KEY, cipher.seal(b"a"), Origin.HOST) == (1, b"a")
    assert open_frame(KEY, cipher.seal(b"b"), Origin.HOST) == (2, b"b")
    first, third = (seal_frame(KEY, n, b"m%d" % n, Origin.CLIENT) for n in (1, 3))
    assert cipher.open(first) == b"m1"
    with pytest.raises(RemoteProtocolError, match="replay"):
        cipher.open(first)
    # A forged frame with a high number must not shut the real client out.
    with pytest.raises(RemoteProtocolError, match="does not open"):
        cipher.open(seal_frame(bytes(16), 0xFFFFFFFF, b"x", Origin.CLIENT))
    assert cipher.open(third) == b"m3"


def test_what_cannot_be_expressed():
    for sequence, plaintext in ((-1, b"x"), (2**32, b"x"), (1, b"")):
        with pytest.raises(LocalProtocolError):
            seal_frame(KEY, sequence, plaintext)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60)
    | st.binary(max_size=40).map(lambda tail: b"\x80\0\0" + bytes([len(tail)]) + bytes(20) + tail)
)
def test_garbage(data):
    for parse in (frame_is_complete, lambda data: open_frame(KEY, data), RtspCipher(KEY).open):
        with contextlib.suppress(RemoteProtocolError):
            parse(data)
