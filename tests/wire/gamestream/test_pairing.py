"""Pairing: the whole conversation with a client's double, its order, and the attack that the order prevents."""

import base64
import contextlib
import os
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.gamestream import pairing
from punktfunk.wire.gamestream.certificate import parse_certificate
from punktfunk.wire.gamestream.pairing import (
    RANDOM_BYTES,
    ClientChallenge,
    ClientHash,
    ClientSecret,
    GetServerCertificate,
    PairChallenge,
    PairingMachine,
    PairingState,
    is_pin,
    parse_pairing,
)

PIN = "4711"


def aes(key, data, *, encrypt):
    context = Cipher(AES(key), ECB()).encryptor() if encrypt else Cipher(AES(key), ECB()).decryptor()
    return context.update(data) + context.finalize()


def sign(key, data):
    return key.sign(data, PKCS1v15(), SHA256())


def to_pem(der):
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


class Host:
    """What ``control.identity.Identity`` is to the machine."""

    def __init__(self, key, der):
        self.key = key
        self.certificate_pem = to_pem(der)
        self.signature = der[-256:]

    def sign(self, data):
        return sign(self.key, data)


class Client:
    """A client's half, written from gamestream.md section 2.4 without a line of the host's."""

    def __init__(self, key, der, salt=b"\x5a" * 16, challenge=b"\x11" * 16, secret=b"\x22" * 16):
        self.key, self.der = key, der
        self.salt, self.challenge, self.secret = salt, challenge, secret
        self.pin_key = b""
        self.host_der = b""
        self.response = b""

    def knows(self, pin):
        self.pin_key = sha256(self.salt + pin.encode()).digest()[:16]

    def first(self):
        return {"phrase": "getservercert", "salt": self.salt.hex(), "clientcert": to_pem(self.der).hex()}

    def second(self, reply):
        assert reply["paired"] == "1"
        pem = bytes.fromhex(reply["plaincert"])
        self.host_der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
        return {"clientchallenge": aes(self.pin_key, self.challenge, encrypt=True).hex()}

    def third(self, reply):
        assert reply["paired"] == "1"
        self.response = aes(self.pin_key, bytes.fromhex(reply["challengeresponse"]), encrypt=False)
        commitment = sha256(
            self.response[32:48] + parse_certificate(self.der).signature + self.secret
        ).digest()
        return {"serverchallengeresp": aes(self.pin_key, commitment, encrypt=True).hex()}

    def fourth(self, reply):
        """The next query, or None if the PIN was wrong."""
        assert reply["paired"] == "1"
        both = bytes.fromhex(reply["pairingsecret"])
        host = parse_certificate(self.host_der)
        assert host.verify(both[16:], both[:16])
        if sha256(self.challenge + host.signature + both[:16]).digest() != self.response[:32]:
            return None
        return {"clientpairingsecret": (self.secret + sign(self.key, self.secret)).hex().upper()}


@pytest.fixture(scope="module")
def host(stranger_key, certificate_der):
    return Host(stranger_key, certificate_der(stranger_key, name="punktfunk"))


@pytest.fixture(params=[1, 2, 3])
def client(request, client_key, certificate_der):
    return Client(client_key, certificate_der(client_key, request.param))


def begin(host, client):
    request = parse_pairing(client.first())
    assert isinstance(request, GetServerCertificate)
    return PairingMachine(host, request)


def ask(machine, query):
    return machine.receive(parse_pairing(query), os.urandom(RANDOM_BYTES))


def converse(machine, client):
    """Steps 2 to 4; the last reply, or None if the client gave up over a wrong PIN."""
    query = client.second(machine.enter_pin(PIN))
    query = client.third(ask(machine, query))
    query = client.fourth(ask(machine, query))
    return query and ask(machine, query)


def test_right_pin_pairs_certificates_of_every_version(host, client):
    machine = begin(host, client)
    client.knows(PIN)
    assert machine.state is PairingState.WAITING_FOR_PIN
    assert converse(machine, client) == {"paired": "1"}
    assert machine.state is PairingState.PAIRED
    assert machine.certificate.der == client.der
    assert not machine.failure


def test_wrong_pin_is_noticed_by_the_client_and_pairs_nobody(host, client):
    machine = begin(host, client)
    client.knows("4712")
    assert converse(machine, client) is None
    assert machine.state is PairingState.EXPECT_SECRET
    # A client that goes on all the same, as moonlight-embedded does.
    secret = (client.secret + sign(client.key, client.secret)).hex()
    assert ask(machine, {"clientpairingsecret": secret}) == {"paired": "0"}
    assert machine.state is PairingState.ENDED
    assert "proof" in machine.failure


