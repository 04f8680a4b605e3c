"""Pairing by PIN, the first message of a stream that wants no session yet.

    client                              host
    PairRequest   SPAKE2 element A ->
                                   <-   PairChallenge   element B, the host's confirmation
    PairProof     confirmation     ->
                                   <-   PairResult

Group Ed25519; the client is side A, the host B; the password is the PIN in ASCII, the identities are the
SHA-256 fingerprints of the two certificates as each side saw them: of a relayed session the keys differ. A
confirmation is HMAC-SHA-256 under the SPAKE2 key over label, client's and host's fingerprint. The client
checks the host's before it sends its own. SPAKE2 itself is not here: it is slow, a worker thread's work.
Spec: punktfunk-1.md section 2.4.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated, Final

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.capabilities import CLOSE_TEXT_MAX_BYTES
from punktfunk.wire.native.forms import FLAG, U8, U16, U32, Counted, CountedText, Octets
from punktfunk.wire.native.framing import CONTROL_MAGIC, HANDSHAKE_MAGIC
from punktfunk.wire.native.handshake import NAME_MAX_BYTES, Hello, parse_hello
from punktfunk.wire.native.layout import Registry, Sender, Tail

PAIRING: Final = Registry(CONTROL_MAGIC)

ELEMENT_BYTES: Final = 33
CONFIRMATION_BYTES: Final = 32
FINGERPRINT_BYTES: Final = 32
DEVICE_KEY_MAX_BYTES: Final = 1024

LABEL_HOST: Final = b"punktfunk-pair-host"
LABEL_CLIENT: Final = b"punktfunk-pair-client"
LABEL_BROWSER: Final = b"punktfunk-device-auth-v1:"


@PAIRING.add(0x10, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class PairRequest:
    """Instead of Hello: pair with me."""

    name: Annotated[str, CountedText(U8, NAME_MAX_BYTES), "the device, at most 64 bytes"]
    element: Annotated[bytes, Counted(U16, 0xFFFF), "SPAKE2 message A, 33 bytes"]
    device_key: Annotated[
        bytes | None, Counted(U16, DEVICE_KEY_MAX_BYTES), Tail(1), "SPKI DER, of browsers only"
    ] = None


@PAIRING.add(0x11, Sender.HOST)
@dataclass(frozen=True, slots=True)
class PairChallenge:
    """The host's half, and proof that it knows the PIN."""

    element: Annotated[bytes, Counted(U16, 0xFFFF), "SPAKE2 message B, 33 bytes"]
    confirmation: Annotated[bytes, Octets(CONFIRMATION_BYTES), "under the label punktfunk-pair-host"]


@PAIRING.add(0x12, Sender.CLIENT)
@dataclass(frozen=True, slots=True)
class PairProof:
    """Proof that the client knows the PIN."""

    confirmation: Annotated[bytes, Octets(CONFIRMATION_BYTES), "under the label punktfunk-pair-client"]


@PAIRING.add(0x13, Sender.HOST)
@dataclass(frozen=True, slots=True)
class PairResult:
    """Whether the client is stored now."""

    accepted: Annotated[bool, FLAG, ""]


@PAIRING.add(0x16, Sender.HOST)
@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal in words, on carriers without close codes; a QUIC host never sends it."""

    code: Annotated[int, U32, "CloseCode"]
    text: Annotated[str, CountedText(U16, CLOSE_TEXT_MAX_BYTES), "at most 256 bytes"]


PairingMessage = PairRequest | PairChallenge | PairProof | PairResult | Refused


def build_pairing(message: PairingMessage) -> bytes:
    """Payload of a message; LocalProtocolError for what does not fit."""
    return PAIRING.build(message)


def parse_pairing(payload: bytes) -> PairingMessage:
    """Read a message of pairing; RemoteProtocolError for everything else, or a wrong length."""
    message: PairingMessage = PAIRING.parse(payload)
    return message


def parse_opening(payload: bytes) -> Hello | PairRequest:
    """Read the first message of a control stream; RemoteProtocolError if it is neither of the two."""
    if payload[: len(HANDSHAKE_MAGIC)] == HANDSHAKE_MAGIC:
        return parse_hello(payload)
    message = parse_pairing(payload)
    if not isinstance(message, PairRequest):
        raise RemoteProtocolError(f"a stream begins with {type(message).__name__}")
    return message


def confirmation(label: bytes, key: bytes, client_fp: bytes, host_fp: bytes) -> bytes:
    """Tag of one side: 32 bytes. Fingerprints are raw, 32 bytes each, LocalProtocolError otherwise.

    Compare by ``hmac.compare_digest``.
    """
    if len(client_fp) != FINGERPRINT_BYTES or len(host_fp) != FINGERPRINT_BYTES:
        raise LocalProtocolError(f"fingerprints of {len(client_fp)} and {len(host_fp)} bytes")
    return hmac.new(key, label + client_fp + host_fp, hashlib.sha256).digest()


def browser_message(binding: bytes, nonce: bytes) -> bytes:
    """89 bytes of label, channel binding and nonce: what a browser signs instead of showing a certificate."""
    return LABEL_BROWSER + binding + nonce
