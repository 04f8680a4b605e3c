"""RTSP on TCP: one request, one reply, one connection (gamestream.md section 3).

Who may speak: only a client with a pending session, known by the address that it launched from. The
conversation itself is the stream's (``stream.Stream.answer``); this file reads, decrypts, replies and
closes, within a deadline.
"""

import logging
from collections.abc import Callable

import trio

from punktfunk.control.complaints import Complaints
from punktfunk.control.gamestream.stream import Stream
from punktfunk.control.listeners import Place, peer_address
from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.gamestream.rtsp import (
    RtspRefused,
    build_response,
    frame_is_complete,
    parse_request,
    request_is_complete,
)

logger = logging.getLogger(__name__)

EXCHANGE_TIMEOUT_S = 10
RECEIVE_BYTES = 16384

FindStream = Callable[[str], Stream | None]


async def serve_connection(
    stream: trio.SocketStream, place: Place, find: FindStream, complaints: Complaints
) -> None:
    """Answer the one request of a connection; bad bytes and strangers only get it closed."""
    address = peer_address(stream)
    session = find(address)
    if session is None:
        complaints.note("rtsp-stranger", peer=address)
        return
    try:
        with trio.fail_after(EXCHANGE_TIMEOUT_S):
            message = await _read_message(stream, encrypted=session.rtsp_cipher is not None)
            # Not before: silent connections from behind the client's own address must make room for it.
            place.set_busy()
            await stream.send_all(reply_to(session, message))
            await stream.send_eof()
            place.set_idle()
            await _wait_for_end(stream)
    except trio.TooSlowError:
        complaints.note("rtsp-slow", peer=address)


def reply_to(session: Stream, message: bytes) -> bytes:
    """Return the bytes that answer ``message``; RemoteProtocolError if there is nothing to answer."""
    plain = session.rtsp_cipher.open(message) if session.rtsp_cipher is not None else message
    request = parse_request(plain)
    try:
        reply = session.answer(request)
    except RtspRefused as refusal:
        logger.warning(
            "stream=%d rtsp=%s status=%d reason=%s", session.number, request.method, refusal.status, refusal
        )
        reply = build_response(request.cseq, refusal.status, refusal.reason)
    except RemoteProtocolError as error:
        logger.warning("stream=%d rtsp=%s status=400 reason=%s", session.number, request.method, error)
        reply = build_response(request.cseq, 400, "Bad Request")
    return session.rtsp_cipher.seal(reply) if session.rtsp_cipher is not None else reply


async def _read_message(stream: trio.SocketStream, *, encrypted: bool) -> bytes:
    """Read one message; ``complete`` refuses a longer one than 64 KiB before all of it is here."""
    complete = frame_is_complete if encrypted else request_is_complete
    buffer = bytearray()
    while (length := complete(buffer)) is None:
        received = await stream.receive_some(RECEIVE_BYTES)
        if not received:
            raise RemoteProtocolError(f"RTSP message ended after {len(buffer)} bytes")
        buffer += received
    return bytes(buffer[:length])


async def _wait_for_end(stream: trio.SocketStream) -> None:
    """Let the client close first: closing with unread bytes would reset the connection under our reply."""
    while await stream.receive_some(RECEIVE_BYTES):
        pass
