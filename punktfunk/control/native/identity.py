"""Who a host or a client of punktfunk/1 is: a P-256 key and one self-signed certificate, kept for ever.

The other side pins the SHA-256 of the DER certificate; names, dates and chains say nothing. Key and
certificate lie in one file, so that a crash can never leave one without the other. Spec: punktfunk-1 §2.2.
"""

import datetime as dt
import logging
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from punktfunk.control.store import Content, StateFile

logger = logging.getLogger(__name__)

HOST_NAME: Final = "punktfunk"
CLIENT_NAME: Final = "punktfunk-client"
VALIDITY_DAYS: Final = 20 * 365


@dataclass(frozen=True, slots=True)
class NativeIdentity:
    """One side's certificate and key. ``fingerprint`` is the SHA-256 of the DER certificate in hex."""

    fingerprint: str
    certificate_der: bytes
    certificate: x509.Certificate = field(repr=False, compare=False)
    private_key: EllipticCurvePrivateKey = field(repr=False, compare=False)

    @property
    def fingerprint_bytes(self) -> bytes:
        """The fingerprint as pairing uses it (32 bytes)."""
        return bytes.fromhex(self.fingerprint)


def load_host_identity(folder: Path) -> NativeIdentity:
    """Read the host's identity from ``folder``, or make and store one."""
    return _load(StateFile(folder / "native-identity.json", kind="native identity"), HOST_NAME)


def load_client_identity(folder: Path) -> NativeIdentity:
    """Read the client's identity from ``folder``, or make and store one."""
    return _load(StateFile(folder / "client-identity.json", kind="client identity"), CLIENT_NAME)


def create_identity(name: str) -> NativeIdentity:
    """Make a new identity that nobody knows yet; ``name`` is the subject."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # the other side's clock may be behind ours
        .not_valid_after(now + dt.timedelta(days=VALIDITY_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    return _assemble(certificate, key)


def _load(file: StateFile, name: str) -> NativeIdentity:
    identity = file.load(_interpret)
    if identity is None:
        identity = create_identity(name)
        pem = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.save(
            {"certificate": identity.certificate.public_bytes(Encoding.PEM).decode(), "key": pem.decode()}
        )
        logger.info("%s created fingerprint=%s", file.kind, identity.fingerprint)
    return identity


def _interpret(content: Content) -> NativeIdentity:
    try:
        key = load_pem_private_key(content["key"].encode(), password=None)
        certificate = x509.load_pem_x509_certificate(content["certificate"].encode())
    except (UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name != SECP256R1.name:
        raise ValueError("not a P-256 key")
    if certificate.public_key() != key.public_key():
        raise ValueError("key and certificate do not belong together")
    return _assemble(certificate, key)


def _assemble(certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> NativeIdentity:
    der = certificate.public_bytes(Encoding.DER)
    return NativeIdentity(sha256(der).hexdigest(), der, certificate, key)
