"""Client certificates: every version of X.509, RSA only, and nothing but RemoteProtocolError for the rest."""

import base64
import contextlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.gamestream.certificate import (
    MAX_CERTIFICATE_BYTES,
    parse_certificate,
    parse_certificate_pem,
)


def pem(der, newline=b"\n"):
    text = base64.encodebytes(der).strip().replace(b"\n", newline)
    return newline.join((b"-----BEGIN CERTIFICATE-----", text, b"-----END CERTIFICATE-----", b""))


def test_reads_what_the_strict_library_reads(stock_certificate, client_key):
    read = parse_certificate_pem(stock_certificate.public_bytes(Encoding.PEM))
    assert read.der == stock_certificate.public_bytes(Encoding.DER)
    assert read.signature == stock_certificate.signature
    assert read.public_key == client_key.public_key()
    assert read.fingerprint == stock_certificate.fingerprint(SHA256())


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("serial", [b"\x00", b"\xff", b"\x01" * 40])
def test_every_version_and_serial_number_is_accepted(certificate_der, client_key, version, serial):
    der = certificate_der(client_key, version, serial=serial)
    read = parse_certificate(der)
    assert read.der == der
    assert read.signature == der[-256:]
    assert read.public_key == client_key.public_key()
    assert read.verify(client_key.sign(b"text", PKCS1v15(), SHA256()), b"text")


def test_the_strict_library_would_refuse_version_2(certificate_der, client_key):
    with pytest.raises(x509.InvalidVersion):
        x509.load_der_x509_certificate(certificate_der(client_key, 2))


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_line_ends_of_the_pem_do_not_matter(certificate_der, client_key, newline):
    der = certificate_der(client_key)
    assert parse_certificate_pem(b"some words\n" + pem(der, newline) + b"more\n").der == der


def test_signatures_of_others_do_not_verify(certificate_der, client_key, stranger_key):
    read = parse_certificate(certificate_der(client_key))
    assert not read.verify(stranger_key.sign(b"text", PKCS1v15(), SHA256()), b"text")
    assert not read.verify(client_key.sign(b"text", PKCS1v15(), SHA256()), b"texts")
    for signature in (b"", b"\0", bytes(256), b"\xff" * 256, bytes(1000)):
        assert not read.verify(signature, b"text")


@pytest.mark.parametrize(
    "make", [lambda: ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate]
)
def test_other_keys_than_rsa_are_refused_by_name(certificate_der, make):
    with pytest.raises(RemoteProtocolError, match="no RSA key"):
        parse_certificate(certificate_der(make()))


def test_keys_too_small_to_mean_anything_are_refused(certificate_der):
    der = certificate_der(generate_private_key(65537, 2048))
    # A 512-bit key cannot be made any more: cut the modulus of a good one down, and its lengths with it.
    assert parse_certificate(der)
    start = der.index(bytes.fromhex("30820122300d06092a864886f70d0101010500"))
    modulus = b"\x7f" + b"\x11" * 63
    numbers = b"\x02\x40" + modulus + b"\x02\x03\x01\x00\x01"
    bits = b"\x00\x30" + bytes([len(numbers)]) + numbers
    info = bytes.fromhex("300d06092a864886f70d0101010500") + b"\x03" + bytes([len(bits)]) + bits
    small = b"\x30" + bytes([len(info)]) + info
    signed = der[8:start] + small
    signed = b"\x30\x82" + len(signed).to_bytes(2, "big") + signed
    body = signed + der[start + 0x126 :]
    with pytest.raises(RemoteProtocolError, match="511 bits"):
        parse_certificate(b"\x30\x82" + len(body).to_bytes(2, "big") + body)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----",
        pem(b""),
        pem(b"\x30\x00"),
        pem(bytes(100)),
        pem(b"abc").replace(b"YWJj", b"YWJ"),
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises(RemoteProtocolError):
        parse_certificate_pem(text)


def test_sizes_are_bounded():
    with pytest.raises(RemoteProtocolError, match="allowed"):
        parse_certificate(bytes(MAX_CERTIFICATE_BYTES + 1))
    with pytest.raises(RemoteProtocolError, match="allowed"):
        parse_certificate_pem(bytes(2 * MAX_CERTIFICATE_BYTES + 1))


def test_truncation_and_trailing_bytes(certificate_der, client_key):
    der = certificate_der(client_key)
    for end in range(len(der)):
        with pytest.raises(RemoteProtocolError):
            parse_certificate(der[:end])
    with pytest.raises(RemoteProtocolError, match="too many"):
        parse_certificate(der + b"\0")


def test_one_damaged_byte_is_never_worse_than_a_refusal(certificate_der, client_key):
    der = certificate_der(client_key)
    for position in range(len(der)):
        for value in (der[position] ^ 0x01, der[position] ^ 0x80, 0, 0x80, 0xFF):
            with contextlib.suppress(RemoteProtocolError):
                parse_certificate(der[:position] + bytes([value]) + der[position + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\x30" + bytes([len(tail)]) + tail))
def test_garbage(data):
    for parse in (parse_certificate, parse_certificate_pem, lambda data: parse_certificate_pem(pem(data))):
        with contextlib.suppress(RemoteProtocolError):
            parse(data)
