"""Typed messages, framing and pairing: exact lengths, unknown types, streams however they arrive."""

from dataclasses import fields

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from native_vectors import CONTROLS, HELLOS, NO, PAIRINGS, YES

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.capabilities import Grant
from punktfunk.wire.native.clock import best, measure, offset_ns, rtt_ns
from punktfunk.wire.native.control import (
    CONTROL,
    AccessUpdate,
    BitrateChanged,
    ClipKind,
    ClipOffer,
    CursorShape,
    InputEdge,
    LaunchKind,
    LaunchOutcome,
    PhaseReport,
    ProbeResult,
    Reconfigure,
    RequestKeyframe,
    build_control,
    parse_control,
)
from punktfunk.wire.native.framing import MAX_PAYLOAD_BYTES, FrameReader, frame
from punktfunk.wire.native.handshake import build_hello
from punktfunk.wire.native.input import PadSnapshot, PointerPosition
from punktfunk.wire.native.pairing import (
    PAIRING,
    PairChallenge,
    PairRequest,
    PairResult,
    build_pairing,
    confirmation,
    parse_opening,
    parse_pairing,
)

GROWING = (ProbeResult,)


@pytest.mark.parametrize("message", CONTROLS, ids=lambda message: type(message).__name__)
def test_length_is_exact(message):
    wire = build_control(message)
    if isinstance(message, GROWING):
        assert parse_control(wire + b"\0") == message
    elif isinstance(message, BitrateChanged) and message.reason is None:
        assert parse_control(wire + b"\1") == BitrateChanged(message.bitrate_kbps, 1)
    else:
        assert parse_control(wire + b"\0") is None
    if wire[5:]:
        assert parse_control(wire[:-1]) in (
            None,
            BitrateChanged(50_000),
            ProbeResult(message_head(wire), 1, 2),
        )


def message_head(wire):
    return int.from_bytes(wire[5:13], "little")


def test_every_row_of_the_protocol_has_a_class():
    rows = {*range(0x01, 0x10), 0x20, 0x21, 0x22, 0x30, 0x31, 0x32, *range(0x40, 0x45), 0x50, 0x51}
    assert set(CONTROL.entries) == rows | {0x58, 0x59, 0x5A, 0x5B, 0x5C}
    assert set(PAIRING.entries) == {0x10, 0x11, 0x12, 0x13, 0x16}
    assert {type(message) for message in CONTROLS} == {row.layout.kind for row in CONTROL.entries.values()}


def test_unknown_types_are_ignored():
    for code in set(range(256)) - set(CONTROL.entries):
        assert parse_control(b"PKFc" + bytes((code,)) + bytes(8)) is None


def test_other_magics_are_ignored():
    assert parse_control(b"") is None
    assert parse_control(b"PKFc") is None
    assert parse_control(b"PKF1\x03") is None


def test_optional_ends():
    assert parse_control(build_control(PhaseReport(1, 2, 3, 4, 5))[:-1]) is None, "26 bytes are an error"
    whole = build_control(ProbeResult(1, 2, 3, 4, 5))
    assert parse_control(whole[:21]) == ProbeResult(1, 2, 3)
    assert parse_control(whole[:28]) == ProbeResult(1, 2, 3), "a torn end counts as absent"
    assert parse_control(whole[:20]) is None
    assert build_control(ProbeResult(0, 0, 0))[5:] == bytes(16), "an old host's form"


def test_bad_bodies_are_ignored():
    shape = build_control(CursorShape(9, 1, 1, 0, 0, bytes(4)))
    assert parse_control(shape[:9] + b"\0\0" + shape[11:17]) is None
    wide = CONTROL.magic + b"\x50" + bytes(4) + b"\x79\0\x01\0" + bytes(4) + bytes(121 * 4)
    assert parse_control(wide) is None
    for sides in ((0, 1), (121, 1), (2, 2)):
        with pytest.raises(LocalProtocolError):
            CursorShape(1, *sides, 0, 0, bytes(4))
    assert parse_control(b"PKFc\x42" + bytes(4) + b"\x11" + (b"\0" + bytes(8)) * 17) is None
    assert parse_control(b"PKFc\x42" + bytes(4) + b"\x01\x81" + b"a" * 129 + bytes(8)) is None
    assert parse_control(b"PKFc\x5c" + b"\xc8\xff" + bytes(16)) is None, "an edge without an event"


def test_words_that_are_not_known():
    assert parse_control(b"PKFc\x5a\x63\x00") == LaunchOutcome(LaunchKind.SPAWNED, "")
    assert parse_control(b"PKFc\x06" + bytes(4) + b"\x77") == BitrateChanged(0, 0x77)
    assert parse_control(b"PKFc\x58\x7f\0\0\0" + bytes(4)) == AccessUpdate(Grant.ALL, 0)
    assert parse_control(b"PKFc\x5a\x04\x02\xff\xfe") == LaunchOutcome(LaunchKind.FAILED, "\ufffd\ufffd")


def test_long_texts_are_cut():
    read = parse_control(build_control(LaunchOutcome(LaunchKind.FAILED, "ä" * 300)))
    assert read == LaunchOutcome(LaunchKind.FAILED, "ä" * 100)


