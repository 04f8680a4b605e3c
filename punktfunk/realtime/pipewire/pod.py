"""PODs: the typed values in which PipeWire describes formats, buffers and metadata. Pure.

    offset  size  field    meaning
    ------  ----  -------  ---------------------------------------------
         0     4  size     bytes of the body, without this header
         4     4  type     ``Kind``
         8     -  body     padded with zeros to a multiple of eight

Words have the machine's order. Layout from PipeWire, spa/include/spa/pod/pod.h and doc/dox/internals/pod.dox.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from punktfunk.errors import RemoteProtocolError

MAXIMUM_BYTES: Final = 1 << 16
MAXIMUM_DEPTH: Final = 8


class Kind(IntEnum):
    """``enum spa_type`` of values."""

    NONE = 1
    BOOL = 2
    ID = 3
    INT = 4
    LONG = 5
    FLOAT = 6
    DOUBLE = 7
    STRING = 8
    BYTES = 9
    RECTANGLE = 10
    FRACTION = 11
    BITMAP = 12
    ARRAY = 13
    STRUCT = 14
    OBJECT = 15
    CHOICE = 19


class ChoiceKind(IntEnum):
    """``enum spa_choice_type``: the first value is the default, or the only one."""

    NONE = 0
    RANGE = 1
    STEP = 2
    ENUM = 3
    FLAGS = 4


class Param(IntEnum):
    """``enum spa_param_type``: what a parameter object is for."""

    PROPS = 2
    ENUM_FORMAT = 3
    FORMAT = 4
    BUFFERS = 5
    META = 6
    IO = 7
    LATENCY = 15


class ObjectType(IntEnum):
    """Types of parameter objects (spa/utils/type.h)."""

    PROPS = 0x40002
    FORMAT = 0x40003
    BUFFERS = 0x40004
    META = 0x40005


MANDATORY: Final = 1 << 3
DONT_FIXATE: Final = 1 << 4
"""Flags of an object's property (SPA_POD_PROP_FLAG_*)."""


@dataclass(frozen=True, slots=True)
class Id:
    """A value of an enumeration."""

    value: int


@dataclass(frozen=True, slots=True)
class Long:
    """64 bits; a plain int is 32."""

    value: int


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A size."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Fraction:
    """A rate."""

    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class Array:
    """Values of one type."""

    values: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What one side accepts: see ``ChoiceKind``."""

    kind: ChoiceKind
    values: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Property:
    """One value of an object, with flags such as MANDATORY."""

    value: "Value"
    flags: int = 0


@dataclass(frozen=True, slots=True)
class Object:
    """A parameter: its type, what it is for (``Param``), and its properties by key."""

    type: int
    id: int
    properties: dict[int, Property]

    def value(self, key: int) -> "Value":
        """Return a property's value; of a choice its default, which is what counts once it is fixed."""
        found = self.properties.get(key)
        if found is None:
            return None
        return found.value.values[0] if isinstance(found.value, Choice) else found.value


Value = (
    bool
    | int
    | float
    | str
    | bytes
    | Id
    | Long
    | Rectangle
    | Fraction
    | Array
    | Choice
    | Object
    | tuple["Value", ...]
    | None
)
"""What a POD can hold here. A tuple is a struct."""

_READERS: Final[dict[int, tuple[struct.Struct, Callable[..., "Value"]]]] = {
    Kind.BOOL: (struct.Struct("=I"), bool),
    Kind.ID: (struct.Struct("=I"), Id),
    Kind.INT: (struct.Struct("=i"), int),
    Kind.LONG: (struct.Struct("=q"), Long),
    Kind.FLOAT: (struct.Struct("=f"), float),
    Kind.DOUBLE: (struct.Struct("=d"), float),
    Kind.RECTANGLE: (struct.Struct("=II"), Rectangle),
    Kind.FRACTION: (struct.Struct("=II"), Fraction),
}
_HEADER: Final = struct.Struct("=II")


def build(value: Value) -> bytes:
    """Make the POD of a value, padded."""
    kind, body = _body(value)
    return _padded(_HEADER.pack(len(body), kind) + body)


def choice(kind: ChoiceKind, *values: Value) -> Choice:
    """Write a choice shortly; the first value is the default."""
    return Choice(kind, values)


def make_object(kind: ObjectType, param: Param, properties: dict[int, Value | Property]) -> bytes:
    """Make the POD of a parameter object."""
    wrapped = {
        key: value if isinstance(value, Property) else Property(value) for key, value in properties.items()
    }
    return build(Object(kind, param, wrapped))


def parse(data: bytes) -> Value:
    """Read one POD; bad bytes raise RemoteProtocolError and nothing else."""
    if len(data) > MAXIMUM_BYTES:
        raise RemoteProtocolError(f"a POD of {len(data)} bytes is too long")
    value, _end = _parse(data, 0, len(data), 0)
    return value


