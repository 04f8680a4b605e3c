"""TLS with certificates that strict libraries refuse, and without the things that clients choke on."""

import base64
import socket
import ssl
from functools import partial

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from moonlight_double import Moonlight, element

SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")


def der(tag, *contents):
    body = b"".join(contents)
    length = bytes([len(body)]) if len(body) < 0x80 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + length + body


def certificate(key, version):
    """Build a self-signed certificate of X.509 v1 or v2 with serial number 0, as Moonlight's C++ makes them."""
    common_name = der(0x30, bytes.fromhex("0603550403"), der(0x0C, b"NVIDIA GameStream Client"))
    name = der(0x30, der(0x31, common_name))
    validity = der(0x30, der(0x17, b"200101000000Z"), der(0x17, b"200102000000Z"))
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    number = b"" if version == 1 else der(0xA0, der(2, bytes([version - 1])))
    signed = der(0x30, number, der(2, b"\0"), SHA256_WITH_RSA, name, validity, name, public)
    signature = key.sign(signed, PKCS1v15(), SHA256())
    whole = der(0x30, signed, SHA256_WITH_RSA, der(3, b"\0", signature))
    body = base64.encodebytes(whole)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n", signature


@pytest.mark.trio
@pytest.mark.parametrize("version", [1, 2])
async def test_old_certificates_pair(run_host, keys, tmp_path, version):
    async with run_host() as running:
        client = Moonlight(tmp_path, keys[0], *certificate(keys[0], version), *running.ports)
        outcome = []

        async def play():
            outcome.append(await trio.to_thread.run_sync(client.pair, "1234"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(play)
            await running.type_pin("1234")
        assert outcome == ["paired"]
        for tls in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            info = await trio.to_thread.run_sync(partial(client.ask, "/serverinfo", tls=True, version=tls))
            assert element(info, "PairStatus") == "1"


def talk(port, offered):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(offered)
    sessions = []
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            session = sessions[-1] if sessions else None
            with context.wrap_socket(raw, session=session) as secured:
                secured.sendall(b"GET /serverinfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while secured.recv(4096):
                    pass
                sessions.append(secured.session)
                facts = secured.selected_alpn_protocol(), secured.session_reused
    return facts


@pytest.mark.trio
async def test_http11_only_and_no_resumption(run_host):
    async with run_host() as running:
        for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), ([], None)):
            assert await trio.to_thread.run_sync(talk, running.ports[1], offered) == (chosen, False)
