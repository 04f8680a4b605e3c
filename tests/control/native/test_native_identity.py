"""Identities of punktfunk/1: made once, what peers check of them, broken ones set aside."""

import hashlib
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from punktfunk.control.native.identity import load_client_identity, load_host_identity


@pytest.mark.parametrize(
    ("load", "file", "name"),
    [
        (load_host_identity, "native-identity.json", "punktfunk"),
        (load_client_identity, "client-identity.json", "punktfunk-client"),
    ],
)
def test_made_once_and_kept(tmp_path, load, file, name):
    first = load(tmp_path)
    assert load(tmp_path) == first
    assert (tmp_path / file).stat().st_mode & 0o777 == 0o600
    assert first.fingerprint == hashlib.sha256(first.certificate_der).hexdigest()
    assert first.fingerprint_bytes.hex() == first.fingerprint
    certificate = x509.load_der_x509_certificate(certificate_der := first.certificate_der)
    assert certificate.version is x509.Version.v3  # rustls refuses older ones
    assert certificate.subject.rfc4514_string() == f"CN={name}"
    assert certificate.public_key().curve.name == SECP256R1.name
    assert certificate_der not in repr(first).encode()


def test_host_and_client_of_one_folder_are_two(tmp_path):
    assert load_host_identity(tmp_path).fingerprint != load_client_identity(tmp_path).fingerprint


def key_pem(curve):
    key = generate_private_key(curve())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize("breaking", ["no key", "other key", "other curve", "no certificate"])
def test_a_broken_one_is_set_aside(tmp_path, breaking):
    first = load_host_identity(tmp_path)
    file = tmp_path / "native-identity.json"
    content = json.loads(file.read_text())
    if breaking == "no key":
        del content["key"]
    elif breaking == "no certificate":
        content["certificate"] = "nothing"
    else:
        content["key"] = key_pem(SECP256R1 if breaking == "other key" else SECP384R1)
    file.write_text(json.dumps(content))
    assert load_host_identity(tmp_path).fingerprint != first.fingerprint
    assert (tmp_path / "native-identity.json.corrupt1").exists()
