"""Launch, resume, cancel, and every way in which a stream or its app can end; nothing may be left over."""

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from session_world import ALICE, BOB, DESKTOP, GAME, World
from trio.testing import MockClock

from punktfunk.control.gamestream.runs import LaunchRefused
from punktfunk.control.gamestream.sessions import END_TIMEOUT_S, START_TIMEOUT_S
from punktfunk.control.gamestream.streaming import CONNECT_TIMEOUT_S, RTSP_TIMEOUT_S
from punktfunk.errors import EnvironmentProblem, PipelineFailed, RemoteProtocolError
from punktfunk.plan import Mode
from punktfunk.wire.gamestream.feedback import TerminationCode
from punktfunk.wire.input import Key

GRACEFUL = TerminationCode.GRACEFUL
BROKEN = TerminationCode.FRAME_CONVERSION


@pytest.fixture
def make_world(monkeypatch):
    return lambda **rules: World(**rules).patch(monkeypatch)


async def settle():
    await trio.sleep(0.01)


async def refused(status, function, *args):
    with pytest.raises(LaunchRefused) as refusal:
        await function(*args)
    assert refusal.value.status == status
    return str(refusal.value)


@pytest.mark.trio
async def test_from_launch_to_cancel(make_world, autojump_clock):
    async with make_world().running() as world:
        assert world.sessions.current_app_id == 0
        stream = await world.join(await world.launch())
        assert world.sessions.current_app_id == DESKTOP
        (video,) = world.videos
        assert video.plan.source.mode == Mode(1280, 720, 60_000)
        stream.request_idr()
        stream.input.put([Key(0x41, pressed=True)])
        await settle()
        assert video.idr_count == 1
        assert world.injectors[0].injected == [Key(0x41, pressed=True)]
        assert len(stream.endpoint.sent) == 1  # HDR mode
        endpoint = stream.endpoint
        await world.sessions.cancel(ALICE.fingerprint)
        assert (stream.end_reason, stream.end_message) == ("quit by the client", GRACEFUL)
        assert len(endpoint.sent) == 2
        assert world.injectors[0].released == 1
        world.assert_nothing_left()
        assert "stream 1: sending has no realtime priority (not allowed here)" in world.lines
        stream.request_idr()  # what a late message would call
        assert video.idr_count == 1
        assert world.noted.opened["display"] == 1


@pytest.mark.trio
async def test_the_client_is_told_before_threads_are_joined(make_world, autojump_clock):
    async with make_world().running() as world:
        stream = await world.join(await world.launch())
        world.stop_s, endpoint = 2, stream.endpoint
        stream.end("for the test", termination_code=GRACEFUL)
        await settle()
        assert len(endpoint.sent) == 2
        assert world.injectors[0].released == 1
        assert world.noted.open_now("video") == 1


@pytest.mark.trio
async def test_a_client_that_leaves_can_come_back(make_world, autojump_clock):
    async with make_world().running() as world:
        first = await world.join(await world.launch(app_id=GAME))
        first.end("the client left")
        await settle()
        assert world.noted.open_now("video") == 0
        assert world.noted.open_now("app") == world.noted.open_now("display") == 1
        assert world.sessions.stream is None
        assert world.sessions.current_app_id == GAME
        second = await world.join(await world.resume())
        assert second.number == first.number + 1
        assert second.launch.key != first.launch.key
        assert world.noted.opened == {
            "display": 1, "app": 1, "video": 2, "audio": 2, "injector": 2, "inhibition": 2
        }  # fmt: skip


@pytest.mark.trio
async def test_a_second_launch_is_refused(make_world, autojump_clock):
    async with make_world().running() as world:
        stream = await world.join(await world.launch())
        assert "already running" in await refused(400, world.launch, BOB)
        assert world.sessions.stream is stream
        stream.end("the client left")
        await settle()
        await refused(400, world.launch, ALICE)


@pytest.mark.trio
async def test_what_cannot_be_launched(make_world, autojump_clock):
    async with make_world(encryption="always").running() as world:
        await refused(404, world.launch, ALICE, 99)
        await refused(503, world.resume)
        with pytest.raises(LaunchRefused) as refusal:
            await world.launch(corever="0")
        assert refusal.value.status == 403
        await world.sessions.cancel(ALICE.fingerprint)
        assert not world.noted.opened


@pytest.mark.trio
@pytest.mark.parametrize("who", [ALICE, BOB], ids=["same", "other"])
async def test_resume_takes_over(make_world, autojump_clock, who):
    async with make_world().running() as world:
        first = await world.join(await world.launch())
        world.stop_s = 1.5
        second = await world.resume(who)
        assert (first.end_reason, first.end_message) == (f"taken over by {who.name}", GRACEFUL)
        assert world.noted.open_now("video") == 0  # the first one's threads were joined before
        assert second.peer is who
        await world.join(second)
        assert world.noted.open_now("video") == 1


