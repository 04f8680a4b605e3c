"""Reach a host: attempts of three seconds within a budget, and every failure as a sentence.

Silence is dialled again, as the host may be waking up; whatever else goes wrong is final, since it would go
wrong again. Source: punktfunk-1 section 2.17.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio

from punktfunk.control.client.endings import ConnectionEnded, explain, unreachable, wrong_fingerprint
from punktfunk.control.quic import (
    NoAnswer,
    NoCommonProtocol,
    PinMismatch,
    QuicClosed,
    QuicConfig,
    QuicConnection,
    connect_quic,
)

ATTEMPT_S: Final = 3.0
HEAD_ROOM_S: Final = 2.0
BUDGET_S: Final = 10.0
LATE_CLOSE_S: Final = 0.3
PAUSE_S: Final = 0.25
"""Between attempts: one that fails at once must not become a flood."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to dial. ``fingerprint`` is the pin, None to take whoever answers; ``name`` is for people."""

    address: str
    port: int
    name: str
    fingerprint: str | None = None


@asynccontextmanager
async def dialled(
    target: Target, config: QuicConfig, *, budget_s: float = BUDGET_S
) -> AsyncIterator[QuicConnection]:
    """Own a connection for the length of the block; ConnectionEnded says why there is none."""
    async with AsyncExitStack() as stack:
        yield await _dial(stack, target, config, trio.current_time() + budget_s)


async def _dial(
    stack: AsyncExitStack, target: Target, config: QuicConfig, deadline_s: float
) -> QuicConnection:
    began_s = trio.current_time()
    while True:
        left_s = deadline_s - HEAD_ROOM_S - trio.current_time()
        attempt_s = min(ATTEMPT_S, max(left_s, PAUSE_S))
        try:
            return await stack.enter_async_context(
                connect_quic(target.address, target.port, config, timeout_s=attempt_s)
            )
        except PinMismatch as mismatch:
            raise wrong_fingerprint(target.name, mismatch.pinned, mismatch.seen) from None
        except NoCommonProtocol:
            raise ConnectionEnded(
                f"{target.name} speaks another protocol than punktfunk/1",
                hint="Update punktfunk on the older of both machines.",
            ) from None
        except NoAnswer as silence:
            if not silence.reason.timed_out:
                raise ConnectionEnded(silence.reason.text, hint=silence.hint, again=True) from None
            if trio.current_time() + PAUSE_S >= deadline_s - HEAD_ROOM_S:
                waited_s = trio.current_time() - began_s
                raise unreachable(target.name, target.address, target.port, waited_s) from None
        except QuicClosed as closed:
            reason = closed.reason
            raise explain(
                target.name,
                reason.code if reason.application else None,
                reason.text,
                timed_out=reason.timed_out,
            ) from None
        await trio.sleep(PAUSE_S)


async def why_closed(connection: QuicConnection, host: str) -> ConnectionEnded:
    """Explain the end of a connection, or of its control stream, which may come a moment before."""
    with trio.move_on_after(LATE_CLOSE_S):
        await connection.wait_closed()
    reason = connection.closed_reason
    if reason is None:
        return explain(host, None, "the control stream ended")
    if not reason.application and not reason.timed_out:
        return explain(host, None, reason.text)
    return explain(host, reason.code, reason.text, timed_out=reason.timed_out)
