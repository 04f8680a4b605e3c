"""Client certificates as pairing needs them: the DER bytes, the signature inside, the RSA key.

    Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature BIT STRING }
    tbsCertificate ::= SEQUENCE { [0] version (absent in v1), serialNumber, signature algorithm, issuer,
                                  validity, subject, subjectPublicKeyInfo, ... (ignored) }

A reader of its own, because nothing else in the certificate matters here and strict libraries refuse what
clients really send: ``cryptography`` knows neither X.509 v2 nor some old clients' serial numbers. Trust comes
from the paired fingerprint alone; names, dates and extensions are not looked at (gamestream.md section 2.2).
"""

from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256
from re import DOTALL
from re import compile as regex
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from punktfunk.errors import RemoteProtocolError

MAX_CERTIFICATE_BYTES: Final = 16 * 1024
MIN_KEY_BITS: Final = 1024
MAX_KEY_BITS: Final = 8192

_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_OBJECT_IDENTIFIER: Final = 0x06
_SEQUENCE: Final = 0x30
_EXPLICIT_VERSION: Final = 0xA0
_RSA_ENCRYPTION: Final = bytes.fromhex("2a864886f70d010101")  # 1.2.840.113549.1.1.1
_PEM: Final = regex(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----", DOTALL)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that was read; ``fingerprint`` is the SHA-256 of ``der`` and identifies the client."""

    der: bytes
    signature: bytes
    public_key: RSAPublicKey

    @property
    def fingerprint(self) -> bytes:
        """32 bytes."""
        return sha256(self.der).digest()

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether ``signature`` is the certificate's key over ``data`` (RSA PKCS#1 v1.5, SHA-256)."""
        try:
            self.public_key.verify(signature, data, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


def parse_certificate_pem(text: bytes) -> ClientCertificate:
    """Read the first certificate of a PEM text; bad ones raise RemoteProtocolError."""
    if len(text) > 2 * MAX_CERTIFICATE_BYTES:
        raise RemoteProtocolError(
            f"certificate of {len(text)} bytes, {2 * MAX_CERTIFICATE_BYTES} are allowed"
        )
    match = _PEM.search(text)
    if match is None:
        raise RemoteProtocolError("no PEM certificate in the client's request")
    try:
        der = b64decode(b"".join(match[1].split()), validate=True)
    except Base64Error:
        raise RemoteProtocolError("client certificate is no base64") from None
    return parse_certificate(der)


def parse_certificate(der: bytes) -> ClientCertificate:
    """Read one DER certificate of X.509 v1, v2 or v3; anything but RSA raises RemoteProtocolError."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise RemoteProtocolError(f"certificate of {len(der)} bytes, {MAX_CERTIFICATE_BYTES} are allowed")
    outer = _Reader(der)
    certificate = _Reader(outer.read(_SEQUENCE))
    outer.expect_end()
    to_be_signed = _Reader(certificate.read(_SEQUENCE))
    certificate.read(_SEQUENCE)
    signature = _read_bits(certificate)
    certificate.expect_end()
    if to_be_signed.next_tag() == _EXPLICIT_VERSION:
        to_be_signed.read(_EXPLICIT_VERSION)
    to_be_signed.read(_INTEGER)
    for _name in ("signature algorithm", "issuer", "validity", "subject"):
        to_be_signed.read(_SEQUENCE)
    return ClientCertificate(bytes(der), signature, _load_rsa(to_be_signed.read_whole(_SEQUENCE)))


def _load_rsa(key_info: bytes) -> RSAPublicKey:
    """Load the key of a SubjectPublicKeyInfo, if it is plain RSA of a sane size."""
    algorithm = _Reader(_Reader(_Reader(key_info).read(_SEQUENCE)).read(_SEQUENCE))
    if algorithm.read(_OBJECT_IDENTIFIER) != _RSA_ENCRYPTION:
        raise RemoteProtocolError("client certificate holds no RSA key, GameStream knows no other")
    try:
        key = load_der_public_key(key_info)
    except (ValueError, UnsupportedAlgorithm):
        raise RemoteProtocolError("client certificate holds a damaged RSA key") from None
    if not isinstance(key, RSAPublicKey) or not MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS:
        bits = key.key_size if isinstance(key, RSAPublicKey) else 0
        raise RemoteProtocolError(f"client's RSA key has {bits} bits, outside {MIN_KEY_BITS}..{MAX_KEY_BITS}")
    return key


def _read_bits(reader: "_Reader") -> bytes:
    content = reader.read(_BIT_STRING)
    if len(content) < 2 or content[0] != 0:
        raise RemoteProtocolError("certificate's signature is no whole number of bytes")
    return content[1:]


class _Reader:
    """Walks the elements of one DER level. Every failure is a RemoteProtocolError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def next_tag(self) -> int:
        if self._position >= len(self._data):
            raise RemoteProtocolError("certificate ends early")
        return self._data[self._position]

    def read(self, tag: int) -> bytes:
        """Return the content of the next element, which must have this tag."""
        return self._take(tag)[1]

    def read_whole(self, tag: int) -> bytes:
        """Return the next element with its tag and length."""
        return self._take(tag)[0]

    def expect_end(self) -> None:
        if self._position != len(self._data):
            raise RemoteProtocolError(f"{len(self._data) - self._position} bytes too many in the certificate")

    def _take(self, tag: int) -> tuple[bytes, bytes]:
        start = self._position
        if self.next_tag() != tag:
            raise RemoteProtocolError(f"certificate has tag {self._data[start]:#x} where {tag:#x} belongs")
        content_start = start + 2
        head = self._data[start + 1 : content_start]
        length = head[0] if head else -1
        if length > 0x80:
            length_bytes = self._data[content_start : content_start + (length & 0x7F)]
            # Four bytes of length are more than any certificate needs; 0x80 alone is BER's endless form.
            if len(length_bytes) != length & 0x7F or len(length_bytes) > 4:
                raise RemoteProtocolError("certificate has a length that cannot be read")
            content_start += len(length_bytes)
            length = int.from_bytes(length_bytes, "big")
        elif length == 0x80:
            raise RemoteProtocolError("certificate has a length that cannot be read")
        end = content_start + length
        if length < 0 or end > len(self._data):
            raise RemoteProtocolError("certificate ends early")
        self._position = end
        return self._data[start:end], self._data[content_start:end]
