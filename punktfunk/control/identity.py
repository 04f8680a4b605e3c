"""Who this host is: an RSA-2048 key, one self-signed certificate and a UUID, made once and kept for ever.

Clients pin the certificate byte by byte at pairing, so all three lie in one file: a crash can never leave a
key without its certificate. Spec: gamestream.md section 2.2.
"""

import datetime as dt
import logging
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
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

KEY_BITS: Final = 2048
VALIDITY_DAYS: Final = 20 * 365


@dataclass(frozen=True, slots=True)
class Identity:
    """The host's certificate and key. ``signature`` is the field inside the certificate (256 bytes)."""

    host_id: str
    certificate_pem: bytes
    certificate_der: bytes
    signature: bytes
    certificate: x509.Certificate = field(repr=False, compare=False)
    private_key: RSAPrivateKey = field(repr=False, compare=False)

    def sign(self, data: bytes) -> bytes:
        """Sign with RSA PKCS#1 v1.5 over SHA-256, as pairing step 3 wants it (256 bytes)."""
        return self.private_key.sign(data, PKCS1v15(), SHA256())


def load_identity(folder: Path) -> Identity:
    """Read the host's identity from ``folder``, or make and store one (blocks up to a second)."""
    file = StateFile(folder / "identity.json", kind="identity")
    identity = file.load(_interpret)
    if identity is None:
        identity = _create()
        file.save(
            {
                "host_id": identity.host_id,
                "certificate": identity.certificate_pem.decode(),
                "key": identity.private_key.private_bytes(
                    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
                ).decode(),
            }
        )
        logger.info("identity created host_id=%s", identity.host_id)
    return identity


def _interpret(content: Content) -> Identity:
    try:
        key = load_pem_private_key(content["key"].encode(), password=None)
        certificate = x509.load_pem_x509_certificate(content["certificate"].encode())
    except (UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, RSAPrivateKey) or key.key_size != KEY_BITS:
        raise ValueError("not an RSA-2048 key")
    if certificate.public_key() != key.public_key():
        raise ValueError("key and certificate do not belong together")
    return _assemble(str(uuid.UUID(content["host_id"])), certificate, key)


def _assemble(host_id: str, certificate: x509.Certificate, key: RSAPrivateKey) -> Identity:
    return Identity(
        host_id=host_id,
        certificate_pem=certificate.public_bytes(Encoding.PEM),
        certificate_der=certificate.public_bytes(Encoding.DER),
        signature=certificate.signature,
        certificate=certificate,
        private_key=key,
    )


def _create() -> Identity:
    key = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "punktfunk host")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # clients' clocks may be behind ours
        .not_valid_after(now + dt.timedelta(days=VALIDITY_DAYS))
        .sign(key, SHA256())
    )
    return _assemble(str(uuid.uuid4()), certificate, key)
