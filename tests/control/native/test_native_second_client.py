"""A second punktfunk/1 client: takeover of the display, refusal, room; and what a client is told it got."""

from dataclasses import replace

import pytest
import trio
from native_serving import GAME, HELLO, SilentSound, no_inhibition, serving

from punktfunk.control.occupancy import Occupancy
from punktfunk.wire.native import control as wire
from punktfunk.wire.native.capabilities import CloseCode

pytestmark = pytest.mark.trio


@pytest.fixture(autouse=True)
def doubles(monkeypatch):
    monkeypatch.setattr("punktfunk.control.native.session.HostAudio", SilentSound)
    monkeypatch.setattr("punktfunk.control.native.showing.inhibited", no_inhibition)
    monkeypatch.setattr("punktfunk.control.native.voice.FIRST_WORDS_S", 0.05)


async def ended(client):
    with trio.fail_after(5):
        return await client.connection.wait_closed()


async def test_a_takeover_goes_on_with_the_display_and_the_app(tmp_path):
    async with serving(tmp_path, occupancy=Occupancy("takeover")) as world:
        async with world.client(0, replace(HELLO, launch_id="Game")) as first:
            await world.pipeline()
            (desk,) = world.desks.living()
            async with world.client(1):
                reason = await ended(first)
                assert (reason.code, reason.by_peer) == (CloseCode.SUPERSEDED, True)
                assert "has taken over this host" in reason.text
                await world.pipeline(2)
                assert world.desks.living() == [desk]
                assert (desk.app, desk.owner) == (GAME, world.service.sessions[-1].fingerprint)
        # Whoever was taken over may come back, and takes over in turn.
        async with world.client(0):
            await world.pipeline(3)
            assert len(world.backend.living) <= 2


async def test_another_app_leaves_the_firsts_display_waiting(tmp_path):
    async with serving(tmp_path, occupancy=Occupancy("takeover")) as world, world.client(0) as first:
        await world.pipeline()
        async with world.client(1, replace(HELLO, launch_id="Game")):
            await ended(first)
            await world.pipeline(2)
            assert [desk.app.title for desk in world.desks.living()] == ["Desktop", "Game"]


async def test_a_refusal_names_who_streams(tmp_path):
    async with serving(tmp_path, occupancy=Occupancy("refuse")) as world, world.client(0) as first:
        await world.pipeline()
        async with world.client(1) as second:
            reason = await ended(second)
            assert (reason.code, reason.text) == (CloseCode.BUSY, "laptop is streaming from this host.")
        assert [session.number for session in world.service.sessions] == [1]
        first.connection.close(CloseCode.QUIT, "")
        await world.heard("session 1: ended")
        async with world.client(1):
            await world.pipeline(2)


async def test_a_display_that_waits_makes_room(tmp_path):
    async with serving(tmp_path, occupancy=Occupancy(limit=1)) as world:
        async with world.client(0):
            await world.pipeline()
        await world.heard("session 1: ended")
        async with world.client(1):
            await world.pipeline(2)
            assert len(world.desks.living()) == len(world.backend.living) == 1


async def test_a_client_is_told_of_a_refresh_that_it_did_not_get(tmp_path):
    async with serving(tmp_path) as world:
        world.backend.refresh_most = 60_000
        async with world.client(0, replace(HELLO, refresh_hz=144)) as client:
            assert client.welcome.refresh_hz == 144
            assert await client.hear(wire.Reconfigured) == wire.Reconfigured(
                accepted=True, width_px=1280, height_px=720, refresh_hz=60
            )
            await world.heard("gets 1280x720@60, which is not what it was promised")


async def test_a_client_that_falls_silent_is_waited_for_as_set(tmp_path):
    async with serving(tmp_path, linger_s=600, drop_linger_s=0) as world, world.client(0):
        await world.pipeline()
        (desk,) = world.desks.living()
        world.desks.release(desk, desk.user, linger=True, dropped=True)
        await world.heard("did not come back within 0 s")
        await world.until(lambda: not world.backend.living)