@pytest.mark.trio
async def test_takeover_can_be_forbidden(make_world, autojump_clock):
    async with make_world(second="refuse").running() as world:
        first = await world.join(await world.launch())
        assert "alice" in await refused(400, world.resume, BOB)
        assert "alice" in await refused(400, world.sessions.cancel, BOB.fingerprint)
        assert not first.ended.is_set()
        second = await world.join(await world.resume(ALICE))
        second.end("the client left")
        await settle()
        await world.join(await world.resume(BOB))  # nobody uses it now


@pytest.mark.trio
async def test_the_first_mode_is_made_and_later_ones_changed_to(make_world, autojump_clock):
    async with make_world().running() as world:
        await world.join(await world.launch())
        assert world.backend.modes == []
        changes = {"x-nv-video[0].clientViewportWd": 1920, "x-nv-video[0].clientViewportHt": 1080}
        await world.join(await world.resume(), **changes)
        assert world.backend.modes == [Mode(1920, 1080, 60_000)]
        assert world.videos[-1].plan.source.mode == Mode(1920, 1080, 60_000)


@pytest.mark.trio
@pytest.mark.parametrize("problem", [EnvironmentProblem("no"), RemoteProtocolError("what")])
async def test_a_mode_that_the_display_refuses_ends_the_stream_only(make_world, autojump_clock, problem):
    async with make_world().running() as world:
        stream = await world.launch()
        world.backend.refuse_mode = problem
        world.play(stream, **{"x-nv-video[0].clientViewportWd": 1920})
        await settle()
        assert (stream.end_reason, stream.end_message) == (str(problem), BROKEN)
        assert world.sessions.current_app_id == DESKTOP
        world.backend.refuse_mode = None
        # Half a change may have happened, so the old mode is asked for again.
        await world.join(await world.resume())
        assert world.backend.modes[-1] == Mode(1280, 720, 60_000)
        assert not world.sessions.stream.ended.is_set()


@pytest.mark.trio
async def test_an_app_that_ends_by_itself(make_world, autojump_clock):
    async with make_world().running() as world:
        stream = await world.join(await world.launch(app_id=GAME))
        world.stop_s, world.backend.end_s = 1, 2
        world.processes[0].ended.set()
        await settle()
        assert (stream.end_reason, stream.end_message) == ("Game ended", GRACEFUL)
        now_s = trio.current_time()
        await refused(503, world.resume)
        assert trio.current_time() == now_s
        again = await world.launch(app_id=GAME)  # waits until the old one is gone
        assert world.noted.closed["display"] == 1
        assert world.noted.open_now("display") == 1
        await world.join(again)


@pytest.mark.trio
async def test_an_app_that_ends_while_nobody_streams(make_world, autojump_clock):
    async with make_world().running() as world:
        stream = await world.join(await world.launch(app_id=GAME))
        stream.end("the client left")
        await settle()
        world.processes[0].ended.set()
        await settle()
        world.assert_nothing_left()


@pytest.mark.trio
async def test_resume_in_the_moment_that_the_app_ends(make_world, autojump_clock):
    """The stream of a takeover must not begin in a run whose app has just ended."""
    async with make_world().running() as world:
        await world.join(await world.launch(app_id=GAME))
        world.stop_s = 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refused, 503, world.resume)
            await trio.sleep(0.5)
            world.processes[0].ended.set()
        assert len(world.videos) == 1
        await trio.sleep(1)
        world.assert_nothing_left()


@pytest.mark.trio
@pytest.mark.parametrize(
    "problem",
    [
        EnvironmentProblem("no GPU", hint="buy one"),
        RemoteProtocolError("sway spoke nonsense"),
        OSError(28, "No space left on device"),
        ExceptionGroup("outer", [ExceptionGroup("inner", [EnvironmentProblem("no GPU", hint="buy one")])]),
    ],
    ids=["environment", "nonsense", "disk", "nested"],
)
async def test_a_display_that_does_not_start(make_world, autojump_clock, problem):
    async with make_world().running() as world:
        world.backend.refuse = problem
        words = await refused(503, world.launch)
        assert "sub-exception" not in words
        assert any(word in words for word in ("no GPU buy one", "nonsense", "No space left"))
        world.assert_nothing_left()
        world.backend.refuse = None
        await world.join(await world.launch())
        assert world.noted.opened["display"] == 2


@pytest.mark.trio
async def test_a_display_that_takes_too_long(make_world, autojump_clock):
    async with make_world().running() as world:
        world.backend.start_s = START_TIMEOUT_S + 1
        assert "did not start" in await refused(503, world.launch)
        assert trio.current_time() == pytest.approx(START_TIMEOUT_S)
        world.assert_nothing_left()


