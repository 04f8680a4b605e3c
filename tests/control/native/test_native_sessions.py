"""Sessions of punktfunk/1 over real QUIC on loopback; pipelines and displays are doubles."""

from dataclasses import replace

import pytest
import trio
from native_serving import GAME, HELLO, FakePipeline, SilentSound, no_inhibition, serving

from punktfunk.control.native import service as service_module
from punktfunk.control.native.video import is_filler
from punktfunk.control.quic import QuicClosed
from punktfunk.plan import Mode, Pacing, StreamPosition
from punktfunk.wire.native import control as wire
from punktfunk.wire.native.capabilities import (
    CloseCode,
    CodecBit,
    DeliveryFlag,
    DeliveryProfile,
    Grant,
    VideoCap,
)
from punktfunk.wire.native.datagrams import HostTiming, build_datagram, parse_datagram
from punktfunk.wire.native.extension import Extensions
from punktfunk.wire.native.framing import frame
from punktfunk.wire.native.input import KeyEdge, PointerMove

pytestmark = pytest.mark.trio

HD = Mode(1920, 1080, 60_000)


@pytest.fixture(autouse=True)
def doubles(monkeypatch):
    monkeypatch.setattr("punktfunk.control.native.session.HostAudio", SilentSound)
    monkeypatch.setattr("punktfunk.control.native.showing.inhibited", no_inhibition)
    monkeypatch.setattr("punktfunk.control.native.showing.TEND_S", 0.02)
    monkeypatch.setattr("punktfunk.control.native.voice.FIRST_WORDS_S", 0.05)


@pytest.fixture
async def world(tmp_path):
    async with serving(tmp_path) as world:
        yield world


async def ended(connection):
    with trio.fail_after(5):
        return await connection.wait_closed()


async def test_a_session_from_hello_to_quit(world):
    async with world.client() as client:
        pipeline = await world.pipeline()
        assert pipeline.said("set_destination")[0][0] == client.media.getsockname()
        assert pipeline.plan.send.encryption_key == client.welcome.key
        assert pipeline.plan.encode.bitrate_bps < 20_000_000
        (told,) = world.service.status()
        assert (told["client"], told["mode"], told["app"]) == ("laptop", "1280x720@60", "Desktop")
        client.connection.close(CloseCode.QUIT, "bye")
    await world.heard("ended (quit by the client)")
    assert world.backend.living == []
    assert pipeline.stopped
    assert world.service.sessions == []


async def test_each_client_has_a_display_and_an_encoder_of_its_own(world):
    async with world.client(0) as first, world.client(1, replace(HELLO, refresh_hz=120)) as second:
        await world.pipeline(2)
        assert len(world.backend.living) == 2
        assert {pipeline.plan.source.mode.refresh_millihertz for pipeline in FakePipeline.made} == {
            60_000,
            120_000,
        }
        assert first.welcome.key != second.welcome.key
        assert first.welcome.media_port != second.welcome.media_port
        first.connection.close(CloseCode.QUIT, "")
        await world.heard("session 1: ended")
        assert [session.number for session in world.service.sessions] == [2]
        await world.until(lambda: len(world.backend.living) == 1)


async def test_clock_rounds_come_first_and_are_answered_at_once(world):
    extensions = Extensions(delivery_profile=DeliveryProfile.SMOOTH, delivery_flags=DeliveryFlag.FACTS)
    async with world.client(extensions=extensions) as client:
        await client.say(*[wire.ClockProbe(number) for number in range(8)])
        echoes = [await client.hear((wire.ClockEcho, wire.HostFacts)) for _ in range(8)]
        assert [echo.t1_ns for echo in echoes] == list(range(8))
        assert all(0 <= echo.t3_ns - echo.t2_ns < 10**9 for echo in echoes)
        facts = await client.hear(wire.HostFacts)
        assert facts.forced_profile == 0xFF
        assert (await world.pipeline()).plan.send.pacing is Pacing.FRAME