def parse_object(data: bytes) -> Object:
    """Read the POD of a parameter object; RemoteProtocolError for anything else."""
    value = parse(data)
    if not isinstance(value, Object):
        raise RemoteProtocolError(f"a POD of type {type(value).__name__} came instead of an object")
    return value


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def _body(value: Value) -> tuple[Kind, bytes]:  # noqa: C901, PLR0911, PLR0912 - one line for each type
    match value:
        case None:
            return Kind.NONE, b""
        case bool():
            return Kind.BOOL, struct.pack("=I", value)
        case int():
            return Kind.INT, struct.pack("=i", value)
        case float():
            return Kind.DOUBLE, struct.pack("=d", value)
        case str():
            return Kind.STRING, value.encode() + b"\0"
        case bytes():
            return Kind.BYTES, value
        case Id():
            return Kind.ID, struct.pack("=I", value.value)
        case Long():
            return Kind.LONG, struct.pack("=q", value.value)
        case Rectangle():
            return Kind.RECTANGLE, struct.pack("=II", value.width, value.height)
        case Fraction():
            return Kind.FRACTION, struct.pack("=II", value.numerator, value.denominator)
        case Array():
            return Kind.ARRAY, _uniform(value.values)
        case Choice():
            return Kind.CHOICE, struct.pack("=II", value.kind, 0) + _uniform(value.values)
        case Object():
            head = struct.pack("=II", value.type, value.id)
            parts = [
                struct.pack("=II", key, known.flags) + build(known.value)
                for key, known in value.properties.items()
            ]
            return Kind.OBJECT, head + b"".join(parts)
        case tuple():
            return Kind.STRUCT, b"".join(build(part) for part in value)


def _uniform(values: Sequence[Value]) -> bytes:
    """Write one header for all and their bodies without padding."""
    bodies = [_body(value) for value in values]
    kind = bodies[0][0] if bodies else Kind.NONE
    size = len(bodies[0][1]) if bodies else 0
    return _HEADER.pack(size, kind) + b"".join(body for _kind, body in bodies)


def _parse(data: bytes, at: int, end: int, depth: int) -> tuple[Value, int]:
    """Read the POD at ``at``; where the next one begins."""
    if depth > MAXIMUM_DEPTH:
        raise RemoteProtocolError("a POD is nested too deeply")
    if end - at < 8:
        raise RemoteProtocolError(f"{end - at} bytes are no POD")
    size, kind = _HEADER.unpack_from(data, at)
    begin = at + 8
    if size > end - begin:
        raise RemoteProtocolError(f"a POD of {size} bytes lies in {end - begin}")
    return _value(data, kind, begin, begin + size, depth), begin + size + (-size % 8)


def _value(data: bytes, kind: int, begin: int, end: int, depth: int) -> Value:
    if kind == Kind.STRUCT:
        return _parse_struct(data, begin, end, depth)
    if kind == Kind.OBJECT:
        return _parse_object(data, begin, end, depth)
    if kind == Kind.ARRAY:
        return Array(_parse_uniform(data, begin, end))
    if kind == Kind.CHOICE:
        if end - begin < 16:
            raise RemoteProtocolError(f"a choice of {end - begin} bytes is cut short")
        (which,) = struct.unpack_from("=I", data, begin)
        values = _parse_uniform(data, begin + 8, end)
        if which not in ChoiceKind._value2member_map_ or not values:
            raise RemoteProtocolError(f"a choice of kind {which} with {len(values)} values")
        return Choice(ChoiceKind(which), values)
    return _plain(data, kind, begin, end)


def _parse_struct(data: bytes, begin: int, end: int, depth: int) -> tuple[Value, ...]:
    values = []
    while begin < end:
        value, begin = _parse(data, begin, end, depth + 1)
        values.append(value)
    return tuple(values)


def _parse_object(data: bytes, begin: int, end: int, depth: int) -> Object:
    if end - begin < 8:
        raise RemoteProtocolError(f"an object of {end - begin} bytes is cut short")
    kind, identity = _HEADER.unpack_from(data, begin)
    begin += 8
    properties: dict[int, Property] = {}
    while begin < end:
        if end - begin < 16:
            raise RemoteProtocolError("an object's property is cut short")
        key, flags = _HEADER.unpack_from(data, begin)
        value, begin = _parse(data, begin + 8, end, depth + 1)
        properties[key] = Property(value, flags)
    return Object(kind, identity, properties)


def _parse_uniform(data: bytes, begin: int, end: int) -> tuple[Value, ...]:
    if end - begin < 8:
        raise RemoteProtocolError(f"an array of {end - begin} bytes is cut short")
    size, kind = _HEADER.unpack_from(data, begin)
    begin += 8
    if size == 0:
        return ()
    if kind not in _READERS or size < _READERS[kind][0].size:
        raise RemoteProtocolError(f"an array of type {kind} with elements of {size} bytes")
    return tuple(_plain(data, kind, at, at + size) for at in range(begin, end - size + 1, size))


def _plain(data: bytes, kind: int, begin: int, end: int) -> Value:
    if kind in _READERS:
        layout, make = _READERS[kind]
        if end - begin < layout.size:
            raise RemoteProtocolError(f"a value of type {kind} has {end - begin} bytes")
        return make(*layout.unpack_from(data, begin))
    if kind == Kind.STRING:
        return data[begin:end].split(b"\0")[0].decode("utf-8", "replace")
    if kind == Kind.BYTES:
        return data[begin:end]
    if kind == Kind.NONE:
        return None
    raise RemoteProtocolError(f"a POD has the unknown type {kind}")
