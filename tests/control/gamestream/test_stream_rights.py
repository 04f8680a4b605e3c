"""What a GameStream client may do while it streams, and how the end of its time reaches it."""

from types import SimpleNamespace

import pytest
import trio
from stream_client import make_stream
from trio.testing import wait_all_tasks_blocked

from punktfunk.control.gamestream import stream as stream_module
from punktfunk.control.gamestream import streaming
from punktfunk.control.gamestream.stream import Peer
from punktfunk.control.native.access import Access
from punktfunk.control.trust import ClientBook, ClientKind, fingerprint_of
from punktfunk.wire.gamestream.control import InputPacket
from punktfunk.wire.gamestream.feedback import TerminationCode
from punktfunk.wire.input import Key, MouseMove
from punktfunk.wire.native.capabilities import Grant

KEY = fingerprint_of(b"deck")


@pytest.fixture
def book(tmp_path):
    return ClientBook(tmp_path)


def streaming_with(book):
    access = Access(book, KEY, kind=ClientKind.GAMESTREAM)
    return make_stream(peer=Peer("deck", KEY, "192.0.2.7", "192.0.2.1", access))


@pytest.mark.trio
async def test_each_event_is_checked(book, monkeypatch):
    await book.add(b"deck", "deck")
    stream = streaming_with(book)
    stream.cipher = SimpleNamespace(open=lambda payload: (0, payload))
    monkeypatch.setattr(stream_module, "parse_message", lambda _: InputPacket(b""))
    events = [Key(65, pressed=True), MouseMove(3, 4)]
    monkeypatch.setattr(stream_module, "parse_input", lambda _: events)
    assert stream.take_control(b"x")
    assert list(stream.input._waiting) == events
    await book.set_rights("deck", grants=Grant.KEYBOARD)
    stream.take_control(b"x")
    assert list(stream.input._waiting) == [*events, events[0]]
    assert stream.peer.access.refused == {"POINTER": 1}


@pytest.mark.trio
async def test_held_keys_are_released_and_the_stream_ends_with_the_clients_time(book):
    await book.add(b"deck", "deck")
    stream, released = streaming_with(book), []
    injector = SimpleNamespace(release_all=lambda: released.append("all"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(streaming._hold_rights, stream, injector)
        await wait_all_tasks_blocked()
        await book.set_rights("deck", grants=Grant.GAMEPAD)
        await wait_all_tasks_blocked()
        assert released == ["all"]
        assert not stream.ended.is_set()
        await book.set_rights("deck", expires_at_s=1)
    assert stream.end_message == TerminationCode.GRACEFUL
    assert "time" in stream.end_reason