async def test_a_client_without_clock_rounds_hears_the_first_words_all_the_same(world):
    async with world.client(hello=replace(HELLO, launch_id="steam:Game")) as client:
        assert await client.hear(wire.LaunchOutcome) == wire.LaunchOutcome(wire.LaunchKind.SPAWNED, "Game")
        assert world.desks.living()[0].app is GAME


async def test_an_app_that_is_not_there(world):
    async with world.client(hello=replace(HELLO, launch_id="nothing")) as client:
        assert (await client.hear(wire.LaunchOutcome)).kind is wire.LaunchKind.FAILED
        assert world.desks.living()[0].app.title == "Desktop"


async def test_another_mode_without_a_reconnect(world):
    async with world.client() as client:
        first = await world.pipeline()
        await client.say(wire.Reconfigure(1920, 1080, 60))
        assert await client.hear(wire.Reconfigured) == wire.Reconfigured(True, 1920, 1080, 60)  # noqa: FBT003
        assert isinstance(await client.hear(wire.PipelineGap), wire.PipelineGap)
        second = await world.pipeline(2)
        assert first.stopped
        assert second.plan.source.mode == HD
        assert second.said("start") == [(replace(StreamPosition(), sequence=100),)]
        assert second.plan.send.encryption_key == first.plan.send.encryption_key
        await client.say(wire.Reconfigure(800, 600, 60))
        assert await client.hear(wire.Reconfigured) == wire.Reconfigured(False, 1920, 1080, 60)  # noqa: FBT003


async def test_a_mode_that_the_encoder_refuses_is_taken_back(world):
    FakePipeline.refuse_mode = HD
    async with world.client() as client:
        first = await world.pipeline()
        await client.say(wire.Reconfigure(1920, 1080, 60))
        assert (await client.hear(wire.Reconfigured)).width_px == 1920
        assert await client.hear(wire.Reconfigured) == wire.Reconfigured(True, 1280, 720, 60)  # noqa: FBT003
        assert not first.stopped
        assert world.backend.changes == [HD, Mode(1280, 720, 60_000)]


async def test_a_mode_that_the_display_refuses_is_taken_back(world):
    async with world.client() as client:
        first = await world.pipeline()
        world.backend.broken = True
        await client.say(wire.Reconfigure(1920, 1080, 60))
        assert (await client.hear(wire.Reconfigured)).width_px == 1920
        assert (await client.hear(wire.Reconfigured)).width_px == 1280
        assert not first.stopped


async def test_rates_loss_and_key_frames(world):
    async with world.client(extensions=Extensions(reads_reason=True)) as client:
        pipeline = await world.pipeline()
        await client.say(wire.SetBitrate(8000))
        assert await client.hear(wire.BitrateChanged) == wire.BitrateChanged(8000, 0)
        assert pipeline.said("set_bitrate")[-1][0] < 8_000_000
        await client.say(wire.SetBitrate(1))
        assert (await client.hear(wire.BitrateChanged)).bitrate_kbps == 500
        await client.say(wire.LossReport(100_000), wire.SetBitrate(0))
        assert (await client.hear(wire.BitrateChanged)).bitrate_kbps == 20_000
        assert pipeline.said("set_fec_percent")[-1] == (17,)  # 15 for the loss, 17 for a frame in ten minutes
        for _ in range(40):
            pipeline.send(10**9, encode_ns=40_000_000)
        await world.until(lambda: world.service.status()[0]["frames"] == 40)
        await client.say(wire.SetBitrate(90_000))
        assert await client.hear(wire.BitrateChanged) == wire.BitrateChanged(20_000, 2)


@pytest.mark.parametrize(("cooldown_ns", "granted"), [(10**12, 0), (0, 2)])
async def test_lost_frames_become_one_key_frame_per_cooldown(world, monkeypatch, cooldown_ns, granted):
    monkeypatch.setattr("punktfunk.control.adapt.host_recovery.IDR_COOLDOWN_NS", cooldown_ns)
    async with world.client() as client:
        pipeline = await world.pipeline()
        await client.say(
            wire.RequestKeyframe(), wire.RfiRequest(3, 5), wire.ClipControl(enabled=True, flags=0)
        )
        assert (await client.hear(wire.ClipState)).reason == wire.ClipReason.NO_BACKEND
        # The pipeline has just begun, by a key frame: within the cooldown that one must do.
        assert len(pipeline.said("request_idr")) == granted