def offline_search(client, reply_2, reply_3):
    """What step 3's secret is worth: the PIN, from the replies alone."""
    sealed, secret = bytes.fromhex(reply_2["challengeresponse"]), bytes.fromhex(reply_3["pairingsecret"])[:16]
    sent = aes(client.pin_key, client.challenge, encrypt=True)
    signature = parse_certificate(client.host_der).signature
    for number in range(10_000):
        key = sha256(client.salt + b"%04d" % number).digest()[:16]
        if (
            sha256(aes(key, sent, encrypt=False) + signature + secret).digest()
            == aes(key, sealed, encrypt=False)[:32]
        ):
            return f"{number:04d}"
    raise AssertionError("the search found no PIN")


def attack(machine, client):
    """Learn the PIN from step 3, then do step 3 again with it, and step 4. Returns both last replies."""
    client.knows("0000")
    reply_2 = ask(machine, client.second(machine.enter_pin(PIN)))
    reply_3 = ask(machine, client.third(reply_2))
    pin = offline_search(client, reply_2, reply_3)
    assert pin == PIN
    client.knows(pin)
    again = ask(machine, client.third(reply_2))
    return again, ask(
        machine, {"clientpairingsecret": (client.secret + sign(client.key, client.secret)).hex()}
    )


@pytest.fixture
def stranger(client_key, certificate_der):
    return Client(client_key, certificate_der(client_key))


def test_a_second_step_3_does_not_pair_a_stranger(host, stranger):
    machine = begin(host, stranger)
    assert attack(machine, stranger) == ({"paired": "0"}, {"paired": "0"})
    assert machine.state is PairingState.ENDED
    assert "ClientHash while EXPECT_SECRET" in machine.failure
    # The PIN is spent: the same attempt takes no other, and another attempt waits for its own.
    with pytest.raises(LocalProtocolError):
        machine.enter_pin(PIN)
    assert begin(host, stranger).state is PairingState.WAITING_FOR_PIN


def test_the_attack_works_on_a_host_that_takes_step_3_twice(host, stranger, monkeypatch):
    """So that the test above is known to play a real one."""
    twice = {**pairing.TRANSITIONS, (PairingState.EXPECT_SECRET, ClientHash): PairingState.EXPECT_SECRET}
    monkeypatch.setattr(pairing, "TRANSITIONS", twice)
    machine = begin(host, stranger)
    again, last = attack(machine, stranger)
    assert again["paired"] == "1"
    assert last == {"paired": "1"}


def test_going_back_to_step_2_ends_the_attempt_too(host, stranger):
    machine = begin(host, stranger)
    stranger.knows("0000")
    challenge = stranger.second(machine.enter_pin(PIN))
    assert ask(machine, challenge)["paired"] == "1"
    assert ask(machine, challenge) == {"paired": "0"}
    assert machine.state is PairingState.ENDED


def test_a_stolen_certificate_does_not_pair_without_its_key(host, client, stranger_key):
    machine = begin(host, client)
    client.knows(PIN)
    client.key = stranger_key
    assert converse(machine, client) == {"paired": "0"}
    assert machine.state is PairingState.ENDED


REQUESTS = st.sampled_from(
    [
        PairChallenge(),
        ClientChallenge(bytes(16)),
        ClientHash(bytes(32)),
        ClientSecret(bytes(16), bytes(256)),
        "PIN",
        "STEP 1",
    ]
)


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(REQUESTS, min_size=1, max_size=8))
def test_no_order_of_requests_pairs_without_proof_or_survives_disorder(host, stranger_certificate, steps):
    first = GetServerCertificate(bytes(16), stranger_certificate)
    machine = PairingMachine(host, first)
    order = ["PIN", ClientChallenge, ClientHash]
    done = 0
    for step in steps:
        if step == "PIN":
            if machine.state is PairingState.WAITING_FOR_PIN:
                assert set(machine.enter_pin(PIN)) == {"paired", "plaincert"}
                done += 1
            else:
                with pytest.raises(LocalProtocolError):
                    machine.enter_pin(PIN)
            continue
        reply = machine.receive(first if step == "STEP 1" else step, bytes(RANDOM_BYTES))
        expected = 0 < done < 3 and order[done] is type(step) and machine.state is not PairingState.ENDED
        assert reply["paired"] == str(int(expected))
        done += expected
        if not expected:
            assert machine.state is PairingState.ENDED
            assert machine.failure
            done = 9
    assert machine.state is not PairingState.PAIRED


