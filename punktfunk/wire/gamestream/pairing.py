"""The host's half of GameStream pairing, without HTTP: requests in, reply elements out.

``||`` concatenates, ``sig(cert)`` is the signature bit string inside a certificate, K the first 16 bytes of
SHA-256(salt || PIN as ASCII digits); AES-128-ECB without padding. All values travel as hex.

    step  request parameter               host computes                              reply
    ----  ------------------------------  -----------------------------------------  ------------------
       1  salt 16, clientcert (PEM text)  waits for the PIN, then K                  plaincert: host PEM
       2  clientchallenge 16              c = dec(K); s, r = 16 random bytes each;   challengeresponse:
                                          h = SHA-256(c || sig(hostcert) || s)         enc(K, h || r)
       3  serverchallengeresp 32          ch = dec(K): the client commits itself     pairingsecret:
                                                                                       s || RSA over s
       4  clientpairingsecret x || RSA    SHA-256(r || sig(clientcert) || x) == ch   paired 1 or 0
                                          and the signature over x is the client's
       5  phrase=pairchallenge, by HTTPS  nothing: TLS has shown the certificate     paired 1

The machine lives from step 1 to step 4:

    state              event      next
    -----------------  ---------  -----------------
    WAITING_FOR_PIN    PIN        EXPECT_CHALLENGE
    EXPECT_CHALLENGE   CHALLENGE  EXPECT_HASH
    EXPECT_HASH        HASH       EXPECT_SECRET
    EXPECT_SECRET      SECRET     PAIRED, or ENDED if the proof is wrong
    any                any other  ENDED, and the PIN is spent

Nothing may be tried twice: reply 3 reveals s, and with it whoever holds reply 2 finds the four digits
offline, so a second step 3 would pair a client that never knew the PIN. A wrong PIN is noticed by the client
after reply 3; the host merely never sees step 4. Spec: gamestream.md section 2.4; peer: Sunshine
src/nvhttp.cpp, getservercert to clientpairingsecret.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256
from hmac import compare_digest
from re import ASCII
from re import compile as regex
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.gamestream.certificate import (
    MAX_CERTIFICATE_BYTES,
    MAX_KEY_BITS,
    ClientCertificate,
    parse_certificate_pem,
)
from punktfunk.wire.gamestream.numbers import parse_hex, shown

SALT_BYTES: Final = 16
CHALLENGE_BYTES: Final = 16
SECRET_BYTES: Final = 16
HASH_BYTES: Final = 32
RANDOM_BYTES: Final = SECRET_BYTES + CHALLENGE_BYTES
"""Fresh random bytes that ``PairingMachine.receive`` wants with every request."""

_PIN: Final = regex(r"\d{4}", ASCII)


class HostCertificate(Protocol):
    """The host's own certificate and key, as ``control.identity`` keeps them."""

    @property
    def certificate_pem(self) -> bytes:
        """The certificate's PEM text: exactly what TLS presents, as clients pin it."""

    @property
    def signature(self) -> bytes:
        """The signature inside the certificate."""

    def sign(self, data: bytes, /) -> bytes:
        """RSA PKCS#1 v1.5 signature with SHA-256 over ``data``."""


@dataclass(frozen=True, slots=True)
class GetServerCertificate:
    """Step 1."""

    salt: bytes
    certificate: ClientCertificate


@dataclass(frozen=True, slots=True)
class ClientChallenge:
    """Step 2; ``encrypted`` is one AES block."""

    encrypted: bytes


@dataclass(frozen=True, slots=True)
class ClientHash:
    """Step 3; ``encrypted`` is the client's commitment, two AES blocks."""

    encrypted: bytes


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """Step 4."""

    secret: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class PairChallenge:
    """Step 5: asked over TLS by a client that is paired already; no business of the machine."""


PairingRequest = GetServerCertificate | ClientChallenge | ClientHash | ClientSecret | PairChallenge