async def test_probes_before_the_first_picture_and_their_distance_after_it(world):
    hello = replace(HELLO, bitrate_kbps=0, video_caps=VideoCap.PROBE_SEQUENCE)
    async with world.client(hello=hello) as client:
        line = await world.pipeline()
        assert is_filler(line.plan.source)
        await client.say(wire.ProbeRequest(10_000, 30))
        first = await client.hear(wire.ProbeResult)
        assert first.bytes_sent == first.units_sent * 5208 > 0
        real = await world.pipeline(2)
        assert (real.plan.source.mode, real.said("start")[0][0].sequence) == (Mode(1280, 720, 60_000), 100)
        await client.say(wire.ProbeRequest(10_000, 30))
        assert await client.hear(wire.ProbeResult) == wire.ProbeResult(0, 0, 0)


async def test_who_cannot_tell_filler_from_video_gets_none(world):
    async with world.client() as client:
        await world.pipeline()
        await client.say(wire.ProbeRequest(10_000, 30))
        assert await client.hear(wire.ProbeResult) == wire.ProbeResult(0, 0, 0)


async def test_larger_packets_once_the_client_takes_them(world, monkeypatch):
    monkeypatch.setattr("punktfunk.control.native.shards.SETTLED_NS", 0)
    async with world.client(hello=replace(HELLO, shard_bytes_max=4000)) as client:
        pipeline = await world.pipeline()
        pipeline.send(10**9)
        assert await client.hear(wire.ShardPayloadChanged) == wire.ShardPayloadChanged(4000)
        assert pipeline.said("change_send") == []
        await client.say(wire.ShardPayloadAck(4000), wire.LossReport(900_000))
        assert await client.hear(wire.ShardPayloadChanged) == wire.ShardPayloadChanged(1408)
        await world.until(lambda: len(pipeline.said("change_send")) == 2)
        assert [plan.shard_bytes for (plan,) in pipeline.said("change_send")] == [4000, 1408]


async def test_a_client_may_choose_how_packets_are_spread(world):
    async with world.client(extensions=Extensions(delivery_profile=0)) as client:
        pipeline = await world.pipeline()
        assert pipeline.plan.send.pacing is Pacing.BURST
        await client.say(wire.SetDelivery(DeliveryProfile.SMOOTH))
        assert await client.hear(wire.DeliveryChanged) == wire.DeliveryChanged(2, forced=False)


async def test_every_frame_is_timed_for_who_wants_it(world):
    async with world.client(hello=replace(HELLO, video_caps=VideoCap.HOST_TIMING)) as client:
        (await world.pipeline()).send(5 * 10**9)
        with trio.fail_after(5):
            (datagram,) = await client.connection.receive_datagrams()
        assert parse_datagram(datagram) == HostTiming(5 * 10**9, 3500, 1000, 2000, 500)


async def test_input_arrives_only_as_far_as_it_is_granted(tmp_path):
    async with serving(tmp_path, open_host=False) as world:
        from native_serving import CLIENTS

        await world.book.add_native(CLIENTS[0].fingerprint, "laptop", grants=Grant.KEYBOARD)
        async with world.client() as client:
            await world.pipeline()
            assert client.welcome.grants == Grant.KEYBOARD
            client.connection.send_datagram(build_datagram(PointerMove(3, 4)))
            client.connection.send_datagram(b"\xff junk")
            client.connection.send_datagram(build_datagram(KeyEdge(0x41, pressed=True)))
            await client.say(
                wire.InputEdge(KeyEdge(0x41, pressed=False)), wire.ClipControl(enabled=True, flags=0)
            )
            assert (await client.hear(wire.ClipState)).reason == wire.ClipReason.NOT_GRANTED
            await world.book.remove("laptop")
            assert (await ended(client.connection)).code == CloseCode.ACCESS_EXPIRED
        line = await world.heard("session 1: ended")
        assert "2 events refused" in line
        await world.heard("no longer paired")


