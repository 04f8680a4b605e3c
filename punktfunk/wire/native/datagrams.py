"""QUIC datagrams of punktfunk/1: audio, input and side planes, told apart by their first byte.

    tag   from    what                        class
    ----  ------  --------------------------  ---------------------------------------------
    0xC8  client  input                       ``input``
    0xC9  host    audio, Opus 5 ms            AudioFrame
    0xCA  host    rumble                      ``pad_output`` Rumble
    0xCB  client  microphone, Opus 10 ms      MicFrame
    0xCC  client  rich input                  ``rich_input``
    0xCD  host    to a pad                    ``pad_output``
    0xCE  host    HDR metadata                ``hdr`` HdrVolume
    0xCF  host    how long a frame took       HostTiming
    0xD0  host    where the cursor is         CursorState
    0xD1  host    audio of a pad              PadAudioFrame
    0xD2  host    audio with the frame before RedundantAudio
    0xD3  host    PCM                         PcmFrame

Unknown tags and cut datagrams are dropped. New fields come at the end, so a torn tail counts as absent and
more bytes are ignored. Spec: punktfunk-1.md section 2.10.
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Annotated, Any, Final

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.native.forms import I32, U8, U16, U32, U64, Bits, Counted, Rest
from punktfunk.wire.native.hdr import HdrVolume
from punktfunk.wire.native.input import INPUT_TAG, NativeInput, build_input, parse_input
from punktfunk.wire.native.layout import Registry, Sender, Tail
from punktfunk.wire.native.pad_output import OUTPUT, OUTPUT_TAG, PadOutput, Rumble
from punktfunk.wire.native.rich_input import RICH, RICH_TAG, RichInput

DATAGRAMS: Final = Registry(b"")
"""By first byte; 0xC8, 0xCC and 0xCD have registries of their own."""

DATAGRAMS.add(0xCA, Sender.HOST, exact=False)(Rumble)
DATAGRAMS.add(0xCE, Sender.HOST, exact=False)(HdrVolume)


class CursorFlag(IntFlag):
    """What a pointer is like."""

    VISIBLE = 1
    RELATIVE_HINT = 2


@DATAGRAMS.add(0xC9, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class AudioFrame:
    """5 ms of sound."""

    sequence: Annotated[int, U32, "one more per frame"]
    pts_ns: Annotated[int, U64, "capture of the first sample"]
    opus: Annotated[bytes, Rest(), "empty: silence"]


@DATAGRAMS.add(0xCB, Sender.CLIENT, exact=False)
@dataclass(frozen=True, slots=True)
class MicFrame:
    """10 ms of the client's microphone."""

    sequence: Annotated[int, U32, "one more per frame"]
    pts_ns: Annotated[int, U64, "capture of the first sample"]
    opus: Annotated[bytes, Rest(), "with in-band FEC"]


@DATAGRAMS.add(0xCF, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class HostTiming:
    """Where a frame's time went at the host, after its last packet; toward VideoCap.HOST_TIMING."""

    pts_ns: Annotated[int, U64, "of the frame"]
    host_us: Annotated[int, U32, "capture to last packet"]
    queue_us: Annotated[int | None, U32, Tail(1), "capture to encoder"] = None
    encode_us: Annotated[int | None, U32, Tail(1), "in the encoder"] = None
    pace_us: Annotated[int | None, U32, Tail(1), "first to last packet"] = None
    phase_ns: Annotated[int | None, I32, Tail(2), "how far the capture was held"] = None


@DATAGRAMS.add(0xD0, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class CursorState:
    """Where the pointer is, once per captured frame."""

    serial: Annotated[int, U32, "of CursorShape"]
    flags: Annotated[CursorFlag, Bits(CursorFlag), "CursorFlag"]
    x_px: Annotated[int, I32, "hotspot, pixels of the output"]
    y_px: Annotated[int, I32, ""]


@DATAGRAMS.add(0xD1, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class PadAudioFrame:
    """Haptics or speaker of a pad."""

    pad: Annotated[int, U8, ""]
    kind: Annotated[int, U8, "0 haptics, 5 ms; 1 speaker, 10 ms"]
    sequence: Annotated[int, U32, "per pad and kind"]
    pts_ns: Annotated[int, U64, ""]
    opus: Annotated[bytes, Rest(), "empty: silence"]


@DATAGRAMS.add(0xD2, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class RedundantAudio:
    """5 ms of sound and the 5 ms before."""

    sequence: Annotated[int, U32, "one more per frame"]
    pts_ns: Annotated[int, U64, "capture of the first sample"]
    opus: Annotated[bytes, Counted(U16, 0xFFFF), "empty: silence"]
    previous_opus: Annotated[bytes, Rest(), "of sequence - 1; empty: none"]


@DATAGRAMS.add(0xD3, Sender.HOST, exact=False)
@dataclass(frozen=True, slots=True)
class PcmFrame:
    """Sound as samples; replaces Opus for a whole session."""

    sequence: Annotated[int, U32, "one more per frame"]
    pts_ns: Annotated[int, U64, "capture of the first sample"]
    samples: Annotated[bytes, Rest(), "interleaved, little-endian, 16 or 24 bits as Welcome says"]


Datagram = (
    NativeInput
    | RichInput
    | PadOutput
    | Rumble
    | HdrVolume
    | AudioFrame
    | MicFrame
    | HostTiming
    | CursorState
    | PadAudioFrame
    | RedundantAudio
    | PcmFrame
)


def parse_datagram(datagram: bytes) -> Datagram | None:
    """Read a datagram; None for one that is dropped. Raises nothing."""
    tag = datagram[0] if datagram else 0
    if tag == INPUT_TAG:
        return parse_input(datagram)
    try:
        value: Any = _registry(tag).parse(datagram)
    except RemoteProtocolError:
        return None
    known: Datagram = value
    return known


def build_datagram(value: Datagram) -> bytes:
    """Write a datagram; LocalProtocolError for what does not fit."""
    if RICH.has(type(value)):
        return RICH.build(value)
    if OUTPUT.has(type(value)):
        return OUTPUT.build(value)
    if DATAGRAMS.has(type(value)):
        return DATAGRAMS.build(value)
    return build_input(value)  # type: ignore[arg-type]  # what is in no registry is an input event


def _registry(tag: int) -> Registry:
    return {RICH_TAG: RICH, OUTPUT_TAG: OUTPUT}.get(tag, DATAGRAMS)
