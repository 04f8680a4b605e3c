"""Pair with a host by PIN: both sides prove that they know it, and pin each other's certificate.

The dial takes whoever answers; the PIN is what authenticates. The host proves itself first, so an impostor
learns nothing that it could try PINs with, and has one guess. Source: punktfunk-1 section 2.4.
"""

import hmac
from typing import Final, TypeVar

import trio

from punktfunk.control.client.dial import Target, dialled, why_closed
from punktfunk.control.client.endings import ConnectionEnded
from punktfunk.control.client.options import client_config
from punktfunk.control.native.identity import NativeIdentity
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.native.spake import Client
from punktfunk.control.quic import QuicClosed, QuicConnection, StreamReset
from punktfunk.errors import Misuse, RemoteProtocolError
from punktfunk.wire.native.capabilities import CloseCode
from punktfunk.wire.native.pairing import (
    LABEL_CLIENT,
    LABEL_HOST,
    PairChallenge,
    PairProof,
    PairRequest,
    PairResult,
    build_pairing,
    confirmation,
    parse_pairing,
)

Answer = TypeVar("Answer")

PIN_DIGITS: Final = 4
STEP_S: Final = 60.0
"""The host's own patience with each step."""
COOLDOWN_S: Final = 2.2
"""The host's pause between two requests, whoever made them, and a little more."""


def check_pin(pin: str) -> str:
    """Return the PIN without spaces; Misuse unless it is four digits."""
    digits = "".join(pin.split())
    if len(digits) != PIN_DIGITS or not digits.isascii() or not digits.isdigit():
        raise Misuse(
            f"{pin!r} is no PIN: it has {PIN_DIGITS} digits",
            hint="punktfunk pair --native, run on the host, prints one.",
        )
    return digits


async def pair(target: Target, identity: NativeIdentity, pin: str, name: str) -> str:
    """Pair and return the host's fingerprint, 64 hex digits; ConnectionEnded says why not.

    ``name`` is what the host's user will call this device. A host that was asked by somebody a moment ago is
    asked once more after its pause, which spends no PIN.
    """
    try:
        return await _pair(target, identity, pin, name)
    except ConnectionEnded as ending:
        if ending.code != CloseCode.RATE_LIMITED:
            raise
    await trio.sleep(COOLDOWN_S)
    return await _pair(target, identity, pin, name)


async def _pair(target: Target, identity: NativeIdentity, pin: str, name: str) -> str:
    async with dialled(target, client_config(identity, pin=target.fingerprint)) as connection:
        paired = False
        try:
            with trio.fail_after(STEP_S):
                paired = await _converse(connection, target.name, identity, check_pin(pin), name)
        except (QuicClosed, StreamReset):
            raise await why_closed(connection, target.name) from None
        except RemoteProtocolError as error:
            raise ConnectionEnded(
                f"{target.name} does not pair as punktfunk/1 has it: {error}",
                hint="Update punktfunk on the older of both machines.",
            ) from error
        except trio.TooSlowError:
            raise ConnectionEnded(f"{target.name} fell silent while pairing", hint="Try again.") from None
        finally:
            connection.close(0 if paired else 1, "pair done")
        assert connection.peer_fingerprint is not None
        return connection.peer_fingerprint


async def _converse(
    connection: QuicConnection, host: str, identity: NativeIdentity, pin: str, name: str
) -> bool:
    ours = identity.fingerprint_bytes
    theirs = bytes.fromhex(connection.peer_fingerprint or "")
    messages = MessageStream(connection.open_stream())
    side = await trio.to_thread.run_sync(Client, pin, ours, theirs)
    await messages.send(build_pairing(PairRequest(name, side.element)))
    challenge = await _receive(connection, messages, host, PairChallenge)
    key = await trio.to_thread.run_sync(side.finish, challenge.element)
    if not hmac.compare_digest(challenge.confirmation, confirmation(LABEL_HOST, key, ours, theirs)):
        raise ConnectionEnded(
            f"the PIN is wrong, or {host} is not the host that showed it",
            hint="A PIN is spent by one attempt: run punktfunk pair --native on the host for a new one.",
        )
    await messages.send(build_pairing(PairProof(confirmation(LABEL_CLIENT, key, ours, theirs))))
    result = await _receive(connection, messages, host, PairResult)
    if not result.accepted:
        raise ConnectionEnded(
            f"{host} refused the pairing, or could not save it",
            hint="Run punktfunk pair --native on the host for a new PIN; its log says what was wrong.",
        )
    return True


async def _receive(
    connection: QuicConnection, messages: MessageStream, host: str, kind: type[Answer]
) -> Answer:
    payload = await messages.receive()
    if payload is None:
        raise await why_closed(connection, host)
    answer = parse_pairing(payload)
    if not isinstance(answer, kind):
        raise RemoteProtocolError(f"{type(answer).__name__} came where {kind.__name__} belongs")
    return answer
