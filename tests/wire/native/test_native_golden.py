"""All 119 golden messages of punktfunk/1: written from their meaning, read back, cut at every length."""

import contextlib

import pytest
from native_vectors import (
    CONTROLS,
    DATAGRAMS,
    HELLOS,
    INPUTS,
    PAIRINGS,
    STARTS,
    VECTORS,
    WELCOMES,
    named,
    of_kind,
)

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.native.capabilities import PUNCH
from punktfunk.wire.native.control import ClipFetch, RequestKeyframe, build_control, parse_control
from punktfunk.wire.native.datagrams import build_datagram, parse_datagram
from punktfunk.wire.native.extension import build_block, parse_block
from punktfunk.wire.native.framing import CLIPBOARD_STREAM, FrameReader, frame
from punktfunk.wire.native.handshake import build_hello, build_start, parse_hello, parse_start
from punktfunk.wire.native.input import build_input, parse_input
from punktfunk.wire.native.pairing import (
    LABEL_CLIENT,
    LABEL_HOST,
    browser_message,
    build_pairing,
    confirmation,
    parse_pairing,
)
from punktfunk.wire.native.welcome import build_welcome, parse_welcome

CODECS = {
    "Hello": (HELLOS, build_hello, parse_hello, slice(None)),
    "Welcome": (WELCOMES, build_welcome, parse_welcome, slice(None)),
    "Start": (STARTS, build_start, parse_start, slice(4)),
    "Pairing": (PAIRINGS, build_pairing, parse_pairing, slice(6)),
    "Control": (CONTROLS, build_control, parse_control, slice(35)),
    "Input": (INPUTS, build_input, parse_input, slice(None)),
    "Datagrams": (DATAGRAMS, build_datagram, parse_datagram, slice(None)),
}
ROWS = [
    pytest.param(kind, value, wire, id=f"{kind}-{place}-{type(value).__name__}")
    for kind, (values, _, _, part) in CODECS.items()
    for place, (value, wire) in enumerate(zip(values, of_kind(kind)[part], strict=True))
]
ELSEWHERE = 3 + 3 + 1 + 9
"""Two confirmations and a signed message, three of Start, one of Control; media: test_native_packet."""


def test_no_vector_is_left_out():
    assert len(VECTORS) == 119 == len(ROWS) + ELSEWHERE
    assert all(len(bytes.fromhex(vector["hex"])) == vector["bytes"] for vector in VECTORS)


@pytest.mark.parametrize(("kind", "value", "wire"), ROWS)
def test_written_and_read(kind, value, wire):
    _, build, parse, _ = CODECS[kind]
    assert build(value).hex() == wire.hex()
    assert parse(wire) == value


@pytest.mark.parametrize(("kind", "value", "wire"), ROWS)
def test_cut_at_every_length(kind, value, wire):
    """A cut message is refused, ignored or a shorter one of its kind: never another error."""
    _, build, parse, _ = CODECS[kind]
    for length in range(len(wire)):
        read = None
        with contextlib.suppress(RemoteProtocolError):
            read = parse(wire[:length])
        if read is not None:
            assert type(read) is type(value)
            assert parse(build(read)) == read


def test_other_vectors():
    assert named("control frame") == frame(build_control(RequestKeyframe()))
    assert FrameReader().feed(named("control frame")) == [build_control(RequestKeyframe())]
    assert named("punch") == PUNCH
    assert named("extension block") == build_block([(1, b"\7")])
    assert parse_block(named("extension block")) == {1: b"\7"}
    fetch = frame(build_control(ClipFetch(7, 0xFFFFFFFF, "text/plain")))
    assert named("clipboard stream opening") == CLIPBOARD_STREAM + fetch


def test_confirmations():
    key, client, host = bytes(range(32)), b"\xaa" * 32, b"\xbb" * 32
    for label in (LABEL_HOST, LABEL_CLIENT):
        assert confirmation(label, key, client, host) == named(f"confirmation {label.decode()}")
        assert confirmation(label, key, host, client) != named(f"confirmation {label.decode()}")
    assert browser_message(b"\1" * 32, b"\2" * 32) == named("browser auth signed message")
