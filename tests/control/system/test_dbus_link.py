"""A lasting D-Bus connection: answers, refusals, signals, and a bus that goes away."""

import itertools

import pytest
import trio
from jeepney import DBusAddress, HeaderFields, new_error, new_method_return, new_signal

from punktfunk.control.system.dbus_link import SIGNALS_KEPT, BusLink, Refused
from punktfunk.control.system.serving import serving_nursery
from punktfunk.errors import EnvironmentProblem

pytestmark = pytest.mark.trio

NAME, PATH = "org.example.Thing", "/org/example/Thing"


class Bus:
    """The other end: answers every method as ``answers`` says, and is silent on the rest."""

    def __init__(self, **answers):
        self.answers = {"AddMatch": ((), ""), "RemoveMatch": ((), ""), **answers}
        self.heard = []
        self.outgoing_serial = itertools.count(1)
        self.unique_name = ":1.7"
        self.send_back, self.coming = trio.open_memory_channel(100)

    async def send(self, message, *, serial):
        await trio.lowlevel.checkpoint()
        member = message.header.fields[HeaderFields.member]
        self.heard.append(member)
        message.header.serial = serial
        answer = self.answers.get(member)
        if isinstance(answer, str):
            self.send_back.send_nowait(new_error(message, answer, "s", ("no",)))
        elif answer is not None:
            body, signature = answer
            self.send_back.send_nowait(new_method_return(message, signature or None, body))

    async def receive(self):
        return await self.coming.receive()

    def signal(self, member, number):
        address = DBusAddress(PATH, interface=NAME)
        self.send_back.send_nowait(new_signal(address, member, "u", (number,)))


async def linked(bus, nursery):
    link = BusLink(bus, "unix:path=/bus")
    nursery.start_soon(link.read)
    return link


async def test_answers_properties_and_refusals(autojump_clock):
    bus = Bus(Add=((5,), "u"), Get=((("s", "blue"),), "v"), Break="org.example.Broken")
    async with serving_nursery() as nursery:
        link = await linked(bus, nursery)
        assert await link.call(NAME, PATH, NAME, "Add", "uu", 2, 3) == (5,)
        assert await link.get(NAME, PATH, NAME, "Colour") == "blue"
        with pytest.raises(Refused, match=r"org\.example\.Broken: no"):
            await link.call(NAME, PATH, NAME, "Break")
        with pytest.raises(EnvironmentProblem, match="did not answer"):
            await link.call(NAME, PATH, NAME, "Sleep")


async def test_signals_reach_who_asked_for_them(autojump_clock):
    bus = Bus()
    async with serving_nursery() as nursery:
        link = await linked(bus, nursery)
        async with link.signals(NAME, "Changed", PATH) as changes:
            bus.signal("Other", 1)
            for number in range(SIGNALS_KEPT + 5):
                bus.signal("Changed", number)
            await trio.testing.wait_all_tasks_blocked()
            assert [(await changes.receive()).body for _ in range(2)] == [(0,), (1,)]
        assert bus.heard[-1] == "RemoveMatch"


async def test_a_bus_that_goes_fails_who_waits_and_nobody_else(autojump_clock):
    bus = Bus()
    async with serving_nursery() as nursery:
        link = await linked(bus, nursery)

        async def ask():
            with pytest.raises(EnvironmentProblem, match="hung up"):
                await link.call(NAME, PATH, NAME, "Sleep")

        async with link.signals(NAME, "Changed", PATH) as changes, trio.open_nursery() as asking:
            asking.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            bus.send_back.close()
            assert [message async for message in changes] == []
        assert link.closed.is_set()
        with pytest.raises(EnvironmentProblem, match="gone"):
            await link.call(NAME, PATH, NAME, "Add")


async def test_what_the_block_raises_comes_as_it_is(autojump_clock):
    async def fail():
        async with serving_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise EnvironmentProblem("mine")

    with pytest.raises(EnvironmentProblem, match="mine"):
        await fail()
