"""The pointer of a client that draws it itself: its picture once, then where it is (punktfunk-1 §2.6).

The session begins in that state where both sides announced it: pictures come without the pointer.
CursorRender gives the drawing back to the host, which is quiet about it from then on.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from punktfunk.realtime import pointer_picture
from punktfunk.wire.native.control import ControlMessage, CursorShape
from punktfunk.wire.native.control_desk import CURSOR_SIDE_MAX_PX
from punktfunk.wire.native.datagrams import CursorFlag, CursorState, build_datagram

if TYPE_CHECKING:
    from punktfunk.realtime import Pointer


class PointerVoice:
    """Tells one client of the pointer, while the client draws it. :meth:`run` must run."""

    def __init__(
        self,
        pointer: "Pointer",
        say: Callable[[ControlMessage], Awaitable[None]],
        send_datagram: Callable[[bytes], object],
    ) -> None:
        self._pointer = pointer
        self._say = say
        self._send_datagram = send_datagram
        self._told_serial = 0

    async def run(self) -> None:
        """Tell until cancelled; then the host draws the pointer again."""
        bell_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._pointer.listen(bell_fd)
            self.render(client_draws=True)
            while True:
                await trio.lowlevel.wait_readable(bell_fd)
                with suppress(BlockingIOError):
                    os.eventfd_read(bell_fd)
                await self._tell()
        finally:
            self._pointer.listen(-1)
            self._pointer.is_drawn = True
            os.close(bell_fd)

    def render(self, *, client_draws: bool) -> None:
        """Have the client draw the pointer from now on, or the host."""
        self._pointer.is_drawn = not client_draws
        self._pointer.ring()

    def frame_left(self) -> None:
        """Say again where the pointer is: a datagram may have been lost."""
        if not self._pointer.is_drawn:
            self._say_where()

    async def _tell(self) -> None:
        state = self._pointer.state
        if self._pointer.is_drawn:
            return
        if state.visible and state.serial != self._told_serial:
            width, height, hot_x, hot_y, rgba = pointer_picture(state.bitmap, CURSOR_SIDE_MAX_PX)
            await self._say(CursorShape(state.serial, width, height, hot_x, hot_y, rgba))
            self._told_serial = state.serial
        self._say_where()

    def _say_where(self) -> None:
        state = self._pointer.state
        if state.serial:
            flags = CursorFlag.VISIBLE if state.visible else CursorFlag(0)
            where = CursorState(state.serial, flags, state.x_px, state.y_px)
            self._send_datagram(build_datagram(where))