@pytest.mark.trio
@pytest.mark.parametrize("after_s", [0, 1, 3])
async def test_a_client_that_hangs_up_during_its_launch(make_world, autojump_clock, after_s):
    """Else its app would stand there for ever: the idle clock starts with a stream's end."""
    async with make_world().running() as world:
        world.backend.start_s = 3
        with trio.move_on_after(after_s):
            await world.launch()
        world.backend.start_s = 0
        await settle()
        await trio.sleep(RTSP_TIMEOUT_S + world.resume_timeout_s)
        world.assert_nothing_left()
        await world.join(await world.launch())


@pytest.mark.trio
@pytest.mark.parametrize("after_s", [0, 0.5])
async def test_a_client_that_hangs_up_during_its_cancel(make_world, autojump_clock, after_s):
    async with make_world().running() as world:
        await world.join(await world.launch())
        world.stop_s = world.backend.end_s = 1
        with trio.move_on_after(after_s):
            await world.sessions.cancel(ALICE.fingerprint)
        await trio.sleep(3)
        if after_s:
            world.assert_nothing_left()
        await world.sessions.cancel(ALICE.fingerprint)
        world.assert_nothing_left()


@pytest.mark.trio
@pytest.mark.parametrize("nested", [False, True])
async def test_a_thread_that_fails_ends_the_run(make_world, autojump_clock, nested):
    async with make_world().running() as world:
        stream = await world.join(await world.launch())
        endpoint = stream.endpoint
        problem = PipelineFailed("pf-encode stopped: out of memory")
        world.videos[0].fail(ExceptionGroup("more", [problem]) if nested else problem)
        await settle()
        assert (stream.end_reason, stream.end_message) == (str(problem), BROKEN)
        assert len(endpoint.sent) == 2
        assert any("out of memory" in line for line in world.lines)
        assert world.injectors[0].released == 1
        world.assert_nothing_left()
        await world.join(await world.launch())


@pytest.mark.trio
async def test_threads_that_do_not_start(make_world, autojump_clock):
    async with make_world().running() as world:
        world.refuse_start = EnvironmentProblem("the encoder is busy")
        stream = await world.launch()
        world.play(stream)
        await settle()
        assert (stream.end_reason, stream.end_message) == ("the encoder is busy", BROKEN)
        world.assert_nothing_left()
        world.refuse_start = None
        await world.join(await world.launch())


@pytest.mark.trio
async def test_a_client_that_never_speaks_rtsp(make_world, autojump_clock):
    async with make_world().running() as world:
        stream = await world.launch()
        await stream.ended.wait()
        assert trio.current_time() == pytest.approx(RTSP_TIMEOUT_S)
        assert "did not come" in stream.end_reason
        await settle()
        assert world.videos == []
        assert world.sessions.current_app_id == DESKTOP
        await world.join(await world.resume())


@pytest.mark.trio
async def test_a_client_that_never_connects(make_world, autojump_clock):
    async with make_world().running() as world:
        stream = await world.launch()
        world.play(stream)
        began = trio.current_time()
        await stream.ended.wait()
        assert trio.current_time() - began == pytest.approx(CONNECT_TIMEOUT_S)
        assert "control connection" in stream.end_reason
        await settle()
        assert world.noted.open_now("video") == 0


@pytest.mark.trio
async def test_nobody_comes_back(make_world, autojump_clock):
    async with make_world(resume_timeout_s=60).running() as world:
        stream = await world.join(await world.launch())
        await trio.sleep(3600)  # while it streams no clock runs
        stream.end("the client left")
        await trio.sleep(59)
        assert world.sessions.current_app_id == DESKTOP
        stream = await world.join(await world.resume())
        await trio.sleep(3600)
        stream.end("the client left")
        await trio.sleep(61)
        world.assert_nothing_left()


@pytest.mark.trio
async def test_resume_of_a_run_that_unwinds(make_world, autojump_clock):
    """Its nursery takes no task any more; the client must get a refusal, not a broken host."""
    async with make_world(resume_timeout_s=60).running() as world:
        stream = await world.join(await world.launch())
        world.backend.end_s = 5
        stream.end("the client left")
        await trio.sleep(61)
        assert world.sessions.current_app_id == DESKTOP
        await refused(503, world.resume)
        await world.launch()
        assert world.noted.opened["display"] == 2


