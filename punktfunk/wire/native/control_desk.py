"""Messages of the control stream about the desktop and the session: clipboard, cursor, access, launch.

Their registry and codec: ``control``. Spec: punktfunk-1.md section 2.5.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Annotated, Any, Final

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.capabilities import Grant
from punktfunk.wire.native.control_stream import CONTROL
from punktfunk.wire.native.forms import FLAG, U8, U16, U32, U64, Choice, CountedText, Form, Rest
from punktfunk.wire.native.input import NativeInput, build_input, parse_input
from punktfunk.wire.native.layout import Sender, layout_of
from punktfunk.wire.native.welcome import GrantBits

CLIP_KINDS_MAX: Final = 16
MIME_MAX_BYTES: Final = 128
NO_FILE: Final = 0xFFFFFFFF
"""ClipFetch.file_index of a whole format."""
CURSOR_SIDE_MAX_PX: Final = 120
LAUNCH_TEXT_MAX_BYTES: Final = 200


class ClipPolicy(IntFlag):
    """What a host lets through."""

    TEXT = 1
    FILES = 2


class ClipReason(IntEnum):
    """Why the clipboard is as it is."""

    OK = 0
    NO_BACKEND = 1
    TAKEN_OVER = 2
    POLICY = 3
    NO_FILES = 4
    NOT_GRANTED = 5


class ClipStatus(IntEnum):
    """Answer to a fetch."""

    OK = 0
    STALE = 1
    UNAVAILABLE = 2
    DENIED = 3


class LaunchKind(IntEnum):
    """What became of a launch; from ADOPTED_UNSEEN on the player is told."""

    SPAWNED = 0
    ADOPTED = 1
    ADOPTED_UNSEEN = 2
    REFUSED = 3
    FAILED = 4
    SIGN_IN_NEEDED = 5


@dataclass(frozen=True, slots=True)
class ClipKind:
    """One format on offer."""

    mime: Annotated[str, CountedText(U8, MIME_MAX_BYTES), "at most 128 bytes"]
    size_bytes: Annotated[int, U64, "0 unknown"]


class ClipKinds(Form):
    """u8 count and that many formats."""

    text, size = "u8 count, formats", None

    def put(self, value: Any) -> bytes:
        """Write them; LocalProtocolError above 16."""
        if len(value) > CLIP_KINDS_MAX:
            raise LocalProtocolError(f"{len(value)} clipboard formats, {CLIP_KINDS_MAX} may be")
        layout = layout_of(ClipKind)
        return U8.put(len(value)) + b"".join(layout.build(kind) for kind in value)

    def take(self, data: bytes, at: int) -> tuple[tuple[ClipKind, ...], int]:
        """Read them; RemoteProtocolError above 16 or when cut."""
        count, at = U8.take(data, at)
        if count > CLIP_KINDS_MAX:
            raise RemoteProtocolError(f"{count} clipboard formats, {CLIP_KINDS_MAX} may be")
        mime, size = layout_of(ClipKind).fields
        kinds = []
        for _ in range(count):
            name, at = mime.form.take(data, at)
            size_bytes, at = size.form.take(data, at)
            kinds.append(ClipKind(name, size_bytes))
        return tuple(kinds), at


class InputForm(Form):
    """One input event of 18 bytes, its tag 0xC8 included."""

    text, size = "18 bytes, input event", 18

    def put(self, value: Any) -> bytes:
        """Write it."""
        return build_input(value)

    def take(self, data: bytes, at: int) -> tuple[NativeInput, int]:
        """Read it; RemoteProtocolError for an event that would be dropped."""
        event = parse_input(data[at : at + 18])
        if event is None:
            raise RemoteProtocolError("an input edge without an event")
        return event, at + 18


@CONTROL.add(0x40, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class ClipControl:
    """Switch the shared clipboard; before this nothing of it happens."""

    enabled: Annotated[bool, FLAG, ""]
    flags: Annotated[int, U8, "1: files too"]


@CONTROL.add(0x41, Sender.HOST)
@dataclass(frozen=True, slots=True)
class ClipState:
    """Answer to ClipControl, and whenever it changes."""

    enabled: Annotated[bool, FLAG, ""]
    policy: Annotated[int, U8, "ClipPolicy bits"]
    reason: Annotated[int, U8, "ClipReason"]


@CONTROL.add(0x42, Sender.BOTH)
@dataclass(frozen=True, slots=True)
class ClipOffer:
    """What the sender's clipboard holds; the newest counts."""

    sequence: Annotated[int, U32, "of this sender's offers"]
    kinds: Annotated[tuple[ClipKind, ...], ClipKinds(), "at most 16: u8 length, MIME, u64 size each"]


