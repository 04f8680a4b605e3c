"""A D-Bus connection that lasts: calls, properties, signals and one-way messages over one socket.

For services that take back what they made when the connection goes (Mutter's casts, the portal's sessions).
A bus that dies sets ``closed`` and fails whoever waits for an answer; it disturbs nobody else.
"""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
from jeepney import (
    DBusAddress,
    HeaderFields,
    MatchRule,
    Message,
    MessageFlag,
    MessageType,
    Properties,
    message_bus,
    new_method_call,
)

from punktfunk.control.system.dbus import ANSWER_S, open_bus
from punktfunk.control.system.serving import serving_nursery
from punktfunk.errors import EnvironmentProblem

SIGNALS_KEPT: Final = 32
BROKEN = (trio.BrokenResourceError, trio.ClosedResourceError, trio.EndOfChannel, RuntimeError, ValueError)
"""How jeepney shows a bus that hung up, or that sends what is no D-Bus."""


class Refused(EnvironmentProblem):
    """The service answered with an error; ``name`` is that of D-Bus."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


class BusLink:
    """One connection; see :func:`open_link`. ``closed`` is set once the bus is gone."""

    def __init__(self, connection: Any, address: str) -> None:
        self.closed = trio.Event()
        self.address = address
        self._connection = connection
        self._waiting: dict[int, tuple[trio.Event, list[Message]]] = {}
        self._listeners: list[tuple[MatchRule, trio.MemorySendChannel[Message]]] = []

    @property
    def unique_name(self) -> str:
        """Our own name on the bus, such as ":1.42"."""
        return str(self._connection.unique_name)

    async def call(
        self, service: str, path: str, interface: str, method: str, signature: str = "", *values: Any
    ) -> tuple[Any, ...]:
        """Call a method and return its results; EnvironmentProblem for an error, silence or a dead bus."""
        address = DBusAddress(path, bus_name=service, interface=interface)
        return await self._ask(new_method_call(address, method, signature or None, values))

    async def get(self, service: str, path: str, interface: str, name: str) -> Any:
        """Read a property."""
        address = DBusAddress(path, bus_name=service, interface=interface)
        ((_signature, value),) = await self._ask(Properties(address).get(name))
        return value

    async def has_owner(self, service: str) -> bool:
        """Tell whether somebody offers a service, without starting it."""
        (owned,) = await self._ask(message_bus.NameHasOwner(service))
        return bool(owned)

    async def pid_of(self, service: str) -> int:
        """Find the process that offers a service."""
        (pid,) = await self._ask(message_bus.GetConnectionUnixProcessID(service))
        return int(pid)

    async def tell(self, message: Message) -> None:
        """Send a call whose answer nobody wants; one that cannot be sent is lost, as the link is closed."""
        message.header.flags |= MessageFlag.no_reply_expected
        with contextlib.suppress(*BROKEN, OSError):
            await self._connection.send(message, serial=next(self._connection.outgoing_serial))

    @asynccontextmanager
    async def signals(
        self, interface: str, member: str, path: str
    ) -> AsyncGenerator["trio.MemoryReceiveChannel[Message]"]:
        """Receive a signal's messages for the length of the block; the channel ends with the bus."""
        rule = MatchRule(type="signal", interface=interface, member=member, path=path)
        sender, receiver = trio.open_memory_channel[Message](SIGNALS_KEPT)
        listener = (rule, sender)
        self._listeners.append(listener)
        try:
            await self._ask(message_bus.AddMatch(rule))
            yield receiver
        finally:
            self._listeners.remove(listener)
            sender.close()
            receiver.close()
            with trio.move_on_after(1, shield=True):
                await self.tell(message_bus.RemoveMatch(rule))

    async def _ask(self, message: Message) -> tuple[Any, ...]:
        if self.closed.is_set():
            raise EnvironmentProblem(f"the D-Bus at {self.address} is gone")
        serial = next(self._connection.outgoing_serial)
        answered, replies = self._waiting[serial] = (trio.Event(), [])
        try:
            with trio.fail_after(ANSWER_S):
                await self._connection.send(message, serial=serial)
                await answered.wait()
        except trio.TooSlowError as error:
            raise EnvironmentProblem(f"D-Bus did not answer within {ANSWER_S:g} s") from error
        except (*BROKEN, OSError) as error:
            raise EnvironmentProblem(f"D-Bus hung up: {error}") from error
        finally:
            del self._waiting[serial]
        if not replies:
            raise EnvironmentProblem(f"the D-Bus at {self.address} hung up")
        (reply,) = replies
        if reply.header.message_type == MessageType.error:
            name = str(reply.header.fields.get(HeaderFields.error_name, "an error"))
            raise Refused(name, str(reply.body[0]) if reply.body else "")
        body: tuple[Any, ...] = reply.body
        return body

    async def read(self) -> None:
        """Sort what comes until the bus hangs up."""
        try:
            while True:
                self._sort(await self._connection.receive())
        except (*BROKEN, OSError):
            pass
        finally:
            self.closed.set()
            for answered, _replies in self._waiting.values():
                answered.set()
            for _rule, sender in self._listeners:
                sender.close()

    def _sort(self, message: Message) -> None:
        serial = message.header.fields.get(HeaderFields.reply_serial)
        if serial in self._waiting:
            answered, replies = self._waiting[serial]
            replies.append(message)
            answered.set()
            return
        for rule, sender in self._listeners:
            if rule.matches(message):
                with contextlib.suppress(trio.WouldBlock, trio.BrokenResourceError):
                    sender.send_nowait(message)  # a full channel has news enough already


@asynccontextmanager
async def open_link(address: str) -> AsyncGenerator[BusLink]:
    """Connect to a bus ("SYSTEM", "SESSION" or an address); EnvironmentProblem if none answers."""
    async with open_bus(address) as connection, serving_nursery() as nursery:
        link = BusLink(connection, address)
        nursery.start_soon(link.read)
        yield link