@pytest.mark.trio
async def test_a_stream_that_does_not_end(make_world, autojump_clock):
    """Two streams at once would send under one plane and drive one display."""
    async with make_world().running() as world:
        await world.join(await world.launch())
        world.stop_s = END_TIMEOUT_S + 20
        assert "does not end" in await refused(503, world.resume)
        assert world.noted.open_now("video") == 1
        world.stop_s = 0
        await trio.sleep(21)
        await world.join(await world.resume())


@pytest.mark.trio
async def test_a_cancel_that_takes_too_long_is_not_called_done(make_world, autojump_clock):
    async with make_world().running() as world:
        await world.join(await world.launch())
        world.backend.end_s = END_TIMEOUT_S + 5
        await refused(503, world.sessions.cancel, ALICE.fingerprint)
        assert world.sessions.current_app_id == DESKTOP
        await world.sessions.cancel(ALICE.fingerprint)
        world.assert_nothing_left()


@pytest.mark.trio
@pytest.mark.parametrize("moment", ["starting", "rtsp", "streaming", "idle", "ending"])
async def test_the_host_stops(make_world, autojump_clock, moment):
    async with make_world().running() as world:
        if moment == "starting":
            world.backend.start_s = 5
            world.nursery.start_soon(world.launch)
            await settle()
        else:
            stream = await world.launch()
            if moment != "rtsp":
                await world.join(stream)
            if moment == "idle":
                stream.end("the client left")
            if moment == "ending":
                world.stop_s = 5
                world.nursery.start_soon(world.sessions.cancel, ALICE.fingerprint)
            await settle()
    assert world.noted.opened["display"] == 1


@pytest.mark.trio
async def test_only_the_launching_address_may_continue(make_world, autojump_clock):
    async with make_world().running() as world:
        assert world.sessions.pending_for(ALICE.address) is None
        stream = await world.launch()
        assert world.sessions.pending_for(ALICE.address) is stream
        assert world.sessions.pending_for("192.0.2.66") is None
        assert world.sessions.pending_for("") is None
        world.play(stream)
        assert world.sessions.pending_for(ALICE.address) is None  # the conversation is over


@pytest.mark.trio
async def test_verbs_take_turns(make_world, autojump_clock):
    async with make_world().running() as world:
        world.backend.start_s = 1
        outcomes = []

        async def launch(peer):
            try:
                await world.launch(peer)
                outcomes.append(200)
            except LaunchRefused as refusal:
                outcomes.append(refusal.status)

        async with trio.open_nursery() as nursery:
            for peer in (ALICE, BOB, ALICE, BOB):
                nursery.start_soon(launch, peer)
        assert sorted(outcomes) == [200, 400, 400, 400]
        assert world.noted.opened["display"] == 1


STEPS = (
    "launch",
    "game",
    "resume",
    "other",
    "cancel",
    "join",
    "leave",
    "fail",
    "die",
    "refuse",
    "hang up",
    "wait",
    "long",
)


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from([0, 0.001, 1])), max_size=14))
@settings(max_examples=80)
def test_any_sequence_leaves_nothing(steps):
    with pytest.MonkeyPatch.context() as monkeypatch:
        trio.run(
            _walk, World(resume_timeout_s=60).patch(monkeypatch), steps, clock=MockClock(autojump_threshold=0)
        )


async def _walk(world, steps):
    async with world.running():
        world.stop_s, world.backend.start_s, world.backend.end_s = 0.5, 0.5, 0.5
        for step, pause_s in steps:
            world.nursery.start_soon(_step, world, step)
            await trio.sleep(pause_s)
            for kind in ("display", "video", "audio", "app"):
                assert world.noted.open_now(kind) <= 1
        await trio.sleep(200)
        world.backend.refuse = None
        await world.sessions.cancel(ALICE.fingerprint)
        world.assert_nothing_left()
        await world.join(await world.launch())
        assert not world.sessions.stream.ended.is_set()


async def _step(world, step):
    stream = world.sessions.stream
    world.backend.refuse = EnvironmentProblem("made up") if step == "refuse" else None
    try:
        match step:
            case "launch" | "refuse":
                await world.launch()
            case "game":
                await world.launch(BOB, GAME)
            case "resume":
                await world.resume()
            case "other":
                await world.resume(BOB)
            case "cancel":
                await world.sessions.cancel(BOB.fingerprint)
            case "hang up":
                with trio.move_on_after(0.25):
                    await world.launch()
            case "join" if stream is not None and not stream.played.is_set():
                await world.join(stream)
            case "leave" if stream is not None:
                stream.end("the client left")
            case "fail" if world.noted.open_now("video") and world.videos and stream is not None:
                world.videos[-1].fail(PipelineFailed("made up"))
            case "die" if world.processes and world.processes[-1] is not None:
                world.processes[-1].ended.set()
            case "long":
                await trio.sleep(30)
    except LaunchRefused:
        await trio.lowlevel.checkpoint()