@CONTROL.add(0x43, Sender.BOTH)
@dataclass(frozen=True, slots=True)
class ClipFetch:
    """First message of a transfer's stream: give me this format."""

    sequence: Annotated[int, U32, "of the offer"]
    file_index: Annotated[int, U32, "0xFFFFFFFF: not a file"]
    mime: Annotated[str, CountedText(U8, MIME_MAX_BYTES), "at most 128 bytes"]


@CONTROL.add(0x44, Sender.BOTH)
@dataclass(frozen=True, slots=True)
class ClipFetchHdr:
    """Answer on a transfer's stream; if OK the bytes follow until FIN."""

    status: Annotated[int, U8, "ClipStatus"]
    size_bytes: Annotated[int, U64, "0 unknown"]


@CONTROL.add(0x50, Sender.HOST)
@dataclass(frozen=True, slots=True)
class CursorShape:
    """A pointer's picture, kept by its serial."""

    serial: Annotated[int, U32, "named by datagram 0xD0"]
    width_px: Annotated[int, U16, "1 to 120"]
    height_px: Annotated[int, U16, "1 to 120"]
    hot_x_px: Annotated[int, U16, "which pixel points"]
    hot_y_px: Annotated[int, U16, ""]
    rgba: Annotated[bytes, Rest(), "straight alpha, width x height x 4 bytes exactly"]

    def __post_init__(self) -> None:
        """Refuse other sizes."""
        sides = self.width_px, self.height_px
        legal = all(1 <= side <= CURSOR_SIDE_MAX_PX for side in sides)
        if not legal or len(self.rgba) != self.width_px * self.height_px * 4:
            raise LocalProtocolError(f"a cursor of {sides[0]}x{sides[1]} with {len(self.rgba)} bytes")


@CONTROL.add(0x51, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class CursorRender:
    """Who draws the pointer from now on."""

    client_draws: Annotated[bool, FLAG, "no: the host draws it into the video"]


@CONTROL.add(0x58, Sender.HOST)
@dataclass(frozen=True, slots=True)
class AccessUpdate:
    """What the client may do has changed, or will end soon."""

    grants: Annotated[Grant, GrantBits(), "Grant"]
    expires_in_s: Annotated[int, U32, "0 never"]


@CONTROL.add(0x59, Sender.HOST)
@dataclass(frozen=True, slots=True)
class AudioState:
    """The host sends no audio, or does again: nothing to conceal."""

    muted: Annotated[bool, FLAG, ""]


@CONTROL.add(0x5A, Sender.HOST)
@dataclass(frozen=True, slots=True)
class LaunchOutcome:
    """What became of the launch that Hello asked for."""

    kind: Annotated[LaunchKind, Choice(LaunchKind, LaunchKind.SPAWNED), "unknown reads as spawned"]
    text: Annotated[str, CountedText(U8, LAUNCH_TEXT_MAX_BYTES), "a sentence, at most 200 bytes"]


@CONTROL.add(0x5B, Sender.HOST)
@dataclass(frozen=True, slots=True)
class PadSlots:
    """Which pad numbers of the host this session holds."""

    mask: Annotated[int, U16, "bit n: player n + 1"]


@CONTROL.add(0x5C, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class InputEdge:
    """An input event that must not be lost; toward HostCap2.INPUT_EDGES."""

    event: Annotated[NativeInput, InputForm(), "section 2.10, tag 0xC8"]
