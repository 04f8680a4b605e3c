"""QUIC under Trio: aioquic's state machine, our sockets, timers, limits and queues. Source: punktfunk-1 §2.2.

A server and a client::

    config = QuicConfig(alpn=("pkf1",), certificate=own.certificate, private_key=own.private_key)

    async def handle(connection: QuicConnection) -> None:
        control = await connection.accept_stream()
        hello = await control.receive_some()
        ...

    with bound_sockets(["::"], 9777) as sockets:
        await serve_quic(sockets, config, handle)

    async with connect_quic("192.0.2.7", 9777, replace(config, pin=fingerprint)) as connection:
        control = connection.open_stream()
        await control.send_all(hello)
        connection.close(0x51, "goodbye")

Who the other side is: ``connection.peer_fingerprint``, the SHA-256 of its certificate in hex, None for a
client without one. It has proved to hold the key; whether that means anything is the caller's decision.

Streams are reliable and wait: `QuicStream.send_all` until the peer takes more, `receive_some` until there is
something. Datagrams never wait: `QuicConnection.send_datagram` refuses what is larger than
``datagram_bytes_max``, and both queues drop the oldest and count it.

How it ends: ``close(code, text)`` here or there, a breach of QUIC's rules, or eight seconds of silence. Every
wait then raises `QuicClosed`, whose ``reason`` says who, which code and which text. What had arrived can be
read all the same. A handler is not cancelled when its peer leaves: see `QuicConnection.raising_when_closed`
for waits that the connection does not know of. What must arrive before a close needs
``await stream.wait_delivered()``.

A peer's address may change at any time (a phone that leaves Wi-Fi); ``remote_address`` follows it.

    __init__     the names above
    config       settings and limits                        errors      how connections end
    server       first packets, handlers                    client      dialling
    connection   what a handler sees                        streams     one stream
    link         one connection's clock and goodbyes        endpoint    sockets, routing, sending
    admission    places, rates, proof of address            paths       UDP with both addresses
    path_size    how large a packet may be
    core, packets    aioquic with what it lacks: the only files that touch its private parts
"""

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
