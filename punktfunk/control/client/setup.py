"""From a connection to a session: Hello, Welcome, Start, and what Welcome means for the receiver.

Decoder, sound and parity are set up from Welcome alone, never from what was asked for.
Source: punktfunk-1 sections 2.3 and 2.17.
"""

from collections.abc import Callable
from typing import Final

import trio

from punktfunk.control.adapt.budget import frame_ceiling
from punktfunk.control.client.dial import why_closed
from punktfunk.control.client.endings import ConnectionEnded
from punktfunk.control.client.options import SessionOptions, hello_of, start_extensions
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.quic import QuicClosed, QuicConnection, StreamReset
from punktfunk.errors import RemoteProtocolError
from punktfunk.log import printable
from punktfunk.plan import Codec, MediaCipher, ReceivePlan
from punktfunk.wire.native.capabilities import Cipher, CodecBit, HostCap2
from punktfunk.wire.native.handshake import Start, build_hello, build_start
from punktfunk.wire.native.packet import MAX_SHARD_BYTES, MIN_SHARD_BYTES
from punktfunk.wire.native.welcome import Welcome, parse_welcome

HINT_AFTER_S: Final = 1.5
"""A host that has not answered Hello by then most likely waits for somebody to approve this device."""

CODECS: Final = {CodecBit.H264: Codec.H264, CodecBit.HEVC: Codec.HEVC, CodecBit.AV1: Codec.AV1}


async def introduce(
    connection: QuicConnection,
    messages: MessageStream,
    host: str,
    options: SessionOptions,
    say: Callable[[str], None],
) -> Welcome:
    """Send Hello and wait for Welcome, for minutes if a person must approve; ConnectionEnded says why not."""
    try:
        await messages.send(build_hello(hello_of(options)))
        payload: bytes | None = None
        with trio.move_on_after(HINT_AFTER_S) as quick:
            payload = await messages.receive()
        if quick.cancelled_caught:
            say(
                f"{host} has not let this device in yet. On the host: punktfunk clients pending, then "
                f"punktfunk clients approve {printable(options.name)!r}."
            )
            with trio.fail_after(options.patience_s):
                payload = await messages.receive()
    except (QuicClosed, StreamReset):
        raise await why_closed(connection, host) from None
    except trio.TooSlowError:
        raise ConnectionEnded(
            f"{host} did not let this device in within {options.patience_s:.0f} s",
            hint="Approve it there (punktfunk clients pending), or pair: punktfunk connect --pin PIN.",
        ) from None
    if payload is None:
        raise await why_closed(connection, host)
    return _checked(payload, host, options)


def _checked(payload: bytes, host: str, options: SessionOptions) -> Welcome:
    try:
        welcome = parse_welcome(payload)
    except RemoteProtocolError as error:
        raise ConnectionEnded(
            f"{host} answered what no Welcome can be: {error}",
            hint="Update punktfunk on the older of both machines.",
        ) from error
    if not welcome.encrypt:
        raise ConnectionEnded(
            f"{host} wants to send its picture in clear", hint="Take its test mode away, and connect again."
        )
    if not welcome.codec & (options.codecs or CodecBit.HEVC) or welcome.codec not in CODECS:
        raise ConnectionEnded(
            f"{host} chose a codec that this client did not offer",
            hint="Name one that both have: punktfunk connect --codec h264.",
        )
    sizes = (welcome.width_px, welcome.height_px, welcome.refresh_hz)
    if not all(sizes) or max(sizes) > 1 << 15:
        raise ConnectionEnded(
            f"{host} offers the mode {welcome.width_px}x{welcome.height_px}@{welcome.refresh_hz}",
            hint="Ask for another one: punktfunk connect --mode 1280x720@60.",
        )
    if not MIN_SHARD_BYTES <= welcome.shard_bytes <= MAX_SHARD_BYTES or not welcome.data_max:
        raise ConnectionEnded(
            f"{host} names {welcome.data_max} shards of {welcome.shard_bytes} bytes for a block",
            hint="Update punktfunk on the older of both machines.",
        )
    return welcome


def start_message(welcome: Welcome, options: SessionOptions, media_port: int) -> bytes:
    """Write Start; the extension block goes only to a host that reads it."""
    reads = bool(welcome.host_caps2 & HostCap2.EXTENSIONS)
    return build_start(Start(media_port, start_extensions(options) if reads else None))


def receive_plan(welcome: Welcome, options: SessionOptions) -> ReceivePlan:
    """Describe the receiver that this Welcome asks for."""
    chacha = welcome.cipher is Cipher.CHACHA20_POLY1305
    return ReceivePlan(
        shard_bytes_max=MAX_SHARD_BYTES,
        data_max=welcome.data_max,
        fec_scheme=int(welcome.fec_scheme),
        fec_percent=welcome.fec_percent,
        cipher=MediaCipher.CHACHA20_POLY1305 if chacha else MediaCipher.AES_128_GCM,
        decryption_key=welcome.chacha_key if chacha else welcome.key,
        salt=welcome.salt,
        frame_bytes_max=frame_ceiling(welcome.bitrate_kbps, welcome.refresh_hz),
        loss_ppm=options.loss_ppm,
        loss_seed=options.loss_seed,
    )
