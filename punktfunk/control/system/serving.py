"""A nursery whose tasks serve a block: they end with it, and what the block raises is raised as it is."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def serving_nursery() -> AsyncGenerator[trio.Nursery]:
    """Open a nursery for tasks that run for the length of the block and no longer.

    An ordinary nursery wraps the block's exception in a group, and callers look for the thing itself. A task
    that fails still comes in a group: the block was cancelled because of it.
    """
    problem: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except Exception as error:  # noqa: BLE001 - raised again below, as it is
            problem = error
        nursery.cancel_scope.cancel()
    if problem is not None:
        raise problem
