"""Datagrams: torn tails, bytes of later versions, what is dropped whole, and garbage of every tag."""

import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from native_vectors import DATAGRAMS, INPUTS, YES

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.input import MouseButton
from punktfunk.wire.native.capabilities import GamepadKind
from punktfunk.wire.native.datagrams import (
    DATAGRAMS as REGISTRY,
)
from punktfunk.wire.native.datagrams import (
    AudioFrame,
    HostTiming,
    RedundantAudio,
    build_datagram,
    parse_datagram,
)
from punktfunk.wire.native.input import (
    Axis,
    ButtonEdge,
    KeyEdge,
    PadAxis,
    PadAxisCode,
    PadPlugged,
    PadRemoval,
    PadSnapshot,
    PointerPosition,
    ScrollPhase,
    ScrollSource,
    ScrollStep,
    TextScalar,
    TouchPhase,
    TouchPoint,
    is_newer,
    is_possible,
    parse_input,
)
from punktfunk.wire.native.pad_output import OUTPUT, PadAudioControl, RawReport, Rumble, TriggerEffect
from punktfunk.wire.native.rich_input import RICH, HidReport, PenBatch, PenEnd, PenSample, PenState

WORDS = st.tuples(
    st.integers(0, 0xFFFFFFFF),
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(0, 0xFFFFFFFF),
)


@pytest.mark.parametrize("value", DATAGRAMS, ids=lambda value: type(value).__name__)
def test_more_bytes_are_a_later_version_s(value):
    """Where no field takes the rest, what follows is ignored."""
    wire = build_datagram(value) + b"\0"
    assert type(parse_datagram(wire)) is type(value)


def test_every_tag_has_a_class():
    assert set(REGISTRY.entries) == {0xC9, 0xCA, 0xCB, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD3}
    assert set(RICH.entries) == {1, 2, 3, 4, 5}
    assert set(OUTPUT.entries) == {1, 2, 3, 4, 5, 6, 7}


def test_tails_of_rumble():
    wire = build_datagram(Rumble(0, 0x4000, 0x8000, 7, 400, 0x2000, 0x6000))
    bare, leased = Rumble(0, 0x4000, 0x8000), Rumble(0, 0x4000, 0x8000, 7, 400)
    assert all(parse_datagram(wire[:length]) is None for length in range(7))
    assert {parse_datagram(wire[:length]) for length in range(7, 10)} == {bare}
    assert {parse_datagram(wire[:length]) for length in range(10, 14)} == {leased}


def test_tails_of_host_timing():
    whole = HostTiming(5, 4321, 900, 3100, 2500, -1)
    wire = build_datagram(whole)
    assert {parse_datagram(wire[:length]) for length in range(13, 25)} == {HostTiming(5, 4321)}
    assert {parse_datagram(wire[:length]) for length in range(25, 29)} == {
        HostTiming(5, 4321, 900, 3100, 2500)
    }
    assert parse_datagram(wire + b"later") == whole


