"""Certificates for the tests: one client key, and certificates over it in X.509 v1, v2 and v3."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
INTEGER, BIT_STRING, SEQUENCE, VERSION = 0x02, 0x03, 0x30, 0xA0


def der(tag, *contents):
    body = b"".join(contents)
    size = len(body)
    length = bytes([size]) if size < 0x80 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + body


def make_certificate_der(key, version=3, name="NVIDIA GameStream Client", serial=b"\x00"):
    """A self-signed certificate written element by element, as old clients made them."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]).public_bytes()
    validity = der(SEQUENCE, der(0x17, b"200101000000Z"), der(0x17, b"400101000000Z"))
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    number = der(VERSION, der(INTEGER, bytes([version - 1]))) if version > 1 else b""
    signed = der(SEQUENCE, number, der(INTEGER, serial), SHA256_WITH_RSA, subject, validity, subject, public)
    signature = key.sign(signed, PKCS1v15(), SHA256()) if isinstance(key, RSAPrivateKey) else bytes(64)
    return der(SEQUENCE, signed, SHA256_WITH_RSA, der(BIT_STRING, b"\0", signature))


@pytest.fixture(scope="session")
def client_key():
    return generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def stranger_key():
    return generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def certificate_der():
    return make_certificate_der


@pytest.fixture(scope="session")
def stock_certificate(client_key):
    """As today's clients make it, with extensions."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "NVIDIA GameStream Client")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder(name, name, client_key.public_key(), 0x1234)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=7300))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        .sign(client_key, SHA256())
    )