@pytest.mark.parametrize(
    "message",
    [
        Reconfigure(-1, 0, 0),
        Reconfigure(1 << 32, 0, 0),
        ClipOffer(1, (ClipKind("a", 1),) * 17),
        InputEdge(PointerPosition(1, 1, 0, 0)),
        InputEdge(PadSnapshot(16, 0, 0, 0, 0, 0, 0, 0, 0)),
        PhaseReport(1, 2, 3, 4, 70_000),
        HELLOS[0],
    ],
)
def test_local_mistakes(message):
    with pytest.raises(LocalProtocolError):
        build_control(message)


@settings(max_examples=60)
@given(st.binary(max_size=80), st.sampled_from(sorted(CONTROL.entries)))
@example(b"", 3)
def test_garbage_is_ignored_or_a_message(body, code):
    wire = b"PKFc" + bytes((code,)) + body
    message = parse_control(wire)
    if message is not None:
        assert parse_control(build_control(message)) == message


@settings(max_examples=60)
@given(st.data())
def test_every_number_comes_back(data):
    """Whatever fits the fields: one random message of each fixed layout."""
    code = data.draw(st.sampled_from(sorted(CONTROL.entries)))
    layout = CONTROL.entries[code].layout
    if any(row.form.size is None for row in layout.fields) or layout.kind is InputEdge:
        return
    size = max(layout.sizes(), default=0)
    message = parse_control(b"PKFc" + bytes((code,)) + data.draw(st.binary(min_size=size, max_size=size)))
    assert message is not None
    assert parse_control(build_control(message)) == message
    assert len(fields(message)) == len(layout.fields)


# Framing


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(1, 9), max_size=60))
def test_however_it_arrives(payloads, cuts):
    stream = b"".join(frame(payload) for payload in payloads)
    reader, read, at = FrameReader(), [], 0
    for cut in cuts:
        read += reader.feed(stream[at : at + cut])
        at += cut
    read += reader.feed(stream[at:])
    assert read == payloads
    assert reader.is_aligned
    assert reader.rest == b""


def test_longest_frame():
    payload = bytes(MAX_PAYLOAD_BYTES)
    reader = FrameReader()
    assert reader.feed(frame(payload)[:-1]) == []
    assert not reader.is_aligned
    assert reader.feed(b"\0") == [payload]
    with pytest.raises(LocalProtocolError):
        frame(bytes(MAX_PAYLOAD_BYTES + 1))


def test_rest_is_what_follows():
    reader = FrameReader()
    assert reader.feed(frame(b"head") + b"\xff") == [b"head"]
    assert reader.rest == b"\xff"


# Pairing


def test_pairing_is_strict():
    for message in PAIRINGS:
        wire = build_pairing(message)
        with pytest.raises(RemoteProtocolError):
            parse_pairing(wire + b"\0")
    with pytest.raises(RemoteProtocolError):
        parse_pairing(b"PKFc\x14" + bytes(32))
    with pytest.raises(RemoteProtocolError):
        parse_pairing(b"PKFc\x10\x41" + b"n" * 65 + b"\x21\0" + bytes(33))


def test_device_key_is_optional():
    browser = PairRequest("b", b"\7" * 33, b"\1" * 91)
    plain = PairRequest("b", b"\7" * 33)
    assert parse_pairing(build_pairing(browser)) == browser
    assert build_pairing(browser).startswith(build_pairing(plain))


def test_openings():
    assert parse_opening(build_hello(HELLOS[0])) == HELLOS[0]
    assert parse_opening(build_pairing(PAIRINGS[0])) == PAIRINGS[0]
    for other in (build_pairing(PairResult(YES)), build_control(RequestKeyframe()), b"", b"GET / HTTP/1.1"):
        with pytest.raises(RemoteProtocolError):
            parse_opening(other)
    assert PairResult(NO) != PairResult(YES)


def test_fingerprints_are_raw():
    with pytest.raises(LocalProtocolError):
        confirmation(b"", b"", b"aa", b"b" * 32)
    with pytest.raises(LocalProtocolError):
        build_pairing(PairChallenge(b"\t" * 33, b"short"))


@settings(max_examples=40)
@given(st.binary(max_size=120))
def test_garbage_opens_nothing(data):
    for prefix in (b"", b"PKF1", b"PKFc\x10", b"PKFc\x11", b"PKFc\x16"):
        try:
            parse_opening(prefix + data)
            parse_pairing(prefix + data)
        except RemoteProtocolError:
            continue


# Clock


def test_clock_of_one_round():
    assert measure(0, 1_200_000, 1_250_000, 450_000) == (1_000_000, 400_000)
    assert rtt_ns(10, 0, 100, 20) == 0
    assert offset_ns(0, 0, 1, 0) == 0 == offset_ns(1, 0, 0, 0), "cut toward zero on both sides"
    huge = (1 << 64) - 1
    assert offset_ns(0, huge, huge, 0) == huge


def test_the_fastest_round_counts():
    rounds = [measure(0, 9, 9, 20), measure(0, 5, 5, 10), measure(0, 6, 6, 10)]
    assert best(rounds) == rounds[1]
    assert best([]) is None