def parse_pairing(query: Mapping[str, str]) -> PairingRequest:
    """Read the query of /pair. Whoever gets RemoteProtocolError here must ``end`` the client's machine."""
    phrase = query.get("phrase", "")
    steps = [
        name for name in ("clientchallenge", "serverchallengeresp", "clientpairingsecret") if name in query
    ]
    if len(steps) + bool(phrase) != 1:
        raise RemoteProtocolError(f"pairing request has {len(steps) + bool(phrase)} steps in it, not one")
    if phrase == "getservercert":
        salt = parse_hex("salt", query.get("salt", ""), SALT_BYTES, SALT_BYTES)
        pem = parse_hex("clientcert", query.get("clientcert", ""), 1, 2 * MAX_CERTIFICATE_BYTES)
        return GetServerCertificate(salt, parse_certificate_pem(pem))
    if phrase == "pairchallenge":
        return PairChallenge()
    if phrase:
        raise RemoteProtocolError(f"pairing phrase {shown(phrase)} is unknown")
    (name,) = steps
    if name == "clientchallenge":
        return ClientChallenge(parse_hex(name, query[name], CHALLENGE_BYTES, CHALLENGE_BYTES))
    if name == "serverchallengeresp":
        return ClientHash(parse_hex(name, query[name], HASH_BYTES, HASH_BYTES))
    both = parse_hex(name, query[name], SECRET_BYTES + 1, SECRET_BYTES + MAX_KEY_BITS // 8)
    return ClientSecret(both[:SECRET_BYTES], both[SECRET_BYTES:])


def is_pin(text: str) -> bool:
    """Whether clients could show this PIN: four ASCII digits."""
    return _PIN.fullmatch(text) is not None


class PairingState(Enum):
    """Where an attempt stands; the last two are final."""

    WAITING_FOR_PIN = auto()
    EXPECT_CHALLENGE = auto()
    EXPECT_HASH = auto()
    EXPECT_SECRET = auto()
    PAIRED = auto()
    ENDED = auto()


TRANSITIONS: Final[dict[tuple[PairingState, type[PairingRequest]], PairingState]] = {
    (PairingState.EXPECT_CHALLENGE, ClientChallenge): PairingState.EXPECT_HASH,
    (PairingState.EXPECT_HASH, ClientHash): PairingState.EXPECT_SECRET,
    (PairingState.EXPECT_SECRET, ClientSecret): PairingState.PAIRED,
}
"""The docstring's table; the PIN enters by ``enter_pin``. What is not in here ends the attempt."""


class PairingMachine:
    """One client's attempt, from its step 1 on.

    ``certificate`` may be stored as paired once ``state`` is PAIRED, and never before. Replies are elements
    for ``build_reply``; ``failure`` says, for the log, why an attempt ended.
    """

    def __init__(self, host: HostCertificate, request: GetServerCertificate) -> None:
        self._host = host
        self._salt = request.salt
        self.certificate: Final = request.certificate
        self.state = PairingState.WAITING_FOR_PIN
        self.failure = ""
        self._key = b""
        self._server_secret = b""
        self._server_challenge = b""
        self._client_hash = b""

    def enter_pin(self, pin: str) -> dict[str, str]:
        """Take the PIN that the user typed and give the held-back reply to step 1."""
        if self.state is not PairingState.WAITING_FOR_PIN:
            raise LocalProtocolError(f"this pairing attempt takes no PIN, it is {self.state.name}")
        if not is_pin(pin):
            raise LocalProtocolError("a PIN is four digits, as the client shows it")
        self._key = sha256(self._salt + pin.encode("ascii")).digest()[:16]
        self.state = PairingState.EXPECT_CHALLENGE
        return {"paired": "1", "plaincert": self._host.certificate_pem.hex()}

    def receive(self, request: PairingRequest, random: bytes) -> dict[str, str]:
        """Answer steps 2 to 4; whatever is out of order ends the attempt and is answered ``paired=0``.

        random  RANDOM_BYTES fresh ones for this call
        """
        if len(random) != RANDOM_BYTES:
            raise LocalProtocolError(f"pairing wants {RANDOM_BYTES} random bytes, not {len(random)}")
        next_state = TRANSITIONS.get((self.state, type(request)))
        if next_state is None:
            self.end(f"{type(request).__name__} while {self.state.name}")
            return {"paired": "0"}
        # Ended until the step has succeeded: no exception on the way may leave a half-done attempt open.
        self.state = PairingState.ENDED
        reply = self._answer(request, random)
        if reply is None:
            self.end("the client's proof is wrong")
            return {"paired": "0"}
        self.state = next_state
        if next_state is PairingState.PAIRED:
            self._forget()
        return reply

    def end(self, reason: str) -> None:
        """Give the attempt up: expired, refused, or a request that could not be read. The PIN is spent."""
        self._forget()
        self.state = PairingState.ENDED
        self.failure = self.failure or reason

    def _answer(self, request: PairingRequest, random: bytes) -> dict[str, str] | None:
        match request:
            case ClientChallenge():
                return self._answer_challenge(request, random)
            case ClientHash():
                self._client_hash = _ecb(self._key, request.encrypted, encrypt=False)
                secret = self._server_secret
                return {"paired": "1", "pairingsecret": (secret + self._host.sign(secret)).hex()}
            case ClientSecret() if self._proves_pin(request):
                return {"paired": "1"}
        return None

    def _answer_challenge(self, request: ClientChallenge, random: bytes) -> dict[str, str]:
        self._server_secret, self._server_challenge = random[:SECRET_BYTES], random[SECRET_BYTES:]
        challenge = _ecb(self._key, request.encrypted, encrypt=False)
        digest = sha256(challenge + self._host.signature + self._server_secret).digest()
        response = _ecb(self._key, digest + self._server_challenge, encrypt=True)
        return {"paired": "1", "challengeresponse": response.hex()}

    def _proves_pin(self, request: ClientSecret) -> bool:
        expected = sha256(self._server_challenge + self.certificate.signature + request.secret).digest()
        knows_pin = compare_digest(expected, self._client_hash)
        owns_certificate = self.certificate.verify(request.signature, request.secret)
        return knows_pin and owns_certificate

    def _forget(self) -> None:
        self._key = self._server_secret = self._server_challenge = self._client_hash = b""


def _ecb(key: bytes, blocks: bytes, *, encrypt: bool) -> bytes:
    # The protocol's choice: all that it hides are random bytes and digests.
    cipher = Cipher(AES(key), ECB())  # noqa: S305
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(blocks) + context.finalize()
