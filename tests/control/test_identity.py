"""The host's identity: made once, what clients need, corrupt ones set aside."""

import json

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from punktfunk.control.identity import load_identity


def test_made_once_with_what_clients_need(tmp_path):
    first = load_identity(tmp_path)
    again = load_identity(tmp_path)
    assert again == first
    assert (tmp_path / "identity.json").stat().st_mode & 0o777 == 0o600
    assert len(first.signature) == 256
    assert first.certificate.public_key().key_size == 2048
    lifetime = first.certificate.not_valid_after_utc - first.certificate.not_valid_before_utc
    assert lifetime.days == 7301
    first.certificate.public_key().verify(again.sign(b"secret"), b"secret", PKCS1v15(), SHA256())
    assert "BEGIN" not in repr(first).replace(repr(first.certificate_pem), "")


def test_mismatched_key_is_set_aside(tmp_path, caplog):
    first = load_identity(tmp_path / "a")
    load_identity(tmp_path / "b")
    content = json.loads((tmp_path / "a/identity.json").read_bytes())
    content["key"] = json.loads((tmp_path / "b/identity.json").read_bytes())["key"]
    (tmp_path / "a/identity.json").write_text(json.dumps(content))
    assert load_identity(tmp_path / "a").certificate_der != first.certificate_der
    assert "do not belong together" in caplog.text
    assert (tmp_path / "a/identity.json.corrupt1").exists()
