"""How single values of a punktfunk/1 message lie on the wire: what the tables of messages are made of.

A form writes one value (``put``) and reads one (``take``: value and where the next begins). Bytes that a form
cannot read raise RemoteProtocolError, values that it cannot write LocalProtocolError. ``text`` is how the
documentation names the form, ``size`` its bytes, None where the length itself is on the wire.
Spec: punktfunk-1.md section 2 (little-endian throughout).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import IntEnum, IntFlag
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Any, Final

from punktfunk.errors import LocalProtocolError, RemoteProtocolError


class Form(ABC):
    """One kind of value."""

    text: str
    size: int | None

    @abstractmethod
    def put(self, value: Any) -> bytes:
        """Write a value; LocalProtocolError for one that does not fit."""

    @abstractmethod
    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        """Read the value at ``at``: it and the place behind. RemoteProtocolError if it is cut or illegal."""

    def normal(self, value: Any) -> Any:
        """Give the value that a reader takes this one for."""
        return value


class Number(Form):
    """An integer or float of a ``struct`` code."""

    def __init__(self, text: str, code: str) -> None:
        self._struct = Struct("<" + code)
        self.text, self.size = text, self._struct.size

    def put(self, value: Any) -> bytes:
        """Write it; LocalProtocolError outside its range."""
        try:
            return self._struct.pack(value)
        except (StructError, OverflowError) as error:
            raise LocalProtocolError(f"no {self.text} can say {value!r}") from error

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        """Read it."""
        end = at + self._struct.size
        if end > len(data):
            raise RemoteProtocolError(f"a {self.text} is cut at byte {at} of {len(data)}")
        return self._struct.unpack_from(data, at)[0], end


class Numbers(Number):
    """Several numbers in a row, a tuple."""

    def put(self, value: Sequence[Any]) -> bytes:
        """Write them; LocalProtocolError if one is outside its range or their count is wrong."""
        try:
            return self._struct.pack(*value)
        except (StructError, OverflowError) as error:
            raise LocalProtocolError(f"no {self.text} can say {value!r}") from error

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        """Read them."""
        end = at + self._struct.size
        if end > len(data):
            raise RemoteProtocolError(f"{self.text} are cut at byte {at} of {len(data)}")
        return self._struct.unpack_from(data, at), end


class Flag(Number):
    """A byte that is yes unless it is 0."""

    def __init__(self) -> None:
        super().__init__("u8 flag", "B")

    def put(self, value: Any) -> bytes:
        """Write 1 or 0."""
        return super().put(int(bool(value)))

    def take(self, data: bytes, at: int) -> tuple[bool, int]:
        """Read it."""
        value, end = super().take(data, at)
        return value != 0, end


class Bits(Number):
    """A set of bits; those without a name are kept."""

    def __init__(self, flags: type[IntFlag], code: str = "B") -> None:
        super().__init__(f"u{8 * Struct(code).size} bits", code)
        self._flags = flags

    def take(self, data: bytes, at: int) -> tuple[IntFlag, int]:
        """Read it."""
        value, end = super().take(data, at)
        return self._flags(value), end


class Choice(Number):
    """A byte of which only some values are known; every other one reads as ``otherwise``."""

    def __init__(self, known: type[IntEnum] | tuple[int, ...], otherwise: int) -> None:
        super().__init__("u8", "B")
        self._known = {int(value): value for value in known}
        self.otherwise = otherwise

    def normal(self, value: Any) -> Any:
        """Fold unknown values."""
        return self._known.get(int(value), self._known.get(self.otherwise, self.otherwise))

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        """Read it."""
        value, end = super().take(data, at)
        return self.normal(value), end


class OrDefault(Number):
    """A number whose 0, or whose every value that is not ``allowed``, means another."""

    def __init__(self, text: str, code: str, default: int, allowed: tuple[int, ...] = ()) -> None:
        super().__init__(text, code)
        self._default, self._allowed = default, allowed

    def normal(self, value: Any) -> Any:
        """Fold what means the default."""
        legal = value in self._allowed if self._allowed else value != 0
        return value if legal else self._default

    def put(self, value: Any) -> bytes:
        """Write it, the default in its own number."""
        return super().put(self.normal(value))

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        """Read it."""
        value, end = super().take(data, at)
        return self.normal(value), end


class Octets(Form):
    """Exactly ``count`` bytes."""

    def __init__(self, count: int) -> None:
        self.text, self.size = f"{count} bytes", count
        self._count = count

    def put(self, value: Any) -> bytes:
        """Write them; LocalProtocolError for another length."""
        if len(value) != self._count:
            raise LocalProtocolError(f"{len(value)} bytes where {self._count} belong")
        return bytes(value)

    def take(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Read them."""
        end = at + self._count
        if end > len(data):
            raise RemoteProtocolError(f"{self.text} are cut at byte {at} of {len(data)}")
        return data[at:end], end


class Counted(Form):
    """A length (``u8`` or ``u16``) and that many bytes, at most ``most``."""

    size = None

    def __init__(self, length: Number, most: int, least: int = 0) -> None:
        self.text = f"{length.text} length, bytes"
        self.length, self.most, self._least = length, most, least

    def put(self, value: Any) -> bytes:
        """Write length and bytes; LocalProtocolError outside the bounds."""
        if not self._least <= len(value) <= self.most:
            raise LocalProtocolError(f"{len(value)} bytes where {self._least} to {self.most} may stand")
        return self.length.put(len(value)) + bytes(value)

    def take(self, data: bytes, at: int) -> tuple[Any, int]:
        """Read them."""
        count, start = self.length.take(data, at)
        end = start + count
        if not self._least <= count <= self.most:
            raise RemoteProtocolError(f"{count} bytes where {self._least} to {self.most} may stand")
        if end > len(data):
            raise RemoteProtocolError(f"{count} bytes are cut at byte {start} of {len(data)}")
        return data[start:end], end


class CountedText(Counted):
    """A length and that many bytes of UTF-8; bad characters read as U+FFFD, long text is cut when written."""

    def __init__(self, length: Number, most: int) -> None:
        super().__init__(length, most)
        self.text = f"{length.text} length, UTF-8"

    def put(self, value: Any) -> bytes:
        """Write it, cut at a character's edge to what may stand."""
        return super().put(cut_text(value, self.most))

    def take(self, data: bytes, at: int) -> tuple[str, int]:
        """Read it."""
        value, end = super().take(data, at)
        return value.decode("utf-8", "replace"), end


class Rest(Form):
    """All bytes to the end of the message; more than ``most`` are cut off, fewer than ``least`` illegal."""

    size = None

    def __init__(self, most: int = 0xFFFF, least: int = 0) -> None:
        self.text = "the rest"
        self._most, self._least = most, least

    def put(self, value: Any) -> bytes:
        """Write them; LocalProtocolError outside the bounds."""
        if not self._least <= len(value) <= self._most:
            raise LocalProtocolError(f"{len(value)} bytes where {self._least} to {self._most} may stand")
        return bytes(value)

    def take(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Read them."""
        if len(data) - at < self._least:
            raise RemoteProtocolError(f"{len(data) - at} bytes where {self._least} belong")
        return data[at : at + self._most], len(data)


def cut_text(text: str, most: int) -> bytes:
    """UTF-8 of ``text``, cut at a character's edge to ``most`` bytes."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore").encode()


U8: Final = Number("u8", "B")
U16: Final = Number("u16", "H")
U32: Final = Number("u32", "I")
U64: Final = Number("u64", "Q")
I16: Final = Number("i16", "h")
I32: Final = Number("i32", "i")
F32: Final = Number("f32", "f")
FLAG: Final = Flag()
