"""A client as Moonlight behaves, over real sockets and real TLS (moonlight-qt, nvpairingmanager.cpp and nvhttp.cpp)."""

import hashlib
import http.client
import os
import re
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

UNIQUE_ID = "0123456789ABCDEF"


def aes(key, data, *, encrypt):
    cipher = Cipher(algorithms.AES(key), modes.ECB())
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(data) + context.finalize()


def element(body, name):
    match = re.search(f"<{name}>(.*?)</{name}>", body)
    return match and match[1]


def status(body):
    return int(re.search(r'status_code="(-?\d+)"', body)[1])


class Moonlight:
    """One device: its certificate, its pinned host, its requests. Every method blocks."""

    def __init__(self, folder, key, certificate_pem, signature, http_port, https_port, address="127.0.0.1"):
        self.key = key
        self.pem = certificate_pem
        self.signature = signature
        self.address = address
        self.ports = http_port, https_port
        self.pinned = None
        self.files = folder / f"{id(self)}.pem", folder / f"{id(self)}.key"
        self.files[0].write_bytes(certificate_pem)
        self.files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def connect(self, *, tls=False, present=True, version=None):
        if not tls:
            return http.client.HTTPConnection(self.address, self.ports[0], timeout=20)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if version:
            context.minimum_version = context.maximum_version = version
        if present:
            context.load_cert_chain(*self.files)
        return http.client.HTTPSConnection(self.address, self.ports[1], timeout=20, context=context)

    def ask(self, path, *, connection=None, uniqueid=UNIQUE_ID, **how):
        path += f"{'&' if '?' in path else '?'}uniqueid={uniqueid}&uuid={os.urandom(16).hex()}&&corever=1"
        own = connection is None
        connection = connection or self.connect(**how)
        try:
            connection.request("GET", path)
            if how.get("tls") and self.pinned:
                assert connection.sock.getpeercert(binary_form=True) == self.pinned
            reply = connection.getresponse()
            assert reply.status == 200
            body = reply.read()
            return body if reply.getheader("content-type") == "image/png" else body.decode()
        finally:
            if own:
                connection.close()

    def step(self, query, **how):
        return self.ask(f"/pair?devicename=roth&updateState=1&{query}", **how)

    def begin(self, pin):
        """Step 1, which returns when the host's user has typed a PIN. Returns the reply."""
        salt = os.urandom(16)
        self.aes_key = hashlib.sha256(salt + pin.encode()).digest()[:16]
        return self.step(f"phrase=getservercert&salt={salt.hex()}&clientcert={self.pem.hex()}")

    def challenge(self):
        self.client_challenge = os.urandom(16)
        return self.step(f"clientchallenge={aes(self.aes_key, self.client_challenge, encrypt=True).hex()}")

    def commit(self, challenge_reply):
        plain = aes(self.aes_key, bytes.fromhex(element(challenge_reply, "challengeresponse")), encrypt=False)
        self.host_hash, host_challenge = plain[:32], plain[32:48]
        self.secret = os.urandom(16)
        digest = hashlib.sha256(host_challenge + self.signature + self.secret).digest()
        return self.step(f"serverchallengeresp={aes(self.aes_key, digest, encrypt=True).hex()}")

    def prove(self):
        signature = self.key.sign(self.secret, padding.PKCS1v15(), hashes.SHA256())
        return self.step(f"clientpairingsecret={(self.secret + signature).hex()}")

    def pair(self, pin):
        """All five steps; returns how it went."""
        reply = self.begin(pin)
        if element(reply, "paired") != "1":
            return "refused at step 1"
        if element(reply, "plaincert") is None:
            return "another pairing is running"
        host = x509.load_pem_x509_certificate(bytes.fromhex(element(reply, "plaincert")))
        reply = self.commit(self.challenge())
        proof = bytes.fromhex(element(reply, "pairingsecret"))
        host.public_key().verify(proof[16:], proof[:16], padding.PKCS1v15(), hashes.SHA256())
        if hashlib.sha256(self.client_challenge + host.signature + proof[:16]).digest() != self.host_hash:
            self.ask("/unpair")
            return "wrong PIN"
        if element(self.prove(), "paired") != "1":
            return "refused at step 4"
        self.pinned = host.public_bytes(Encoding.DER)
        reply = self.step("phrase=pairchallenge", tls=True)
        return "paired" if element(reply, "paired") == "1" else "refused at step 5"
