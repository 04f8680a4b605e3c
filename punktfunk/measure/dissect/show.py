"""Events as lines of text, and as JSON. Keys, salts and clipboard contents are not shown."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import IntEnum, IntFlag
from typing import Any, Final

from punktfunk.measure.dissect.frames import Close
from punktfunk.measure.dissect.media import MediaFrame, MediaPacket
from punktfunk.measure.dissect.session import Event
from punktfunk.wire.native.capabilities import CloseCode

SECRET: Final = ("key", "chacha_key", "salt", "element", "confirmation")
BYTES_SHOWN: Final = 16


def describe(value: Any) -> dict[str, Any]:
    """Fields of a message as JSON can hold them."""
    if not is_dataclass(value):
        return {"text": str(value)}
    return {item.name: _plain(item.name, getattr(value, item.name)) for item in fields(value)}


def as_json(event: Event, start_ns: int) -> dict[str, Any]:
    """One event as a JSON object."""
    value = event.value
    row: dict[str, Any] = {
        "seconds": (event.time_ns - start_ns) / 1e9,
        "from": "client" if event.from_client else "host",
        "client": f"{event.client[0]}:{event.client[1]}",
        "plane": event.plane,
    }
    match value:
        case MediaFrame():
            row |= {"what": "Frame", **_frame(value)}
        case MediaPacket():
            row |= {"what": "Packet", "sequence": value.sequence, **value.header._asdict()}
        case str():
            row |= {"what": value}
        case _:
            row |= {"what": type(value).__name__, **describe(value)}
    return row


def as_line(event: Event, start_ns: int) -> str:
    """One event as a line: seconds, direction, what."""
    way = "client >" if event.from_client else "  host <"
    return f"{(event.time_ns - start_ns) / 1e9:11.6f}  {way}  {_text(event.value)}"


def summary(counts: Mapping[str, int]) -> list[str]:
    """Sum a capture up."""
    width = max((len(name) for name in counts), default=0)
    return [f"{name:<{width}}  {count:>12,}" for name, count in sorted(counts.items())]


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case MediaFrame():
            return _frame_text(value)
        case MediaPacket(sequence, header):
            kind = "parity" if header.is_parity else "data"
            block = (
                f"block {header.block_index}/{header.block_count} {header.data_count}+{header.parity_count}"
            )
            shard = f"shard {header.shard_index} {kind} {header.shard_bytes} bytes"
            return f"packet {sequence} frame {header.frame_index} {block} {shard} flags {header.flags:x}"
        case Close(code, text, is_application):
            named = is_application and code in list(CloseCode)
            name = CloseCode(code).name if named else "no reason" if is_application else "QUIC's own"
            return f"close {code:#x} ({name}) {text!r}"
    said = " ".join(f"{name}={shown}" for name, shown in describe(value).items() if shown not in (None, ""))
    return f"{type(value).__name__} {said}".rstrip()


def _frame(frame: MediaFrame) -> dict[str, Any]:
    return {
        "frame_index": frame.frame_index,
        "probe": frame.is_probe,
        "key_frame": frame.is_key_frame,
        "pts_ns": frame.pts_ns,
        "frame_bytes": frame.frame_bytes,
        "blocks": len(frame.blocks),
        "data_packets": sum(data for data, _ in frame.blocks.values()),
        "parity_packets": sum(parity for _, parity in frame.blocks.values()),
        "lost_packets": frame.lost_count,
        "lost": frame.is_lost,
        "spread_us": (frame.last_ns - frame.first_ns) // 1000,
    }


def _frame_text(frame: MediaFrame) -> str:
    row = _frame(frame)
    kind = "probe unit" if frame.is_probe else "key frame" if frame.is_key_frame else "frame"
    packets = f"{row['data_packets']}+{row['parity_packets']} packets"
    size = f"{frame.frame_bytes:,} bytes" if frame.frame_bytes else "of unknown length"
    loss = f", {frame.lost_count} lost" if frame.lost_count else ""
    end = ", NOT REPAIRABLE" if frame.is_lost else ""
    return f"{kind} {frame.frame_index}  {size} in {packets} over {row['spread_us'] / 1000:.2f} ms{loss}{end}"


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        hidden = name in SECRET or len(value) > BYTES_SHOWN
        return f"<{len(value)} bytes>" if hidden else value.hex()
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, IntFlag):
        return value.name.lower() if value.name else f"{int(value):#x}"
    if is_dataclass(value):
        return describe(value)
    if isinstance(value, tuple):
        return [_plain(name, one) for one in value]
    return value
