"""One description of a message: its dataclass, whose fields say how they lie on the wire.

    @dataclass(frozen=True, slots=True)
    class LossReport:
        loss_ppm: Annotated[int, U32, "shards lost on the way, per million"]

The fields in order are the message. ``Tail(n)`` in the annotation puts a field into the n-th growth of the
message: present only with all of its group and all groups before it; absent it has the dataclass's default.
From the same description come the codec, the tables of docs/native-protocol.md and what ``punktfunk dissect``
prints. A class refuses what it must not hold by LocalProtocolError in ``__post_init__``: of a peer's bytes
that becomes RemoteProtocolError. Spec: punktfunk-1.md section 2.2.
"""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from typing import Any, NamedTuple, TypeVar, get_type_hints

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.forms import Form

T = TypeVar("T")


class Sender(Enum):
    """Who may send a message."""

    CLIENT = "client"
    HOST = "host"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Tail:
    """Mark of a field that came to its message later, in the ``group``-th growth."""

    group: int


class Field(NamedTuple):
    """One row of a message's table."""

    name: str
    form: Form
    meaning: str
    group: int
    default: Any
    required: bool


class Layout:
    """How the fields of a dataclass lie on the wire, one behind the other."""

    def __init__(self, kind: type[Any]) -> None:
        hints = get_type_hints(kind, include_extras=True)
        self.kind = kind
        self.fields = tuple(_read_field(item.name, hints[item.name], item.default) for item in fields(kind))
        self._groups: dict[int, list[Field]] = {}
        for row in self.fields:
            self._groups.setdefault(row.group, []).append(row)

    def build(self, message: Any) -> bytes:
        """Write the fields; LocalProtocolError if one does not fit or a tail has a hole."""
        present = [
            group
            for group, rows in self._groups.items()
            if group and any(getattr(message, row.name) != row.default for row in rows)
        ]
        parts = []
        for row in self.fields:
            value = getattr(message, row.name)
            if row.group > max(present, default=0):
                break
            if value is None:
                raise LocalProtocolError(f"{self.kind.__name__} says more than it can without {row.name}")
            parts.append(row.form.put(value))
        return b"".join(parts)

    def parse(self, body: bytes, *, exact: bool = True) -> Any:
        """Read a message from its body; RemoteProtocolError for bytes that are none.

        ``exact``: every byte must belong to a field, and a tail must be there whole. Without it a torn tail
        counts as absent and what follows the fields is a later version's.
        """
        values: dict[str, Any] = {}
        at = 0
        for group, rows in self._groups.items():
            if group and (at == len(body) or (not exact and self._is_torn(rows, len(body) - at))):
                break
            for row in rows:
                values[row.name], at = row.form.take(body, at)
        if exact and at != len(body):
            raise RemoteProtocolError(f"{self.kind.__name__} has {len(body)} bytes, {at} belong to it")
        try:
            return self.kind(**values)
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error)) from error

    def sizes(self) -> Iterator[int | None]:
        """Length of the body with no tail, with the first, with the second; None where it varies."""
        total: int | None = 0
        for rows in self._groups.values():
            known = [row.form.size for row in rows]
            total = None if total is None or None in known else total + sum(size or 0 for size in known)
            yield total

    @staticmethod
    def _is_torn(rows: list[Field], left_bytes: int) -> bool:
        return left_bytes < sum(row.form.size or 0 for row in rows)


def _read_field(name: str, hint: Any, default: Any) -> Field:
    notes = hint.__metadata__
    form = next(note for note in notes if isinstance(note, Form))
    meaning = next((note for note in notes if isinstance(note, str)), "")
    group = next((note.group for note in notes if isinstance(note, Tail)), 0)
    return Field(name, form, meaning, group, None if default is MISSING else default, default is MISSING)


_layouts: dict[type[Any], Layout] = {}


def layout_of(kind: type[Any]) -> Layout:
    """Give the layout of a message's class."""
    if kind not in _layouts:
        _layouts[kind] = Layout(kind)
    return _layouts[kind]


class Entry(NamedTuple):
    """One message of a registry."""

    code: int
    layout: Layout
    sender: Sender
    exact: bool


class Registry:
    """Messages that a leading ``magic`` and one byte tell apart."""

    def __init__(self, magic: bytes) -> None:
        self.magic = magic
        self.entries: dict[int, Entry] = {}
        self._codes: dict[type[Any], int] = {}

    def add(self, code: int, sender: Sender, *, exact: bool = True) -> Callable[[type[T]], type[T]]:
        """Register a dataclass under its type byte."""

        def register(kind: type[T]) -> type[T]:
            assert code not in self.entries
            self.entries[code] = Entry(code, layout_of(kind), sender, exact)
            self._codes[kind] = code
            return kind

        return register

    def has(self, kind: type[Any]) -> bool:
        """Whether the class is one of these messages."""
        return kind in self._codes

    def entry_of(self, message: bytes) -> Entry | None:
        """Which message the first bytes announce; None if none is known."""
        at = len(self.magic)
        if len(message) <= at or message[:at] != self.magic:
            return None
        return self.entries.get(message[at])

    def build(self, message: Any) -> bytes:
        """Write a message with magic and type; LocalProtocolError if it is none of these or does not fit."""
        code = self._codes.get(type(message))
        if code is None:
            raise LocalProtocolError(f"{type(message).__name__} is no message of {self.magic!r}")
        return self.magic + bytes((code,)) + self.entries[code].layout.build(message)

    def parse(self, message: bytes) -> Any:
        """Read a message; RemoteProtocolError if its type is unknown or its body wrong."""
        entry = self.entry_of(message)
        if entry is None:
            raise RemoteProtocolError(f"{message[:8].hex(' ')} begins no message that is known here")
        return entry.layout.parse(message[len(self.magic) + 1 :], exact=entry.exact)
