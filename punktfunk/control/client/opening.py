"""Open a session: dial, introduce ourselves, receive, run the session's tasks; and leave as was wished.

Source: punktfunk-1 sections 2.3 and 2.17.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from punktfunk.control.client.dial import Target, dialled, why_closed
from punktfunk.control.client.media_socket import aim, media_socket
from punktfunk.control.client.options import SessionOptions, client_config
from punktfunk.control.client.receivers import receiver_class
from punktfunk.control.client.session import ClientSession
from punktfunk.control.client.session_tasks import run_session
from punktfunk.control.client.setup import introduce, receive_plan, start_message
from punktfunk.control.native.identity import NativeIdentity
from punktfunk.control.native.messages import MessageStream
from punktfunk.control.quic import QuicClosed, StreamReset
from punktfunk.wire.native.welcome import Welcome

if TYPE_CHECKING:
    from punktfunk.control.client.receivers import Receiver

JOIN_NS: Final = 2_000_000_000


@asynccontextmanager
async def open_session(
    target: Target, identity: NativeIdentity, options: SessionOptions, say: Callable[[str], None]
) -> AsyncGenerator[ClientSession]:
    """Connect, run the session's tasks for the length of the block, and quit; ConnectionEnded if it cannot.

    ``say`` gets lines for people, such as that an approval is awaited.
    """
    config = client_config(identity, target.fingerprint, options.idle_timeout_s)
    async with dialled(target, config) as connection:
        stream = connection.open_stream()
        messages = MessageStream(stream)
        welcome = await introduce(connection, messages, target.name, options, say)
        address = connection.remote_address[0]
        with media_socket(address) as bound:
            port = bound.getsockname()[1]
            try:
                await messages.send(start_message(welcome, options, port))
                aim(bound, address, welcome.media_port)
            except (QuicClosed, StreamReset):
                raise await why_closed(connection, target.name) from None
            async with _receiving(welcome, options, bound.fileno()) as video:
                session = ClientSession(connection, stream, messages, target.name, welcome, options, video)
                failure: Exception | None = None
                try:
                    async with trio.open_nursery() as nursery:
                        try:
                            await nursery.start(run_session, session, bound)
                            yield session
                        except Exception as error:  # noqa: BLE001 -- raised below, without the nursery's group
                            failure = error
                        nursery.cancel_scope.cancel()
                finally:
                    if session.ending is None and options.keep_display:
                        session.pause()
                    elif session.ending is None:
                        session.quit()
                    session.frames.close()
                if failure is not None:
                    raise failure


@asynccontextmanager
async def _receiving(welcome: Welcome, options: SessionOptions, socket_fd: int) -> AsyncGenerator["Receiver"]:
    video = await trio.to_thread.run_sync(
        # Not at import: whoever pairs or is refused need not wait for the kernels to load.
        partial(receiver_class(options.receiver), packet_log_rows=options.packet_log_rows),
        receive_plan(welcome, options),
        socket_fd,
        options.realtime,
    )
    try:
        await trio.to_thread.run_sync(video.start)
        yield video
    finally:
        # The bound lies inside stop(): a Trio timeout could not interrupt the thread.
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(video.stop, JOIN_NS)
