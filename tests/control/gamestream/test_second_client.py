"""Two GameStream clients at once: a display of its own, a takeover, a refusal; and how long displays linger."""

import pytest
import trio
from session_world import ALICE, BOB, DESKTOP, GAME, World

from punktfunk.control.gamestream.runs import LaunchRefused
from punktfunk.control.occupancy import Streaming

pytestmark = pytest.mark.trio


@pytest.fixture
def make_world(monkeypatch):
    return lambda **rules: World(**rules).patch(monkeypatch)


async def settle():
    await trio.sleep(0.01)


async def refused(function, *args):
    with pytest.raises(LaunchRefused) as refusal:
        await function(*args)
    return refusal.value.status, str(refusal.value)


async def test_each_client_has_its_own(make_world, autojump_clock):
    async with make_world(second="own").running() as world:
        first = await world.join(await world.launch(ALICE, GAME))
        assert world.sessions.app_id_for(BOB.fingerprint) == 0
        second = await world.join(await world.launch(BOB, DESKTOP))
        assert not first.ended.is_set()
        assert world.noted.open_now("display") == world.noted.open_now("video") == 2
        assert world.sessions.app_id_for(ALICE.fingerprint) == GAME
        assert world.sessions.app_id_for(BOB.fingerprint) == DESKTOP
        assert set(world.sessions.streams) == {first, second}
        assert world.sessions.status() == [
            {"app": "Game", "client": "alice", "owner": "alice"},
            {"app": "Desktop", "client": "bob", "owner": "bob"},
        ]
        assert "already running" in (await refused(world.launch, BOB))[1]
        await world.sessions.cancel(BOB.fingerprint)
        assert (first.ended.is_set(), second.end_reason) == (False, "quit by the client")
        assert world.noted.open_now("display") == 1


async def test_what_one_client_left_another_may_go_on_with(make_world, autojump_clock):
    async with make_world(second="own").running() as world:
        first = await world.join(await world.launch(ALICE, GAME))
        assert await refused(world.resume, BOB) == (503, "No app is running that could be resumed.")
        first.end("the client left")
        await settle()
        assert world.sessions.app_id_for(BOB.fingerprint) == GAME
        second = await world.join(await world.resume(BOB))
        assert world.sessions.app_id_for(ALICE.fingerprint) == 0
        assert (world.noted.opened["display"], second.peer) == (1, BOB)


async def test_rtsp_finds_the_stream_that_waits_for_it(make_world, autojump_clock):
    async with make_world(second="own").running() as world:
        first = await world.join(await world.launch(ALICE))
        assert world.sessions.pending_for(ALICE.address) is None
        second = await world.launch(BOB)
        assert world.sessions.pending_for(BOB.address) is second
        assert first.played.is_set()


async def test_a_display_that_waits_makes_room_and_one_that_is_watched_does_not(make_world, autojump_clock):
    async with make_world(second="own", limit=1).running() as world:
        first = await world.join(await world.launch(ALICE, GAME))
        first.end("the client left")
        await settle()
        world.sessions.runs[0].closing = True  # so that BOB is not told of it
        await world.join(await world.launch(BOB, DESKTOP))
        assert [run.app.app_id for run in world.sessions.runs] == [DESKTOP]


async def test_another_protocols_client_is_taken_over_or_in_the_way(make_world, autojump_clock):
    for second, outcome in [("takeover", None), ("refuse", (400, "tv is streaming from this host."))]:
        async with make_world(second=second).running() as world:
            left, gone = [], trio.Event()

            def leave(newcomer, left=left, gone=gone):
                left.append(newcomer)
                gone.set()

            with world.occupancy.streaming(Streaming("native", "tv", leave, gone)):
                if outcome is None:
                    await world.join(await world.launch(ALICE))
                    assert left == ["alice"]
                else:
                    assert await refused(world.launch, ALICE) == outcome


@pytest.mark.parametrize(("linger_s", "waits_s"), [(0, 0), (30, 30), (None, 600)])
async def test_a_client_that_drops_is_waited_for_as_set(make_world, autojump_clock, linger_s, waits_s):
    async with make_world(linger_s=linger_s).running() as world:
        stream = await world.join(await world.launch())
        stream.end("the client fell silent", dropped=True)
        if waits_s:
            await trio.sleep(waits_s - 1)
            assert world.sessions.current_app_id == DESKTOP
        await trio.sleep(2)
        world.assert_nothing_left()


async def test_one_that_leaves_is_waited_for_longer(make_world, autojump_clock):
    async with make_world(linger_s=1, resume_timeout_s=60).running() as world:
        stream = await world.join(await world.launch())
        stream.end("the client left")
        await trio.sleep(59)
        assert world.sessions.current_app_id == DESKTOP
