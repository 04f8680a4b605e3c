"""RTSP: requests as stock clients send them, replies as their strtok reads them, and the order of a session."""

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, RemoteProtocolError
from punktfunk.wire.gamestream import rtsp
from punktfunk.wire.gamestream.rtsp import (
    MAX_HEAD_BYTES,
    MAX_MESSAGE_BYTES,
    TRANSITIONS,
    RtspMachine,
    RtspRefused,
    RtspRequest,
    RtspState,
    RtspStep,
    build_response,
    parse_request,
    request_is_complete,
    setup_headers,
)

TOKEN = "5b0d3f6a8c"
BODY = b"v=0\r\na=x-nv-video[0].maxFPS:60 \r\n"
SETUP = (
    b"Transport: unicast;X-GS-ClientPort=50000-50001\r\nIf-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
)


def message(line, cseq, extra=b"", body=b""):
    """What moonlight-common-c's initializeRtspRequest and its callers write."""
    head = b"%s RTSP/1.0\r\nCSeq: %d\r\nX-GS-ClientVersion: 14\r\nHost: 192.168.1.20\r\n" % (line, cseq)
    return head + extra + b"\r\n" + body


def conversation(token=TOKEN):
    session = b"Session: %s\r\n" % token.encode()
    url = b"rtsp://192.168.1.20:48010"
    announced = b"Content-type: application/sdp\r\nContent-length: %d\r\n" % len(BODY)
    return [
        message(b"OPTIONS " + url, 1),
        message(b"DESCRIBE " + url, 2, b"Accept: application/sdp\r\n"),
        message(b"SETUP streamid=audio/0/0", 3, SETUP),
        message(b"SETUP streamid=video/0/0", 4, session + SETUP),
        message(b"SETUP streamid=control/13/0", 5, session + SETUP),
        message(b"ANNOUNCE streamid=control/13/0", 6, session + announced, BODY),
        message(b"PLAY /", 7, session),
    ]


def test_a_stock_conversation():
    machine = RtspMachine(TOKEN)
    steps = []
    for cseq, data in enumerate(conversation(), 1):
        assert request_is_complete(data) == len(data)
        request = parse_request(data)
        assert request.cseq == cseq
        assert request.header("HOST") == request.headers["host"] == "192.168.1.20"
        steps.append(machine.receive(request))
    assert steps == list(RtspStep)
    assert machine.state is RtspState.PLAYING
    assert parse_request(conversation()[5]).body == BODY
    assert parse_request(conversation()[0]).header("Session") == ""


def test_byte_at_a_time_equals_all_at_once():
    for data in conversation():
        for end in range(len(data)):
            assert request_is_complete(data[:end]) is None
            with pytest.raises(RemoteProtocolError):
                parse_request(data[:end])
        assert request_is_complete(bytearray(data + b"rest")) == len(data)
        with pytest.raises(RemoteProtocolError, match="another length"):
            parse_request(data + b"rest")


TOKENS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(
    lambda name: name.lower() not in {"cseq", "content-length"}
)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30).map(str.strip)


@settings(max_examples=150, deadline=None)
@given(
    st.from_regex(r"[A-Z_]{1,12}", fullmatch=True),
    TOKENS,
    st.integers(0, 2**31 - 1),
    st.dictionaries(NAMES.map(str.lower), VALUES, max_size=8),
    st.binary(max_size=60),
)
def test_round_trip(method, target, cseq, headers, body):
    lines = [f"{method} {target} RTSP/1.0", f"CSeq: {cseq}", *(f"{k}: {v}" for k, v in headers.items())]
    if body:
        lines.append(f"Content-length: {len(body)}")
    request = parse_request("\r\n".join([*lines, "", ""]).encode() + body)
    assert (request.method, request.target, request.cseq, request.body) == (method, target, cseq, body)
    assert headers.items() <= request.headers.items()


@pytest.mark.parametrize(
    ("data", "naming"),
    [
        (b"\r\n\r\n", "no RTSP request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "no RTSP request"),
        (b"PLAY /\x1b[2J RTSP/1.0\r\nCSeq: 1\r\n\r\n", "no RTSP request"),
        (b"PLAY / RTSP/1.0\r\n\r\n", "CSeq"),
        (b"PLAY / RTSP/1.0\r\nCSeq: -1\r\n\r\n", "CSeq"),
        (b"PLAY / RTSP/1.0\r\nCSeq: 99999999999999999999999\r\n\r\n", "CSeq"),
        (b"PLAY / RTSP/1.0\r\nno colon\r\nCSeq: 1\r\n\r\n", "header"),
        (b"PLAY / RTSP/1.0\r\nCSeq: 1\r\nA: b\nc\r\n\r\n", "header"),
        (b"PLAY / RTSP/1.0\r\nCSeq: 1\r\nContent-length: x\r\n\r\n", "Content-length"),
        (b"PLAY / RTSP/1.0\r\nCSeq: 1\r\nContent-length: -4\r\n\r\n", "Content-length"),
        (b"PLAY / RTSP/1.0\r\nCSeq: 1\r\nCONTENT-LENGTH: 999999999999\r\n\r\n", "Content-length"),
        (b"PLAY / RTSP/1.0\r\nCSeq: 1\r\nContent-length: 65536\r\n\r\n", "allowed"),
        (b"PLAY / RTSP/1.0\r\nCSeq: 1\r\n" + b"A: b\r\n" * 64 + b"\r\n", "headers"),
        (b"A" * MAX_HEAD_BYTES, "do not end"),
        (b"PLAY / RTSP/1.0\r\nA: " + b"b" * MAX_MESSAGE_BYTES + b"\r\n\r\n", "do not end"),
    ],
)
def test_other_requests_are_refused(data, naming):
    with pytest.raises(RemoteProtocolError) as caught:
        parse_request(data)
    assert naming in str(caught.value)
    assert str(caught.value).isprintable()


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=120)
    | st.binary(max_size=120).map(lambda data: b"PLAY / RTSP/1.0\r\nCSeq: 1\r\n" + data + b"\r\n\r\n")
)
def test_garbage(data):
    for parse in (request_is_complete, parse_request):
        with contextlib.suppress(RemoteProtocolError):
            parse(data)