@pytest.mark.parametrize(
    "value",
    [
        HostTiming(5, 4321, phase_ns=1),
        HostTiming(5, 4321, queue_us=1),
        Rumble(0, 1, 1, left_trigger=1),
        TriggerEffect(0, 0, b""),
        RawReport(0, 0, bytes(65)),
        HidReport(0, bytes(65)),
        RedundantAudio(0, 0, bytes(70_000), b""),
        ButtonEdge(9, YES),
        TextScalar(0xD800),
        PadRemoval(16, 0),
        PointerPosition(0, 0, 70_000, 1),
        ScrollStep(Axis.VERTICAL, 1, ScrollSource.FINGER, ScrollPhase.END),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_datagram_can_say(value):
    with pytest.raises(LocalProtocolError):
        build_datagram(value)


def test_what_is_no_datagram():
    with pytest.raises(LocalProtocolError):
        build_datagram("text")
    with pytest.raises(LocalProtocolError):
        PadAudioControl(16, 0, bytes(6))
    with pytest.raises(LocalProtocolError):
        PenBatch.of(1)
    assert parse_datagram(b"") is None
    assert parse_datagram(b"\xcd\x06\x10\x00" + bytes(7)) is None, "a pad whose number would be cut"
    assert parse_datagram(b"\xcd\x03\x00\x01") is None, "an empty trigger effect"
    assert parse_datagram(b"\xcd\x08" + bytes(20)) is None
    assert parse_datagram(b"\xcc\x06" + bytes(20)) is None


def test_unknown_tags_are_dropped():
    for tag in (*range(0xC8), *range(0xD4, 0x100)):
        assert parse_datagram(bytes((tag,)) + bytes(40)) is None


def test_redundant_audio_without_the_frame_before():
    wire = build_datagram(RedundantAudio(0, 5, b"abc", b""))
    assert parse_datagram(wire) == RedundantAudio(0, 5, b"abc", b"")
    assert parse_datagram(wire[:-1]) is None, "a primary that is cut is no frame"
    assert parse_datagram(build_datagram(AudioFrame(0, 0, b""))) == AudioFrame(0, 0, b"")


def sample(**changed):
    return PenSample(
        **{"state": PenState.IN_RANGE, "tool": PenEnd.PEN, "x": 0.5, "y": 0.5, "pressure": 0, **changed}
    )


def test_cut_reports_and_batches_give_what_came():
    wire = build_datagram(PenBatch.of(1, sample(), sample(pressure=7)))
    assert parse_datagram(wire[:-1]).samples == (sample(),)
    assert parse_datagram(wire[:26]) is None
    report = build_datagram(HidReport(1, bytes(range(20))))
    assert parse_datagram(report[:-5]) == HidReport(1, bytes(range(15)))
    assert parse_datagram(b"\xcc\x04\x00\xff" + bytes(80)) == HidReport(0, bytes(64))
    many = b"\xcc\x05\x00\xff\x00\x00" + wire[6:27] * 9
    assert len(parse_datagram(many).samples) == 8


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_coordinates_that_are_not_finite_drop_the_batch(bad):
    wire = bytearray(build_datagram(PenBatch.of(1, sample(), sample())))
    struct.pack_into("<f", wire, 6 + 21 + 2, bad)
    assert parse_datagram(bytes(wire)) is None


def test_coordinates_outside_are_moved_to_the_edge():
    wire = bytearray(build_datagram(PenBatch.of(1, sample())))
    struct.pack_into("<ff", wire, 8, -0.25, 7.5)
    (read,) = parse_datagram(bytes(wire)).samples
    assert (read.x, read.y) == (0.0, 1.0)
    wire[7] = 9
    assert parse_datagram(bytes(wire)).samples[0].tool is PenEnd.KEEP


# Input events


def event(kind, code=0, x=0, y=0, flags=0):
    return parse_input(struct.pack("<BBIiiI", 0xC8, kind, code, x, y, flags))


@pytest.mark.parametrize(
    "words",
    [
        *((3, 0, 1, 1, 0), (3, 0, 1, 1, 5), (3, 0, 1, 1, 5 << 16), (9, 0, 1, 1, 0), (10, 0, 1, 1, 0)),
        *((4, 0), (4, 6), (5, 99), (6, 2), (7, 1, 1, 0, 16), (8, 6), (8, 0, 0, 0, 0x100)),
        *((12, 0, 0, 0, 16), (13, 0, 0, 0, 255), (14, 1, 0, 0, 16)),
        *((15, 0), (15, 0xD800), (15, 0xDFFF), (15, 0x110000), (17,), (255,)),
        *((16, 2), (16, 0, 1, 1, 1), (16, 0, 1, 0, 6), (16, 0, 1, 0, 0x802), (16, 0, 1, 0, 0x10002)),
        *((16, 0, 1, 0, 0x301), (16, 0, 1, 0, 0x302), (16, 0, 1, 0, 0x101), (16, 0, 1, 0, 0x505)),
    ],
)
def test_what_says_nothing_is_dropped(words):
    assert event(*words) is None


def test_fields_that_do_not_count():
    assert event(11, 5) == TouchPoint(TouchPhase.UP, 5, 0, 0, 0, 0)
    assert event(14, 77, flags=3) == PadPlugged(3, GamepadKind.AUTO)
    assert event(7, 0x1000, -1, 0, 2).pressed
    assert event(4, 1, 7, 7, 7) == ButtonEdge(MouseButton.LEFT, YES)


@pytest.mark.parametrize("value", INPUTS, ids=lambda value: type(value).__name__)
def test_input_is_a_datagram_too(value):
    assert parse_datagram(build_datagram(value)) == value
    assert parse_datagram(build_datagram(value) + b"\0") == value
    assert parse_datagram(build_datagram(value)[:-1]) is None


@pytest.mark.parametrize(
    ("sequence", "last", "newer"),
    [
        (0, None, True),
        (1, 0, True),
        (0, 0, False),
        (0, 255, True),
        (127, 0, True),
        (128, 0, False),
        (255, 0, False),
    ],
)
def test_newer(sequence, last, newer):
    assert is_newer(sequence, last) is newer


def test_scrolls_that_can_be():
    possible = {
        (source, phase)
        for source in ScrollSource
        for phase in ScrollPhase
        if is_possible(ScrollStep(Axis.VERTICAL, 0, source, phase))
    }
    wheels = {(source, ScrollPhase.NONE) for source in (ScrollSource.UNKNOWN, ScrollSource.WHEEL)}
    stick = {(ScrollSource.CONTROLLER, phase) for phase in ScrollPhase if phase < ScrollPhase.MOMENTUM_BEGIN}
    gliders = {(source, phase) for source in (2, 3, 4) for phase in ScrollPhase}
    assert possible == wheels | stick | gliders


@settings(max_examples=60)
@given(st.integers(0, 20), WORDS)
@example(12, (0, -1, -1, 0xFF00000F))
def test_every_event_comes_back(kind, words):
    read = event(kind, *words)
    if read is not None:
        assert parse_input(build_datagram(read)) == read


@settings(max_examples=60)
@given(st.integers(0xC8, 0xD3), st.binary(max_size=120))
@example(0xCC, b"\x05\x00\x08")
def test_garbage_of_every_tag(tag, body):
    wire = bytes((tag,)) + body
    read = parse_datagram(wire)
    if read is not None and not isinstance(read, PenBatch):
        assert parse_datagram(build_datagram(read)) == read


def test_samples():
    assert KeyEdge(1, YES) != KeyEdge(2, YES)
    assert event(8, 4, 200, 0, 1) == PadAxis(1, PadAxisCode.LEFT_TRIGGER, 200)
    assert event(12, 0, 0, 0, 0xFF00000F) == PadSnapshot(15, 255, 0, 0, 0, 0, 0, 0, 0)
