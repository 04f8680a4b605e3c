"""The extension block behind Start, and behind Welcome toward a client with ClientCap.EXTENSIONS.

    offset  size  field    meaning
    ------  ----  -------  --------------------------------------------------------------
         0     2  length   bytes that follow
         2        entries  again and again: u16 tag, u16 length, value

    tag  value
    ---  ------------------------------------------------------------------------------------
      1  padding
      2  client's label, UTF-8, at most 96 bytes, no control characters: for a log
      3  u8 bits; bit 0: the client reads the reason byte of BitrateChanged
      4  preset: u8 length, id (printable ASCII, at most 32), u8 length, name (at most 64)
      5  delivery: u8 profile, u8 flags (DeliveryFlag)

At most 4096 bytes with the length and 64 entries. A tag twice, tag 0, a cut or an overrun end the handshake
(RemoteProtocolError); tags that are not known are skipped, and a value that is no legal one of its tag counts
as absent. Spec: punktfunk-1.md section 2.3.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.forms import U8, Counted, cut_text

MAX_BLOCK_BYTES: Final = 4096
MAX_ENTRIES: Final = 64
LABEL_MAX_BYTES: Final = 96
PRESET_ID_MAX_BYTES: Final = 32
PRESET_NAME_MAX_BYTES: Final = 64
READS_REASON: Final = 1

TAG_PADDING: Final = 1
TAG_LABEL: Final = 2
TAG_FEATURES: Final = 3
TAG_PRESET: Final = 4
TAG_DELIVERY: Final = 5

_LENGTH: Final = Struct("<H")
_ENTRY: Final = Struct("<HH")
_PART: Final = Counted(U8, 255)


@dataclass(frozen=True, slots=True)
class Extensions:
    """What the block says; fields with their default are not sent.

    ``delivery_profile`` None: the client reads no delivery messages. ``padding`` b"" is an empty tag 1.
    """

    label: str = ""
    reads_reason: bool = False
    preset_id: str = ""
    preset_name: str = ""
    delivery_profile: int | None = None
    delivery_flags: int = 0
    padding: bytes | None = None


def build_extensions(extensions: Extensions) -> bytes:
    """Write the block; LocalProtocolError above its bounds. Label and names are cleaned and cut."""
    entries: list[tuple[int, bytes]] = []
    if extensions.padding is not None:
        entries.append((TAG_PADDING, extensions.padding))
    if label := cut_text(plain_text(extensions.label), LABEL_MAX_BYTES):
        entries.append((TAG_LABEL, label))
    if extensions.reads_reason:
        entries.append((TAG_FEATURES, bytes((READS_REASON,))))
    if preset_id := _ascii(extensions.preset_id):
        name = cut_text(plain_text(extensions.preset_name), PRESET_NAME_MAX_BYTES)
        entries.append((TAG_PRESET, _PART.put(preset_id.encode()) + _PART.put(name)))
    if extensions.delivery_profile is not None:
        entries.append(
            (TAG_DELIVERY, U8.put(extensions.delivery_profile) + U8.put(extensions.delivery_flags))
        )
    return build_block(entries)


def parse_extensions(block: bytes) -> Extensions:
    """Read a whole block; RemoteProtocolError for one that is cut, overrun or says a tag twice."""
    entries = parse_block(block)
    preset_id, preset_name = _read_preset(entries.get(TAG_PRESET, b""))
    features = entries.get(TAG_FEATURES, b"")
    delivery = entries.get(TAG_DELIVERY, b"")
    has_delivery = len(delivery) >= 2
    return Extensions(
        label=_read_label(entries.get(TAG_LABEL, b"")),
        reads_reason=bool(features and features[0] & READS_REASON),
        preset_id=preset_id,
        preset_name=preset_name,
        delivery_profile=delivery[0] if has_delivery else None,
        delivery_flags=delivery[1] if has_delivery else 0,
        padding=entries.get(TAG_PADDING),
    )


def build_block(entries: list[tuple[int, bytes]]) -> bytes:
    """Write tags and values; LocalProtocolError above the bounds."""
    body = b"".join(_ENTRY.pack(tag, len(value)) + value for tag, value in entries)
    if len(entries) > MAX_ENTRIES or _LENGTH.size + len(body) > MAX_BLOCK_BYTES:
        raise LocalProtocolError(f"an extension block of {len(entries)} entries, {len(body)} bytes")
    return _LENGTH.pack(len(body)) + body


def parse_block(block: bytes) -> dict[int, bytes]:
    """Read tags and values in order; RemoteProtocolError as the module says."""
    if not _LENGTH.size <= len(block) <= MAX_BLOCK_BYTES:
        raise RemoteProtocolError(f"extension block of {len(block)} bytes")
    (length,) = _LENGTH.unpack_from(block)
    if length != len(block) - _LENGTH.size:
        raise RemoteProtocolError(f"extension block says {length} of {len(block) - _LENGTH.size} bytes")
    entries: dict[int, bytes] = {}
    at = _LENGTH.size
    while at < len(block):
        if at + _ENTRY.size > len(block):
            raise RemoteProtocolError(f"an extension is cut at byte {at}")
        tag, count = _ENTRY.unpack_from(block, at)
        at += _ENTRY.size
        if at + count > len(block):
            raise RemoteProtocolError(f"extension {tag} says {count} bytes, {len(block) - at} are left")
        if tag == 0 or tag in entries or len(entries) == MAX_ENTRIES:
            raise RemoteProtocolError(f"extension {tag} is reserved, said twice or one too many")
        entries[tag] = block[at : at + count]
        at += count
    return entries


def plain_text(text: str) -> str:
    """Text without control characters and outer blanks."""
    return "".join(char for char in text.strip() if char.isprintable() or char == " ").strip()


def _ascii(text: str) -> str:
    return "".join(char for char in text if "!" <= char <= "~")[:PRESET_ID_MAX_BYTES]


def _read_label(value: bytes) -> str:
    return plain_text(value[:LABEL_MAX_BYTES].decode("utf-8", "ignore"))


def _read_preset(value: bytes) -> tuple[str, str]:
    try:
        raw_id, at = _PART.take(value, 0)
        raw_name, _ = _PART.take(value, at)
        preset_id = _ascii(raw_id.decode("utf-8"))
    except (RemoteProtocolError, UnicodeDecodeError):
        return "", ""
    if not preset_id:
        return "", ""
    name = plain_text(raw_name.decode("utf-8", "ignore"))
    return preset_id, cut_text(name, PRESET_NAME_MAX_BYTES).decode()
