"""A host that says anything at all: the client ignores what makes no sense, and stays within its bounds."""

import contextlib
import random

import pytest
import trio
from client_world import streaming
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.control.client.control_reader import TIMINGS_KEPT, take_control, take_datagram
from punktfunk.control.client.endings import ConnectionEnded
from punktfunk.control.client.news import NEWS_MAX
from punktfunk.control.client.options import SessionOptions
from punktfunk.control.client.setup import _checked
from punktfunk.wire.native.control import CONTROL, parse_control
from punktfunk.wire.native.welcome import Welcome


def bodies(random_bytes):
    """Every known message, with a body of its length that says anything."""
    for code, entry in CONTROL.entries.items():
        for size in entry.layout.sizes():
            length = size if size is not None else random_bytes.randrange(40)
            yield CONTROL.magic + bytes((code,)) + random_bytes.randbytes(length)


@pytest.mark.trio
async def test_whatever_a_host_says_is_survived(monkeypatch):
    noise = random.Random(7)
    async with streaming(monkeypatch) as (session, _peer):
        for _ in range(100):
            for payload in bodies(noise):
                message = parse_control(payload)
                if message is not None:
                    take_control(session, message)
            for tag in range(0xC0, 0xE0):
                take_datagram(session, bytes((tag,)) + noise.randbytes(noise.randrange(48)))
            # The control stream is bounded too: what is posted is read by nobody here.
            await trio.lowlevel.checkpoint()
            if session.closed.is_set():
                break
        assert len(session.audio) <= 64
        assert len(session.timings) <= TIMINGS_KEPT
        assert len(await session.receive_news()) <= NEWS_MAX
        assert session.mode.width_px <= 1 << 15
        session.statistics()


@settings(max_examples=50)
@given(st.binary(max_size=130))
def test_a_welcome_is_good_or_refused_by_a_sentence(body):
    with contextlib.suppress(ConnectionEnded):
        assert isinstance(_checked(b"PKF1" + body, "desk", SessionOptions()), Welcome)