async def test_a_transfer_is_declined(world):
    async with world.client() as client:
        await world.pipeline()
        stream = client.connection.open_stream()
        await stream.send_all(
            b"PKFs\1" + frame(wire.build_control(wire.ClipFetch(1, 0xFFFFFFFF, "text/plain")))
        )
        with trio.fail_after(5):
            answer = await stream.receive_some()
        assert wire.parse_control(answer[2:]).status == wire.ClipStatus.UNAVAILABLE


async def test_a_client_that_vanishes_finds_its_display_again(world):
    async with world.client(hello=replace(HELLO, launch_id="Game")):
        await world.pipeline()
    await world.heard("session 1: ended")
    assert world.backend.living == ["laptop"]
    assert world.service.status() == [{"client": "laptop", "app": "Game", "waiting": True}]
    async with world.client(hello=replace(HELLO, launch_id="Game", width_px=1920, height_px=1080)) as client:
        assert (await client.hear(wire.LaunchOutcome)).kind is wire.LaunchKind.ADOPTED
        assert (await world.pipeline(2)).plan.source.mode == HD
        assert world.backend.living == ["laptop"]


async def test_nobody_comes_back(tmp_path):
    async with serving(tmp_path, linger_s=0.02) as world:
        async with world.client():
            await world.pipeline()
        await world.heard("did not come back")
        await world.until(lambda: not world.backend.living)


async def test_the_same_device_again_takes_its_session_over(world):
    async with world.client() as first:
        await world.pipeline()
        async with world.client():
            assert (await ended(first.connection)).code == CloseCode.SUPERSEDED
            await world.pipeline(2)
            assert world.backend.living == ["laptop"]


async def test_a_pipeline_that_fails_says_why_and_leaves_nothing(world):
    async with world.client() as client:
        (await world.pipeline()).fail("pf-encode stopped: the encoder gave up")
        reason = await ended(client.connection)
        assert (reason.code, reason.by_peer) == (CloseCode.SETUP_FAILED, True)
        assert "pf-encode stopped" in reason.text
    await world.heard("session 1: ended (pf-encode stopped")
    assert FakePipeline.made[0].stopped
    await world.until(lambda: not world.backend.living)


async def test_no_display(world):
    world.backend.broken = True
    async with world.client() as client:
        reason = await ended(client.connection)
        assert (reason.code, reason.text) == (CloseCode.SETUP_FAILED, "no display can be made")
    assert FakePipeline.made == []


async def test_nothing_in_common(world):
    with pytest.raises((QuicClosed, TypeError)):
        async with world.client(hello=replace(HELLO, codecs=CodecBit.HEVC)) as client:
            await ended(client.connection)
    await world.heard("session 1: ended (This host encodes h264")


async def test_without_a_punch_video_goes_where_start_said(world, monkeypatch):
    monkeypatch.setattr("punktfunk.control.native.punch.PATIENCE_S", 0.02)
    monkeypatch.setattr("punktfunk.control.native.punch.MediaSocket.find_destination.__defaults__", (0.02,))
    async with world.client(punch=False) as client:
        pipeline = await world.pipeline()
        assert pipeline.said("set_destination")[0][0] == client.media.getsockname()


async def test_a_full_host_keeps_its_peer_waiting(tmp_path):
    async with serving(tmp_path, slots=1) as world, world.client(0) as first:
        await world.pipeline()
        async with trio.open_nursery() as nursery:

            async def second():
                async with world.client(1):
                    await world.pipeline(2)
                    nursery.cancel_scope.cancel()

            nursery.start_soon(second)
            await trio.sleep(0.1)
            assert len(world.service.sessions) == 1
            first.connection.close(CloseCode.QUIT, "")


async def test_a_device_that_comes_back_needs_no_second_slot(tmp_path):
    async with serving(tmp_path, slots=1) as world, world.client() as first:
        await world.pipeline()
        async with world.client():
            await world.pipeline(2)
            assert (await ended(first.connection)).code == CloseCode.SUPERSEDED


