"""One session after another: a network that drops is no reason to start the client anew.

The host keeps the display for a while after an unexpected end, so a session that comes back soon finds its
programs where they were. Source: punktfunk-1 sections 2.4 (close codes) and 2.17.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import trio

from punktfunk.control.client.endings import ConnectionEnded
from punktfunk.control.client.session import ClientSession

SessionFactory = Callable[[], AbstractAsyncContextManager[ClientSession]]
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0
GIVE_UP_S: Final = 180.0
STABLE_S: Final = 10.0


async def keep_connected(
    session_factory: SessionFactory,
    use: Callable[[ClientSession], Awaitable[None]],
    report: Callable[[str], None],
    *,
    give_up_s: float = GIVE_UP_S,
) -> None:
    """Run ``use`` with a session, again after each drop; returns when ``use`` does.

    ``use`` is cancelled when its session ends. ConnectionEnded when the host ended it on purpose, when the
    first connection fails, or when nothing came back within ``give_up_s``.
    """
    pause_s, dropped_s = FIRST_PAUSE_S, None
    while True:
        try:
            async with session_factory() as session:
                if dropped_s is not None:
                    report(f"connected to {session.host} again")
                began_s = trio.current_time()
                finished = await _use(session, use)
                if finished:
                    return
                assert session.ending is not None
                ending = session.ending
            if trio.current_time() - began_s > STABLE_S:
                pause_s, dropped_s = FIRST_PAUSE_S, None
        except ConnectionEnded as problem:
            if dropped_s is None:
                raise
            ending = problem
        if not ending.again:
            raise ending
        dropped_s = trio.current_time() if dropped_s is None else dropped_s
        if trio.current_time() - dropped_s > give_up_s:
            raise ending
        report(f"{ending}; trying again")
        await trio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def _use(session: ClientSession, use: Callable[[ClientSession], Awaitable[None]]) -> bool:
    """Use a session until it ends; True if ``use`` was done before."""
    finished = False
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            await session.closed.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        try:
            await use(session)
            finished = not session.closed.is_set()
        except Exception as error:  # noqa: BLE001 -- raised below, without the nursery's group
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return finished
