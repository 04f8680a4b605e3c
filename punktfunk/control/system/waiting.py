"""Waiting for something that nobody announces: a file, a process's end, another program's state."""

from collections.abc import Awaitable, Callable

import trio

INTERVAL_S = 0.015


async def wait_until(condition: Callable[[], Awaitable[bool]], timeout_s: float) -> bool:
    """Ask until the answer is yes; False if it is still no after ``timeout_s``."""
    with trio.move_on_after(timeout_s):
        while not await condition():  # noqa: ASYNC110 - nobody sets an event: it is another program's state
            await trio.sleep(INTERVAL_S)
        return True
    return False
