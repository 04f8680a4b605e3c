"""One session after another, under a virtual clock."""

from contextlib import asynccontextmanager

import pytest
import trio

from punktfunk.control.client.endings import ConnectionEnded
from punktfunk.control.client.reconnect import keep_connected

LOST = ConnectionEnded("lost", again=True)
DENIED = ConnectionEnded("denied", code=0x64)


class Session:
    host = "desk"

    def __init__(self):
        self.closed = trio.Event()
        self.ending = None

    def end(self, ending):
        self.ending = ending
        self.closed.set()


class Network:
    """Gives sessions, or errors in their place, as a script says."""

    def __init__(self, *script):
        self.script = list(script)
        self.sessions = []
        self.times = []

    @asynccontextmanager
    async def __call__(self):
        self.times.append(trio.current_time())
        step = self.script.pop(0) if self.script else LOST
        if isinstance(step, ConnectionEnded):
            raise step
        session = Session()
        self.sessions.append(session)
        yield session


async def keep(network, use, **options):
    lines = []
    await keep_connected(network, use, lines.append, **options)
    return lines


@pytest.mark.trio
async def test_a_drop_is_followed_by_another_session(autojump_clock):
    network = Network("session", LOST, "session")

    async def use(session):
        if len(network.sessions) == 1:
            session.end(LOST)
            await trio.sleep_forever()

    assert await keep(network, use) == [
        "lost; trying again", "lost; trying again", "connected to desk again",
    ]  # fmt: skip
    assert network.times == [0, 0.5, 1.5]


@pytest.mark.trio
async def test_a_use_that_is_done_ends_it(autojump_clock):
    async def use(_session):
        await trio.sleep(1)

    assert await keep(Network("session"), use) == []


@pytest.mark.trio
@pytest.mark.parametrize("script", [[DENIED], [LOST], ["session"]])
async def test_what_is_final_is_raised(autojump_clock, script):
    async def use(session):
        session.end(DENIED)
        await trio.sleep_forever()

    with pytest.raises(ConnectionEnded):
        await keep(Network(*script), use)


@pytest.mark.trio
async def test_nobody_waits_for_ever(autojump_clock):
    async def use(session):
        session.end(LOST)
        await trio.sleep_forever()

    with pytest.raises(ConnectionEnded, match="lost"):
        await keep(Network("session"), use, give_up_s=60)
    assert 60 < trio.current_time() < 80


@pytest.mark.trio
async def test_errors_of_the_user_of_a_session_come_out_bare(autojump_clock):
    async def use(_session):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await keep(Network("session"), use)
