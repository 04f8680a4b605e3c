"""Request heads: what passes, what is refused, and nothing else happens."""

import contextlib

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.wire.http_head import (
    MAXIMUM_HEAD_BYTES,
    MAXIMUM_LINE_BYTES,
    HeadRefused,
    RequestHead,
    build_head,
    head_length,
    parse_head,
)

WHOLE = (
    b"GET /pair?a=b&&c=%20 HTTP/1.1\r\nHost: desk:47989\r\nUser-Agent: x\r\nConnection: Keep-Alive\r\n\r\n"
)
TARGETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=200).map(
    lambda text: b"/" + text.encode()
)


@given(TARGETS, st.booleans())
@settings(max_examples=100)
def test_round_trip_and_h11_agrees(target, keep_alive):
    head = RequestHead(target, keep_alive)
    raw = build_head(head)
    assert head_length(raw + b"more") == len(raw)
    assert parse_head(raw) == head
    library = h11.Connection(h11.SERVER)
    library.receive_data(raw)
    event = library.next_event()
    assert (event.method, event.target) == (b"GET", target)
    assert isinstance(library.next_event(), h11.EndOfMessage)


def test_every_truncation_is_incomplete():
    for length in range(len(WHOLE)):
        assert head_length(WHOLE[:length]) is None
    assert head_length(WHOLE) == len(WHOLE)
    assert parse_head(WHOLE) == RequestHead(b"/pair?a=b&&c=%20", keep_alive=True)


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", True),
        (b"\r\n\r\nGET / HTTP/1.1\nHost:x\n\n", True),
        (b"GET / HTTP/1.1\r\nhost: x\r\nConnection: upgrade, Close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nhost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nhost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_passes(head, keep_alive):
    assert head_length(head) == len(head)
    parsed = parse_head(head)
    assert parsed == RequestHead(b"/", keep_alive)
    assert b"pgrade" not in build_head(parsed)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\n\r\n", 405),
        (b"GET http://other/ HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\x80 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nContent-Length: 5\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 70 + b"\r\n", 431),
    ],
)
def test_refuses(head, status):
    assert head_length(head) == len(head)
    with pytest.raises(HeadRefused) as caught:
        parse_head(head)
    assert caught.value.status == status


def test_oversize_is_refused_before_it_is_complete():
    with pytest.raises(HeadRefused) as caught:
        head_length(b"GET /" + b"a" * MAXIMUM_LINE_BYTES)
    assert caught.value.status == 414
    with pytest.raises(HeadRefused) as caught:
        head_length(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MAXIMUM_HEAD_BYTES // 6))
    assert caught.value.status == 431
    assert head_length(b"GET /" + b"a" * (MAXIMUM_LINE_BYTES - 20) + b" HTTP/1.1\r\n\r\n") is not None


@given(
    st.one_of(
        st.binary(max_size=300), st.binary(max_size=60).map(lambda junk: WHOLE[:40] + junk + WHOLE[40:])
    )
)
@settings(max_examples=200)
def test_garbage_raises_one_kind_of_error(raw):
    with contextlib.suppress(HeadRefused):
        length = head_length(raw)
        assert length is None or 0 < length <= len(raw)
    with contextlib.suppress(HeadRefused):
        parse_head(raw)