@pytest.fixture(scope="module")
def stranger_certificate(client_key, certificate_der):
    return parse_certificate(certificate_der(client_key))


def test_a_signer_that_fails_leaves_the_attempt_ended(host, client, monkeypatch):
    machine = begin(host, client)
    client.knows(PIN)
    query = client.third(ask(machine, client.second(machine.enter_pin(PIN))))

    def fail(_data):
        raise OSError("token removed")

    monkeypatch.setattr(host, "sign", fail)
    with pytest.raises(OSError, match="token removed"):
        ask(machine, query)
    assert machine.state is PairingState.ENDED


def test_the_caller_brings_enough_randomness_and_a_real_pin(host, client):
    machine = begin(host, client)
    for pin in ("", "471", "47111", "47a1", "\uff14\uff17\uff11\uff11", "4711\n"):
        assert not is_pin(pin)
        with pytest.raises(LocalProtocolError):
            machine.enter_pin(pin)
    assert machine.state is PairingState.WAITING_FOR_PIN
    machine.enter_pin(PIN)
    with pytest.raises(LocalProtocolError):
        machine.receive(ClientChallenge(bytes(16)), bytes(31))


def test_an_ended_attempt_keeps_no_secrets_and_its_first_reason(host, client):
    machine = begin(host, client)
    client.knows(PIN)
    ask(machine, client.second(machine.enter_pin(PIN)))
    machine.end("expired")
    machine.end("again")
    assert machine.failure == "expired"
    assert {machine._key, machine._server_secret, machine._server_challenge, machine._client_hash} == {b""}


@pytest.mark.parametrize(
    ("query", "naming"),
    [
        ({}, "0 steps"),
        ({"phrase": "getservercert", "clientchallenge": "00" * 16}, "2 steps"),
        ({"clientchallenge": "00" * 16, "serverchallengeresp": "00" * 32}, "2 steps"),
        ({"phrase": "\x1b[2J"}, "unknown"),
        ({"phrase": "getservercert"}, "salt"),
        ({"phrase": "getservercert", "salt": "0" * 31, "clientcert": "00"}, "salt"),
        ({"phrase": "getservercert", "salt": "0" * 32}, "clientcert"),
        ({"phrase": "getservercert", "salt": "0" * 32, "clientcert": "0" * 70_000}, "clientcert"),
        ({"phrase": "getservercert", "salt": "0" * 32, "clientcert": "00"}, "PEM"),
        ({"clientchallenge": "00" * 15}, "clientchallenge"),
        ({"clientchallenge": "00" * 32}, "clientchallenge"),
        ({"clientchallenge": "0 " * 16}, "clientchallenge"),
        ({"clientchallenge": "zz" * 16}, "clientchallenge"),
        ({"clientchallenge": "٣" * 32}, "clientchallenge"),
        ({"serverchallengeresp": ""}, "serverchallengeresp"),
        ({"serverchallengeresp": "00" * 48}, "serverchallengeresp"),
        ({"clientpairingsecret": "00" * 16}, "clientpairingsecret"),
        ({"clientpairingsecret": "00" * 2000}, "clientpairingsecret"),
    ],
)
def test_bad_queries_are_refused_by_name(query, naming):
    with pytest.raises(RemoteProtocolError) as caught:
        parse_pairing(query)
    assert naming in str(caught.value)
    assert str(caught.value).isprintable()


def test_step_5_and_upper_case_hex_are_read():
    assert parse_pairing({"phrase": "pairchallenge", "uniqueid": "0123456789ABCDEF"}) == PairChallenge()
    assert parse_pairing({"clientchallenge": "aB" * 16}) == ClientChallenge(b"\xab" * 16)


KEYS = st.sampled_from(
    ["phrase", "salt", "clientcert", "clientchallenge", "serverchallengeresp", "clientpairingsecret"]
)
TEXTS = (
    st.text(max_size=80)
    | st.binary(max_size=40).map(bytes.hex)
    | st.sampled_from(["getservercert", "pairchallenge"])
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, TEXTS))
def test_garbage_queries(query):
    with contextlib.suppress(RemoteProtocolError):
        parse_pairing(query)
