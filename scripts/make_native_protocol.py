"""Write the generated tables of docs/native-protocol.md from the layouts that the codec reads and writes by.

    python scripts/make_native_protocol.py            write them
    python scripts/make_native_protocol.py --check    exit code 1 if the page is not up to date

A region of the page begins with ``<!-- generated: NAME -->`` and ends with ``<!-- end -->``; NAME is one of
REGIONS. Everything else on the page is written by hand.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from enum import IntEnum, IntFlag
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from punktfunk.wire.native import capabilities, control, datagrams, hdr, pad_output, pairing, rich_input, vk
from punktfunk.wire.native.handshake import HELLO, START
from punktfunk.wire.native.layout import Entry, Field, Layout, Registry, layout_of
from punktfunk.wire.native.positional import Positional
from punktfunk.wire.native.welcome import WELCOME

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = Path(capabilities.__file__).parents[2]
PAGE: Final = ROOT / "docs/native-protocol.md"
REGION: Final = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
MAGIC_BYTES: Final = 4


def field_table(rows: tuple[Field, ...], start: int) -> str:
    """One message: offset, form, name, default, meaning."""
    lines = ["| offset | form | field | absent | meaning |", "|---|---|---|---|---|"]
    sizes = [row.form.size for row in rows]
    known = next((at for at, size in enumerate(sizes) if size is None), len(sizes))
    offsets = [start, *accumulate((size or 0 for size in sizes[:known]), initial=start)][1:]
    for at, row in enumerate(rows):
        offset = str(offsets[at]) if at <= known else "…"
        absent = "" if row.required else _default(row.default)
        lines.append(f"| {offset} | {row.form.text} | `{row.name}` | {absent} | {row.meaning} |")
    return "\n".join(lines) + "\n"


def positional(codec: Positional) -> Callable[[], str]:
    """Make the region of an untyped message."""

    def region() -> str:
        text = f"{_summary(codec.kind)} At least {codec.min_bytes} bytes.\n\n"
        return text + field_table(codec.fields, MAGIC_BYTES)

    return region


def registry(*sources: Registry) -> Callable[[], str]:
    """Make the region of all messages that a byte tells apart."""

    def region() -> str:
        return "\n".join(_message(source, code, source.entries[code]) for source, code in _codes(sources))

    return region


def _codes(sources: tuple[Registry, ...]) -> Iterator[tuple[Registry, int]]:
    for source in sources:
        for code in sorted(source.entries):
            yield source, code


def _message(source: Registry, code: int, entry: Entry) -> str:
    start = len(source.magic) + 1
    sizes = list(entry.layout.sizes()) or [0]
    if None in sizes:
        length = "of varying length"
    else:
        *shorter, longest = (str(start + (size or 0)) for size in sizes)
        length = f"{', '.join(shorter)} or {longest}" if shorter else longest
        length += " bytes" if entry.exact else " bytes, more are ignored"
    sender = {"client": "client to host", "host": "host to client", "both": "both ways"}[entry.sender.value]
    head = f"**`0x{code:02X}` {entry.layout.kind.__name__}** ({sender}, {length}). "
    text = head + _summary(entry.layout.kind) + "\n"
    return text + ("\n" + field_table(entry.layout.fields, start) if entry.layout.fields else "")


def words(*kinds: type[IntFlag] | type[IntEnum]) -> Callable[[], str]:
    """Make the region of some enumerations."""

    def region() -> str:
        lines = ["| name | values |", "|---|---|"]
        for kind in kinds:
            digits = 2 if issubclass(kind, IntFlag) or kind is capabilities.CloseCode else 1
            values = [f"{value.value:0{digits}X} {value.name.lower()}" for value in kind.__members__.values()]
            shown = ", ".join(values if digits == 2 else [f"{v.value} {v.name.lower()}" for v in kind])
            lines.append(f"| {kind.__name__}{' (hex)' if digits == 2 else ''} | {shown} |")
        return "\n".join(lines) + "\n"

    return region


def docstring(module: str) -> Callable[[], str]:
    """Make the region that is a module's own description."""

    def region() -> str:
        text = ast.get_docstring(ast.parse((PACKAGE / f"wire/native/{module}.py").read_text("utf-8")))
        assert text is not None
        return f"```text\n{text}\n```\n"

    return region


def one(kind: type[Any]) -> Callable[[], str]:
    """Make the region of a block inside other messages."""
    return lambda: _summary(kind) + "\n\n" + field_table(Layout(kind).fields, 0)


def keys() -> str:
    """Make the region of the key codes."""
    pairs = [f"{code:02X}={evdev}" for code, evdev in sorted(vk.VK_TO_EVDEV.items())]
    lines = [" ".join(pairs[at : at + 12]) for at in range(0, len(pairs), 12)]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def _summary(kind: type[Any]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _default(value: Any) -> str:
    if value is None:
        return "none"
    return str(int(value)) if isinstance(value, int) else f"`{value!r}`"


REGIONS: Final[dict[str, Callable[[], str]]] = {
    "hello": positional(HELLO),
    "welcome": positional(WELCOME),
    "start": positional(START),
    "hdr": one(hdr.HdrVolume),
    "extension": docstring("extension"),
    "pairing": registry(pairing.PAIRING),
    "control": registry(control.CONTROL),
    "datagrams": registry(datagrams.DATAGRAMS),
    "rich": registry(rich_input.RICH),
    "pen": lambda: field_table(layout_of(rich_input.PenSample).fields, 0),
    "output": registry(pad_output.OUTPUT),
    "input": docstring("input"),
    "media": docstring("packet"),
    "blocks": docstring("blocks"),
    "keys": keys,
    "capabilities": words(
        capabilities.VideoCap, capabilities.ClientCap, capabilities.HostCap, capabilities.HostCap2
    ),
    "words": words(
        capabilities.Grant,
        capabilities.CodecBit,
        capabilities.CloseCode,
        capabilities.CompositorKind,
        capabilities.GamepadKind,
        capabilities.AudioCodec,
        capabilities.AudioLayout,
        capabilities.Cipher,
        capabilities.VideoFit,
        capabilities.DeliveryProfile,
        control.BitrateReason,
        control.ClipReason,
        control.ClipStatus,
        control.LaunchKind,
        control.InterfaceKind,
    ),
}


def generate(page: str) -> str:
    """Give the page with every region made anew; KeyError for a region that has no maker."""
    return REGION.sub(lambda found: f"{found[1]}{REGIONS[found[2]]()}{found[3]}", page)


def main() -> int:
    """Write or check the page; 1 if it is not up to date."""
    page = PAGE.read_text("utf-8")
    made = generate(page)
    if "--check" in sys.argv[1:]:
        if page != made:
            print(f"{PAGE} is not what the layouts say: run scripts/make_native_protocol.py")
        return int(page != made)
    PAGE.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
