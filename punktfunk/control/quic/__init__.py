"""QUIC under Trio: aioquic's state machine, our sockets, timers, limits and queues."""

from punktfunk.control.quic.client import connect_quic
from punktfunk.control.quic.config import QuicConfig
from punktfunk.control.quic.connection import QuicConnection
from punktfunk.control.quic.errors import (
    CloseReason,
    NoAnswer,
    NoCommonProtocol,
    PinMismatch,
    QuicClosed,
    StreamReset,
)
from punktfunk.control.quic.server import QuicServer, serve_quic
from punktfunk.control.quic.streams import QuicStream

__all__ = [
    "CloseReason",
    "NoAnswer",
    "NoCommonProtocol",
    "PinMismatch",
    "QuicClosed",
    "QuicConfig",
    "QuicConnection",
    "QuicServer",
    "QuicStream",
    "StreamReset",
    "connect_quic",
    "serve_quic",
]
