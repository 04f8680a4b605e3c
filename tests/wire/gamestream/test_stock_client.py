"""The wire modules against stock clients' own code: moonlight-common-c's RTSP parser, moonlight-python's pairing.

In one process and without a network; whole sessions are under tests/peers.
"""

import ctypes
import re
import secrets
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.plan import Codec
from punktfunk.wire.gamestream.pairing import (
    RANDOM_BYTES,
    GetServerCertificate,
    PairChallenge,
    PairingMachine,
    PairingState,
    parse_pairing,
)
from punktfunk.wire.gamestream.rtsp import build_response, setup_headers
from punktfunk.wire.gamestream.sdp import DescribeOffer, Encryption, HostFeature, build_describe
from punktfunk.wire.gamestream.serverinfo import build_reply

pytestmark = pytest.mark.peer
PIN = "0815"


class Option(ctypes.Structure):
    """moonlight-common-c, Rtsp.h, OPTION_ITEM."""


Option._fields_ = [
    ("flags", ctypes.c_char),
    ("option", ctypes.c_char_p),
    ("content", ctypes.c_char_p),
    ("next", ctypes.POINTER(Option)),
]


class Message(ctypes.Structure):
    """moonlight-common-c, Rtsp.h, RTSP_MESSAGE with the response's half of the union."""

    _fields_ = (
        ("type", ctypes.c_byte),
        ("flags", ctypes.c_byte),
        ("sequence", ctypes.c_int),
        ("protocol", ctypes.c_char_p),
        ("options", ctypes.POINTER(Option)),
        ("payload", ctypes.c_void_p),
        ("payload_length", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("status_string", ctypes.c_char_p),
        ("status", ctypes.c_int),
    )


@pytest.fixture(scope="module")
def core():
    moonlight = pytest.importorskip("moonlight_python")
    return ctypes.CDLL(str(Path(moonlight.__file__).with_name("libmoonlight-common-c.so")))


def read(core, data):
    """Status, CSeq, options and body as the client has them."""
    message = Message()
    assert core.parseRtspMessage(ctypes.byref(message), data, len(data)) == 0
    try:
        options = {}
        item = message.options
        while item:
            options[item.contents.option.decode()] = item.contents.content.decode()
            item = item.contents.next
        body = ctypes.string_at(message.payload, message.payload_length) if message.payload else b""
        return message.status, message.sequence, options, body.decode()
    finally:
        core.freeMessage(ctypes.byref(message))


def test_the_client_reads_our_offer(core):
    offer = build_describe(DescribeOffer(frozenset(Codec), HostFeature(3), Encryption(7), Encryption(5)))
    status, sequence, options, body = read(core, build_response(2, body=offer))
    assert (status, sequence, options, body) == (200, 2, {"CSeq": "2"}, offer)
    values = {}
    for name in ("featureFlags", "encryptionSupported", "encryptionRequested"):
        value = ctypes.c_uint()
        # It returns a C bool, of which only the lowest byte is defined.
        found = core.parseSdpAttributeToUInt(
            body.encode(), f"x-ss-general.{name}".encode(), ctypes.byref(value)
        )
        assert found & 0xFF
        values[name] = value.value
    assert values == {"featureFlags": 3, "encryptionSupported": 7, "encryptionRequested": 5}


def test_the_client_reads_our_setup_replies_and_refusals(core):
    headers = setup_headers("TOKEN", 48000, ping_payload="0123456789ABCDEF", connect_data=7)
    status, sequence, options, body = read(core, build_response(3, headers=headers))
    assert (status, sequence, body) == (200, 3, "")
    assert options == {"CSeq": "3", **dict(headers)}
    assert read(core, build_response(9, 455, "Method Not Valid in This State"))[:2] == (455, 9)


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(lambda name: name != "CSeq")
VALUES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**31 - 1),
    st.integers(100, 999),
    VALUES,
    st.dictionaries(NAMES, VALUES, max_size=5),
    st.text("ab \r\n:=", max_size=40),
)
def test_the_client_reads_whatever_we_can_build(core, cseq, status, reason, headers, body):
    reply = build_response(cseq, status, reason, list(headers.items()), body)
    assert read(core, reply) == (status, cseq, {"CSeq": str(cseq), **headers}, body)


class Wire:
    """Stands where moonlight-python's NvHTTP does: its requests go straight into a PairingMachine."""

    def __init__(self, host, pin):
        self.host, self.pin = host, pin
        self.machine = None
        self.server_cert_pem = None
        self.unpaired = False

    def open_http(self, command, arguments="", timeout=0):
        if command == "unpair":
            self.unpaired = True
            return build_reply().decode()
        request = parse_pairing(dict(parse_qsl(arguments, keep_blank_values=True)))
        if isinstance(request, GetServerCertificate):
            self.machine = PairingMachine(self.host, request)
            return build_reply(**self.machine.enter_pin(self.pin)).decode()
        return build_reply(**self.machine.receive(request, secrets.token_bytes(RANDOM_BYTES))).decode()

    def open_https(self, command, arguments="", timeout=0):
        request = parse_pairing(dict(parse_qsl(arguments)))
        assert request == PairChallenge()
        return build_reply(paired=self.machine.state is PairingState.PAIRED).decode()


class Host:
    def __init__(self, key, certificate):
        from cryptography.hazmat.primitives.serialization import Encoding

        self.key = key
        self.certificate_pem = certificate.public_bytes(Encoding.PEM)
        self.signature = certificate.signature

    def sign(self, data):
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        return self.key.sign(data, PKCS1v15(), SHA256())


@pytest.fixture
def stock(tmp_path):
    pytest.importorskip("moonlight_python")
    from moonlight_python.identity import Identity
    from moonlight_python.pairing import pair
    from moonlight_python.server import ServerInfo

    identity = Identity(tmp_path)
    info = ServerInfo(address="127.0.0.1", app_version="7.1.431.-1")
    return identity, lambda wire, pin: pair(wire, identity, pin, info)


def test_moonlight_python_pairs(stock, client_key, stock_certificate):
    identity, pair = stock
    wire = Wire(Host(client_key, stock_certificate), PIN)
    assert pair(wire, PIN) == wire.host.certificate_pem
    assert wire.machine.state is PairingState.PAIRED
    assert wire.machine.certificate.der == identity.cert_der
    assert not wire.unpaired


def test_moonlight_python_notices_a_wrong_pin(stock, client_key, stock_certificate):
    from moonlight_python.exceptions import WrongPinError

    _, pair = stock
    wire = Wire(Host(client_key, stock_certificate), "1111")
    with pytest.raises(WrongPinError, match=re.compile("pin", re.IGNORECASE)):
        pair(wire, PIN)
    assert wire.machine.state is not PairingState.PAIRED
    assert wire.unpaired