async def test_a_silent_peer_is_sent_away(world, monkeypatch):
    monkeypatch.setattr(service_module, "OPENING_S", 0.02)
    from native_serving import CLIENTS

    from punktfunk.control.quic import QuicConfig, connect_quic
    from punktfunk.wire.native.capabilities import ALPN

    config = QuicConfig(alpn=(ALPN,), certificate=CLIENTS[0].certificate, private_key=CLIENTS[0].private_key)
    async with connect_quic("127.0.0.1", world.port, config) as connection:
        assert (await ended(connection)).code == CloseCode.SETUP_FAILED


async def test_a_diagnostic_session_makes_no_picture(world):
    extensions = Extensions(delivery_profile=0, delivery_flags=DeliveryFlag.DIAGNOSTIC)
    hello = replace(HELLO, video_caps=VideoCap.PROBE_SEQUENCE)
    async with world.client(hello=hello, extensions=extensions) as client:
        await client.say(wire.ProbeRequest(10_000, 20))
        assert (await client.hear(wire.ProbeResult)).units_sent > 0
        assert is_filler((await world.pipeline()).plan.source)
        assert world.backend.living == []


async def test_what_changes_while_a_pipeline_is_prepared_is_not_lost(world, monkeypatch):
    async with world.client() as client:
        await world.pipeline()
        go_on, prepare = trio.Event(), FakePipeline.prepare
        token = trio.lowlevel.current_trio_token()

        def held(self, *_arguments):
            trio.from_thread.run(go_on.wait, trio_token=token)
            prepare(self)

        monkeypatch.setattr(FakePipeline, "prepare", held)
        await client.say(wire.Reconfigure(1920, 1080, 60))
        await world.until(lambda: len(FakePipeline.made) == 2)
        await client.say(wire.SetBitrate(5000))
        assert (await client.hear(wire.BitrateChanged)).bitrate_kbps == 5000
        go_on.set()
        second = await world.pipeline(2)
        assert second.said("set_bitrate")[-1][0] < 5_000_000
        assert second.said("change_send")[-1][0].pace_bps == 5_000_000


async def test_only_so_many_displays_wait(world, monkeypatch):
    monkeypatch.setattr("punktfunk.control.native.desks.MOST_WAITING", 1)
    for number in range(2):
        async with world.client(number, replace(HELLO, name=f"client {number}")):
            await world.pipeline(number + 1)
        await world.heard(f"session {number + 1}: ended")
    await world.heard("too many displays wait")
    await world.until(lambda: world.backend.living == ["client 1"])


async def test_a_host_that_stops_says_so(tmp_path):
    async with trio.open_nursery() as nursery, serving(tmp_path) as world:
        connected = trio.Event()

        async def stay():
            async with world.client() as client:
                connected.set()
                assert (await ended(client.connection)).text == "The host has stopped."

        nursery.start_soon(stay)
        await connected.wait()
        await world.pipeline()
    await world.heard("ended (the host stopped)")


async def test_an_app_that_ends_ends_its_session_and_display(world):
    async with world.client(hello=replace(HELLO, launch_id="short")) as client:
        reason = await ended(client.connection)
        assert (reason.code, reason.text) == (CloseCode.APP_EXITED, "Short has ended.")
    await world.until(lambda: not world.backend.living)


async def test_another_app_takes_the_place_of_the_one_that_waits(world):
    async with world.client(hello=replace(HELLO, launch_id="Game")):
        await world.pipeline()
    await world.heard("session 1: ended")
    async with world.client(hello=replace(HELLO, launch_id="1")) as client:
        assert (await client.hear(wire.LaunchOutcome)).kind is wire.LaunchKind.SPAWNED
        assert [desk.app.title for desk in world.desks.living()] == ["Desktop"]


async def test_a_display_that_died_while_it_waited_is_made_anew(world):
    async with world.client():
        await world.pipeline()
    await world.heard("session 1: ended")
    world.backend.dead = True
    async with world.client(hello=replace(HELLO, width_px=1920, height_px=1080)):
        assert (await world.pipeline(2)).plan.source.mode == HD
    await world.heard("made anew")
