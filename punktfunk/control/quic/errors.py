"""How a QUIC connection ends, as values and as exceptions."""

from dataclasses import dataclass

from punktfunk.errors import PunktfunkError


@dataclass(frozen=True, slots=True)
class CloseReason:
    """Why a connection is over.

    ``code`` is the protocol's own (punktfunk-1 §2.4) if ``application`` is true, else QUIC's (RFC 9000 §20).
    ``text`` comes from the peer when ``by_peer`` is true: strip it before showing it.
    """

    code: int
    text: str = ""
    by_peer: bool = False
    timed_out: bool = False
    application: bool = True

    def __str__(self) -> str:
        if self.timed_out:
            return "the peer fell silent"
        who = "the peer" if self.by_peer else "this side"
        layer = "" if self.application else " of QUIC itself"
        return f"{who} closed with code {self.code:#x}{layer}: {self.text or 'no text'}"


class QuicClosed(PunktfunkError):
    """The connection is over; ``reason`` says why."""

    def __init__(self, reason: CloseReason, *, hint: str = "") -> None:
        super().__init__(f"QUIC connection closed: {reason}", hint=hint)
        self.reason = reason


class NoAnswer(QuicClosed):
    """Nothing at that address completed a handshake in time."""


class PinMismatch(QuicClosed):
    """The host has another certificate than the pinned one; it was told nothing about this side."""

    def __init__(self, reason: CloseReason, *, seen: str, pinned: str) -> None:
        super().__init__(
            reason,
            hint="If the host was set up anew, forget it here and pair again; if not, somebody else answers.",
        )
        self.seen = seen
        self.pinned = pinned


class NoCommonProtocol(QuicClosed):
    """The other side speaks QUIC but none of our protocols (ALPN)."""


class StreamReset(PunktfunkError):
    """The peer gave up one stream, not the connection: it will send, or read, no more of it."""

    def __init__(self, stream_id: int, code: int) -> None:
        super().__init__(f"the peer ended stream {stream_id} with code {code:#x}")
        self.stream_id = stream_id
        self.code = code
