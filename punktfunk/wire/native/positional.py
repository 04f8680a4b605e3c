"""The untyped messages of the handshake: fields by place, each version of the protocol longer than the last.

What a reader finds missing takes its default, a torn number counts as missing, and bytes behind the last
field are ignored. A writer leaves out the end of the message as long as all of it is default: a field is
written if it or any later one is not, with placeholders before it. Blocks that have no placeholder (HDR,
ChaCha20 key, extensions) write nothing when absent but force what stands before them when present. Fields of
one ``Tail`` group came together and go together.
Spec: punktfunk-1.md section 2.3.
"""

from typing import Any, Final

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.extension import Extensions, build_extensions, parse_extensions
from punktfunk.wire.native.forms import U8, Counted, Form, cut_text
from punktfunk.wire.native.framing import HANDSHAKE_MAGIC
from punktfunk.wire.native.hdr import HDR_BYTES, HdrVolume
from punktfunk.wire.native.layout import layout_of

CHACHA20_KEY_BYTES: Final = 32


class Positional:
    """Codec of one such message: ``required`` fields must have come, ``always`` are always written."""

    def __init__(self, kind: type[Any], required: int, always: int) -> None:
        self.kind, self.required, self.always = kind, required, always
        self.fields = layout_of(kind).fields
        sizes = [row.form.size or 0 for row in self.fields]
        self.min_bytes = len(HANDSHAKE_MAGIC) + sum(sizes[:required])

    def build(self, message: Any) -> bytes:
        """Write it; LocalProtocolError for a value that does not fit."""
        values = [getattr(message, row.name) for row in self.fields]
        last = max(
            (at for at, row in enumerate(self.fields) if row.form.normal(values[at]) != row.default),
            default=0,
        )
        group = self.fields[last].group  # fields of one group go together
        while group and last + 1 < len(self.fields) and self.fields[last + 1].group == group:
            last += 1
        count = max(self.always, last + 1)
        pairs = zip(self.fields[:count], values, strict=False)
        return HANDSHAKE_MAGIC + b"".join(row.form.put(value) for row, value in pairs)

    def parse(self, data: bytes) -> Any:
        """Read it; RemoteProtocolError if it is short, another message, or says what has no default."""
        if len(data) < self.min_bytes or data[:4] != HANDSHAKE_MAGIC:
            raise RemoteProtocolError(f"no {self.kind.__name__}: {len(data)} bytes, {data[:4].hex(' ')}")
        values: dict[str, Any] = {}
        at = len(HANDSHAKE_MAGIC)
        for row in self.fields:
            size = row.form.size
            if size is not None and at + size > len(data):
                values[row.name], at = row.default, at + size
            else:
                values[row.name], at = row.form.take(data, at)
        try:
            return self.kind(**values)
        except LocalProtocolError as error:
            raise RemoteProtocolError(str(error)) from error


class Label(Counted):
    """u8 length and UTF-8, or None. One that is too long or no UTF-8 is skipped by its length, as None."""

    def __init__(self, most: int) -> None:
        super().__init__(U8, most)
        self.text = "u8 length, UTF-8"

    def normal(self, value: Any) -> Any:
        """Fold the empty one."""
        return value or None

    def put(self, value: Any) -> bytes:
        """Write it, cut at a character's edge."""
        return super().put(cut_text(value or "", self.most))

    def take(self, data: bytes, at: int) -> tuple[str | None, int]:
        """Read it; a missing length byte is an empty one."""
        count = data[at] if at < len(data) else 0
        start, end = at + 1, at + 1 + count
        if not 0 < count <= self.most or end > len(data):
            return None, end
        try:
            return data[start:end].decode("utf-8"), end
        except UnicodeDecodeError:
            return None, end


class HdrBlock(Form):
    """28 bytes, there only if so many are left: what can follow them is always shorter."""

    text, size = "28 bytes or none", None

    def put(self, value: Any) -> bytes:
        """Write the block, or nothing for None."""
        return b"" if value is None else layout_of(HdrVolume).build(value)

    def take(self, data: bytes, at: int) -> tuple[HdrVolume | None, int]:
        """Read it if it is there."""
        if len(data) - at < HDR_BYTES:
            return None, at
        return layout_of(HdrVolume).parse(data[at : at + HDR_BYTES]), at + HDR_BYTES


class ChachaKey(Form):
    """32 bytes, there only if the byte in front, the cipher, is 1; a short one is an error."""

    text, size = "32 bytes or none", None

    def put(self, value: Any) -> bytes:
        """Write the key, or nothing for None."""
        return b"" if value is None else bytes(value)

    def take(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        """Read it; RemoteProtocolError if it is cut."""
        if at > len(data) or data[at - 1] != 1:
            return None, at
        if len(data) - at < CHACHA20_KEY_BYTES:
            raise RemoteProtocolError(f"ChaCha20 key of {len(data) - at} bytes")
        return data[at : at + CHACHA20_KEY_BYTES], at + CHACHA20_KEY_BYTES


class ExtensionBlock(Form):
    """All that is left, if anything is: an extension block."""

    text, size = "extension block or none", None

    def put(self, value: Any) -> bytes:
        """Write the block, or nothing for None."""
        return b"" if value is None else build_extensions(value)

    def take(self, data: bytes, at: int) -> tuple[Extensions | None, int]:
        """Read it if it is there."""
        return (None, at) if at >= len(data) else (parse_extensions(data[at:]), len(data))
