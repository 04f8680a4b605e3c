"""The pointer of a client that draws it: what is said when, and that the host goes on where it stops."""

import struct

import pytest
import trio
import trio.testing

from punktfunk.control.native.pointer import PointerVoice
from punktfunk.realtime import Pointer
from punktfunk.realtime.capture.video_meta import CursorBitmap, CursorMeta
from punktfunk.wire.native.control import CursorShape
from punktfunk.wire.native.datagrams import CursorFlag, CursorState, parse_datagram

ARROW = CursorBitmap(2, 1, 1, 0, struct.pack("<II", 0xFF102030, 0x80400000))
pytestmark = pytest.mark.trio


class Client:
    def __init__(self):
        self.pointer = Pointer()
        self.shapes, self.states = [], []
        self.voice = PointerVoice(self.pointer, self._say, self._take)
        self.heard = trio.Event()

    async def _say(self, message):
        await trio.lowlevel.checkpoint()
        self.shapes.append(message)

    def _take(self, datagram):
        self.states.append(parse_datagram(datagram))
        self.heard.set()

    async def moved(self, *told):
        """Move the pointer as pf-capture does; what the client hears of it."""
        self.heard = trio.Event()
        self.pointer.move(CursorMeta(*told))
        await self.heard.wait()
        return self.states[-1]


async def test_a_client_gets_each_picture_once_and_every_place():
    client = Client()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.voice.run)
        await trio.testing.wait_all_tasks_blocked()
        assert not client.pointer.is_drawn
        assert await client.moved(10, 20, ARROW) == CursorState(1, CursorFlag.VISIBLE, 10, 20)
        assert await client.moved(11, 20, None) == CursorState(1, CursorFlag.VISIBLE, 11, 20)
        rgba = bytes([0x10, 0x20, 0x30, 0xFF, 0x80, 0, 0, 0x80])
        assert client.shapes == [CursorShape(1, 2, 1, 1, 0, rgba)]
        client.voice.frame_left()
        assert client.states[-1] == client.states[-2]
        hidden = CursorBitmap(0, 0, 0, 0, b"")
        assert await client.moved(11, 20, hidden) == CursorState(2, CursorFlag(0), 11, 20)
        assert len(client.shapes) == 1
        nursery.cancel_scope.cancel()
    assert client.pointer.is_drawn


async def test_the_host_draws_and_is_quiet_while_the_client_does_not():
    client = Client()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.voice.run)
        await trio.testing.wait_all_tasks_blocked()
        client.voice.render(client_draws=False)
        client.pointer.move(CursorMeta(5, 6, ARROW))
        client.voice.frame_left()
        await trio.testing.wait_all_tasks_blocked()
        assert client.pointer.is_drawn
        assert not client.states
        client.voice.render(client_draws=True)
        await client.heard.wait()
        assert client.states[-1] == CursorState(1, CursorFlag.VISIBLE, 5, 6)
        assert len(client.shapes) == 1
        nursery.cancel_scope.cancel()


async def test_a_pointer_larger_than_clients_take_is_scaled_down():
    client = Client()
    big = CursorBitmap(300, 240, 290, 100, struct.pack("<I", 0xFF204060) * 300 * 240)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.voice.run)
        await trio.testing.wait_all_tasks_blocked()
        await client.moved(0, 0, big)
        nursery.cancel_scope.cancel()
    (shape,) = client.shapes
    assert (shape.width_px, shape.height_px, shape.hot_x_px, shape.hot_y_px) == (100, 80, 96, 33)
    assert shape.rgba == bytes([0x20, 0x40, 0x60, 0xFF]) * 8000
