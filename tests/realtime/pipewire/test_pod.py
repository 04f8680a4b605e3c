"""PODs: what is built is read back, and bad bytes raise one error."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import RemoteProtocolError
from punktfunk.realtime.pipewire import pod
from punktfunk.realtime.pipewire.pod import (
    Array,
    Choice,
    ChoiceKind,
    Fraction,
    Id,
    Long,
    Object,
    Property,
    Rectangle,
    build,
    parse,
    parse_object,
)

u32, i32 = st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1)
uniform = [
    i32,
    u32.map(Id),
    st.integers(-(2**63), 2**63 - 1).map(Long),
    st.floats(allow_nan=False),
    st.booleans(),
    st.builds(Rectangle, u32, u32),
    st.builds(Fraction, u32, u32),
]
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
plain = st.one_of(*uniform, st.none(), texts, st.binary(max_size=9))
several = st.one_of(*[st.lists(kind, min_size=1, max_size=4).map(tuple) for kind in uniform])
values = st.recursive(
    st.one_of(plain, several.map(Array), st.builds(Choice, st.sampled_from(ChoiceKind), several)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.builds(Object, u32, u32, st.dictionaries(u32, st.builds(Property, inner, u32), max_size=3)),
    ),
    max_leaves=6,
)


@given(values)
@settings(max_examples=40)
def test_what_is_built_is_read_back(value):
    data = build(value)
    assert len(data) % 8 == 0
    assert parse(data) == value


@given(st.one_of(st.binary(max_size=80), st.tuples(values, st.data())))
@settings(max_examples=40)
def test_bad_bytes_are_a_value_or_one_error(given):
    if isinstance(given, bytes):
        data = given
    else:  # something real with a few bytes broken
        value, draw = given
        data = bytearray(build(value))
        for _ in range(3):
            data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
        data = bytes(data[: draw.draw(st.integers(0, len(data)))])
    for read in (parse, parse_object):
        try:
            read(data)
        except RemoteProtocolError:
            continue


def test_nesting_and_length_have_bounds():
    deep = 1
    for _ in range(40):
        deep = (deep,)
    with pytest.raises(RemoteProtocolError, match="deep"):
        parse(build(deep))
    with pytest.raises(RemoteProtocolError, match="too long"):
        parse(bytes(1 << 17))


def test_a_format_is_what_pipewires_own_builder_makes():
    """A video format fixed to 320x240, byte by byte as spa_pod_builder_add_object lays it out."""
    data = pod.make_object(
        pod.ObjectType.FORMAT, pod.Param.FORMAT, {1: Id(2), 0x20003: Rectangle(320, 240), 0x20002: Long(7)}
    )
    expected = struct.pack("=IIII", 8 + 24 + 24 + 24, 15, 0x40003, 4)
    expected += struct.pack("=IIIIII", 1, 0, 4, 3, 2, 0)
    expected += struct.pack("=IIIIII", 0x20003, 0, 8, 10, 320, 240)
    expected += struct.pack("=IIIIq", 0x20002, 0, 8, 5, 7)
    assert data == expected


def test_the_default_of_a_choice_is_its_value():
    offer = Object(1, 2, {5: Property(Choice(ChoiceKind.RANGE, (4, 2, 8))), 6: Property(math.pi)})
    assert (offer.value(5), offer.value(6), offer.value(7)) == (4, math.pi, None)
    with pytest.raises(RemoteProtocolError, match="instead of an object"):
        parse_object(build(3))
