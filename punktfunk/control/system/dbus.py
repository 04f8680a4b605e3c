"""One question to a D-Bus service, with a bound; the connection lasts as long as the answer must hold."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio
from jeepney import HeaderFields, Message, MessageType
from jeepney.auth import AuthenticationError
from jeepney.io.trio import DBusConnection, open_dbus_connection

from punktfunk.errors import EnvironmentProblem

ANSWER_S = 3.0
MAXIMUM_UNRELATED = 100


@asynccontextmanager
async def open_bus(address: str) -> AsyncGenerator[Any]:
    """Connect to a bus: "SYSTEM", "SESSION" or an address; EnvironmentProblem if none answers.

    Nothing reads the connection between questions, so a bus that dies disturbs nobody.
    """
    connection: DBusConnection | None = None
    reason = f"no answer within {ANSWER_S:g} s"
    with trio.move_on_after(ANSWER_S):
        # A bus that hangs up on us does so inside jeepney's own nursery: the error comes wrapped or bare.
        try:
            connection = await open_dbus_connection(address, enable_fds=True)
        except* (
            OSError,
            KeyError,
            RuntimeError,
            AuthenticationError,
            trio.BrokenResourceError,
            trio.EndOfChannel,
        ) as group:
            reason = "; ".join(str(error) or type(error).__name__ for error in group.exceptions)
    if connection is None:
        raise EnvironmentProblem(f"no D-Bus at {address}: {reason}")
    async with connection:
        yield connection


_serials = itertools.count(1000)


async def call(connection: Any, message: Message) -> tuple[Any, ...]:
    """Ask and return the body of the answer; EnvironmentProblem for an error, silence or a dead bus."""
    serial = next(_serials)
    try:
        with trio.fail_after(ANSWER_S):
            await connection.send(message, serial=serial)
            for _ in range(MAXIMUM_UNRELATED):
                reply = await connection.receive()
                if reply.header.fields.get(HeaderFields.reply_serial) == serial:
                    break
            else:
                raise EnvironmentProblem("D-Bus sent much, but no answer")
    except trio.TooSlowError as error:
        raise EnvironmentProblem(f"D-Bus did not answer within {ANSWER_S:g} s") from error
    except (trio.BrokenResourceError, trio.EndOfChannel, RuntimeError) as error:
        raise EnvironmentProblem(f"D-Bus hung up: {error}") from error
    if reply.header.message_type == MessageType.error:
        name = reply.header.fields.get(HeaderFields.error_name, "an error")
        text = reply.body[0] if reply.body else ""
        raise EnvironmentProblem(f"{name}: {text}")
    body: tuple[Any, ...] = reply.body
    return body
