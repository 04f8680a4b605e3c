"""AV1 units: walking, key frames, what is sent, and garbage."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.obu import (
    MAX_OBU_COUNT,
    Obu,
    ObuType,
    build_obu,
    is_key_frame,
    normalise_temporal_unit,
    parse_obus,
)

DELIMITER = b"\x12\0"
SEQUENCE = b"\x0a\x02\x00\x42"
KEY = b"\x32\x03\x10xy"
INTER = b"\x32\x03\x30xy"
SHOW_EXISTING = b"\x1a\x01\x80"
PADDING = b"\x7a\x02zz"


def test_walk():
    units = parse_obus(DELIMITER + SEQUENCE + KEY + PADDING)
    assert [unit.obu_type for unit in units] == [2, 1, 6, 15]
    assert units[2] == Obu(ObuType.FRAME, b"\x32", b"\x10xy")
    assert parse_obus(b"\x36\x08\x01\x10") == [Obu(6, b"\x36\x08", b"\x10")]
    assert parse_obus(b"\x30\x10rest") == [Obu(6, b"\x30", b"\x10rest")]
    assert parse_obus(b"\x32\x81\x00\x10") == [Obu(6, b"\x32", b"\x10")]
    assert parse_obus(b"") == []


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (SEQUENCE + KEY, True),
        (KEY, True),
        (INTER, False),
        (b"\x32\x01\x50", False),  # intra only
        (SHOW_EXISTING, False),
        (b"\x1a\x01\x10\x22\x01z", True),  # frame header and tile group
        (b"\x0a\x01\x18" + INTER, True),  # reduced still picture
        (b"\x32\x00", False),
        (b"", False),
    ],
)
def test_key_frames(data, key):
    assert is_key_frame(parse_obus(data)) is key


def test_normalising():
    assert normalise_temporal_unit(DELIMITER + SEQUENCE + KEY + PADDING, is_key=True) == SEQUENCE + KEY
    assert normalise_temporal_unit(DELIMITER + INTER, is_key=False) == INTER
    metadata = b"\x2a\x01m"
    assert normalise_temporal_unit(metadata + SEQUENCE + KEY, is_key=True) == SEQUENCE + metadata + KEY
    assert normalise_temporal_unit(KEY, True, SEQUENCE) == SEQUENCE + KEY  # noqa: FBT003
    assert normalise_temporal_unit(INTER, False, b"\xff") == INTER  # noqa: FBT003  (not needed, not read)
    assert normalise_temporal_unit(b"\x30" + INTER[2:], is_key=False) == INTER


@pytest.mark.parametrize(
    ("data", "is_key", "spare"),
    [
        (KEY, True, b""),
        (KEY, False, b""),
        (INTER, True, SEQUENCE),
        (b"\x32\x09x", False, b""),
        (KEY, True, b"\xff"),
    ],
)
def test_what_cannot_be_sent_is_refused(data, is_key, spare):
    with pytest.raises(LocalProtocolError):
        normalise_temporal_unit(data, is_key, spare)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80",  # forbidden bit
        b"\x36",  # extension missing
        b"\x32",  # size missing
        b"\x32\x80",
        b"\x32" + b"\x80" * 9,
        b"\x32\xff\xff\xff\xff\x7f",  # above 32 bits
        b"\x32\x02x",
        DELIMITER * (MAX_OBU_COUNT + 1),
    ],
)
def test_malformed_units_are_refused(data):
    with pytest.raises(RemoteProtocolError):
        parse_obus(data)


def test_truncation_at_every_byte():
    data = DELIMITER + SEQUENCE + KEY
    whole = {0, 2, 6}
    for length in range(len(data)):
        if length in whole:
            parse_obus(data[:length])
            continue
        with pytest.raises(RemoteProtocolError):
            parse_obus(data[:length])


@given(st.binary(max_size=60), st.booleans())
def test_garbage_is_refused_or_walked(data, is_key):
    with contextlib.suppress(RemoteProtocolError):
        units = parse_obus(data)
        assert sum(len(unit.header) + len(unit.payload) for unit in units) <= len(data)
        is_key_frame(units)
    with contextlib.suppress(LocalProtocolError):
        ready = normalise_temporal_unit(data, is_key, SEQUENCE)
        assert normalise_temporal_unit(ready, is_key, SEQUENCE) == ready


UNIT = st.builds(
    lambda kind, extension, payload: Obu(
        kind, bytes((kind << 3 | (4 if extension is not None else 0) | 2,)) + (extension or b""), payload
    ),
    st.integers(0, 15),
    st.none() | st.binary(min_size=1, max_size=1),
    st.binary(max_size=300),
)


@given(st.lists(UNIT, max_size=6))
def test_round_trip(units):
    assert parse_obus(b"".join(map(build_obu, units))) == units
