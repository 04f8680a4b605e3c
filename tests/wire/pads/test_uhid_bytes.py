"""Events of /dev/uhid, as linux/uhid.h lays them out."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.pads.hid import Bus, Identity
from punktfunk.wire.pads.uhid import (
    DATA_MAX,
    Closed,
    FeatureAsked,
    Opened,
    OutputReport,
    ReportSet,
    build_create,
    build_destroy,
    build_feature_answer,
    build_input,
    build_set_answer,
    parse_event,
)


def test_create():
    event = build_create(Identity("Pad", 0x54C, 0xCE6, 0x111, Bus.USB, b"\x05\x01"), "punktfunk/1", "02:00")
    assert event[:7] == b"\x0b\0\0\0Pad"
    assert event[132:143] == b"punktfunk/1"
    assert event[196:201] == b"02:00"
    assert event[260:264] == b"\x02\0\x03\0"
    assert event[264:276] == b"\x4c\x05\0\0\xe6\x0c\0\0\x11\x01\0\0"
    assert event[280:] == b"\x05\x01"


def test_what_we_say():
    assert build_destroy() == b"\1\0\0\0"
    assert build_input(b"\x01ab") == b"\x0c\0\0\0\x03\0\x01ab"
    assert build_feature_answer(9, b"\x05x") == b"\x0a\0\0\0\x09\0\0\0\0\0\x02\0\x05x"
    assert build_feature_answer(9, None) == b"\x0a\0\0\0\x09\0\0\0\x05\0\0\0"
    assert build_set_answer(9) == b"\x0e\0\0\0\x09\0\0\0\0\0"


def test_what_the_kernel_says():
    output = b"\6\0\0\0" + b"\x02ab".ljust(DATA_MAX, b"\0") + b"\x03\0\x01"
    assert parse_event(output) == OutputReport(b"\x02ab")
    assert parse_event(b"\x09\0\0\0\x07\0\0\0\x05\0") == FeatureAsked(7, 5)
    assert parse_event(b"\x0d\0\0\0\x07\0\0\0\x02\x01\x02\0\x02a" + bytes(9)) == ReportSet(
        7, is_output=True, data=b"\x02a"
    )
    assert parse_event(b"\4\0\0\0") == Opened()
    assert parse_event(b"\5\0\0\0") == Closed()
    assert parse_event(b"\x63\0\0\0") is None
    for cut in (b"", b"\6\0\0\0", b"\x09\0\0\0\1"):
        with pytest.raises(RemoteProtocolError):
            parse_event(cut)


@settings(max_examples=40)
@given(st.binary(max_size=40), st.integers(0, 15))
def test_any_event(data, kind):
    for event in (data, bytes((kind, 0, 0, 0)) + data):
        with suppress(RemoteProtocolError):
            parse_event(event)