def test_a_damaged_bit_is_never_worse_than_a_refusal():
    for data in conversation():
        for position in range(len(data)):
            damaged = data[:position] + bytes([data[position] ^ 1 << position % 8]) + data[position + 1 :]
            with contextlib.suppress(RemoteProtocolError):
                RtspMachine(TOKEN).receive(parse_request(damaged))


def strtok_reply(data):
    """The client's parser in miniature: moonlight-common-c, RtspParser.c, parseRtspMessage."""
    text = data.decode()
    line, rest = text.split("\r\n", 1)
    protocol, status, reason = line.split(" ", 2)
    assert protocol == "RTSP/1.0"
    assert reason
    options = {}
    while True:
        option, rest = rest.split("\r\n", 1)
        name, value = option.split(":", 1)
        assert value[0] == " "
        assert value[1:]
        options[name] = value[1:]
        if rest.startswith("\r\n"):
            return int(status), options, rest[2:]


HEADER_VALUES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**31 - 1),
    st.integers(100, 999),
    HEADER_VALUES,
    st.dictionaries(NAMES.filter(str.isascii), HEADER_VALUES, max_size=5),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=80),
)
def test_replies_are_what_the_client_reads(cseq, status, reason, headers, body):
    reply = build_response(cseq, status, reason, list(headers.items()), body)
    assert strtok_reply(reply) == (status, {"CSeq": str(cseq), **headers}, body)


@pytest.mark.parametrize(
    "arguments",
    [
        (1, 99),
        (1, 200, ""),
        (1, 200, "O\r\nK"),
        (1, 200, "OK", [("A b", "c")]),
        (1, 200, "OK", [("A", "")]),
        (1, 200, "OK", [("A", " b")]),
        (1, 200, "OK", [("A", "b\r\nC: d")]),
        (1, 200, "OK", [], "a\0b"),
    ],
)
def test_replies_that_the_client_would_misread_are_our_own_mistake(arguments):
    with pytest.raises(LocalProtocolError):
        build_response(*arguments)


def test_setup_replies():
    _, options, _ = strtok_reply(
        build_response(3, headers=setup_headers(TOKEN, 48000, ping_payload="0123456789ABCDEF"))
    )
    assert options["Session"].split(";")[0] == TOKEN
    assert options["Transport"] == "server_port=48000"
    assert options["X-SS-Ping-Payload"] == "0123456789ABCDEF"
    assert "X-SS-Connect-Data" not in options
    _, options, _ = strtok_reply(
        build_response(5, headers=setup_headers(TOKEN, 47999, connect_data=0xFFFFFFFF))
    )
    assert options["X-SS-Connect-Data"] == "4294967295"


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (("a;b", 1), {}),
        (("a", 0), {}),
        (("a", 65536), {}),
        (("a", 1), {"ping_payload": "short"}),
        (("a", 1), {"ping_payload": "é" * 16}),
        (("a", 1), {"connect_data": 1 << 32}),
    ],
)
def test_setup_values_that_clients_cannot_use(arguments, more):
    with pytest.raises(LocalProtocolError):
        setup_headers(*arguments, **more)


def machine_in(state):
    machine = RtspMachine(TOKEN)
    for data in conversation():
        if machine.state is state:
            return machine
        machine.receive(parse_request(data))
    return machine


@pytest.mark.parametrize(("state", "number"), list(itertools.product(RtspState, range(7))))
def test_the_table_is_the_only_order(state, number):
    machine = machine_in(state)
    request = parse_request(conversation()[number])
    step = list(RtspStep)[number]
    if (state, step) in TRANSITIONS:
        assert machine.receive(request) is step
        assert machine.state is TRANSITIONS[state, step]
    else:
        with pytest.raises(RtspRefused) as caught:
            machine.receive(request)
        assert caught.value.status == 455
        assert machine.state is state


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "0", "é"])
def test_another_session_is_refused_and_changes_nothing(token):
    for number in range(3, 7):
        machine = machine_in(list(RtspState)[number])
        headers = {"session": f" {token} ;timeout = 90"}
        request = parse_request(conversation()[number])
        with pytest.raises(RtspRefused) as caught:
            machine.receive(RtspRequest(request.method, request.target, 1, headers))
        assert caught.value.status == 454
        headers = {"session": f"{TOKEN};timeout = 90"}
        assert machine.receive(RtspRequest(request.method, request.target, 1, headers))


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("SETUP", "streamid=microphone/0/0", 404),
        ("SETUP", "audio", 404),
        ("SETUP", "other=audio", 404),
        ("TEARDOWN", "/", 501),
        ("SETUP_AUDIO", "/", 501),
    ],
)
def test_what_this_host_does_not_know(method, target, status):
    with pytest.raises(RtspRefused) as caught:
        RtspMachine(TOKEN).receive(RtspRequest(method, target, 1, {}))
    assert caught.value.status == status
    build_response(1, caught.value.status, caught.value.reason)


def test_every_exported_name_exists():
    assert all(hasattr(rtsp, name) for name in rtsp.__all__)
