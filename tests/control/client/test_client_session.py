"""A session with a host made of a few lines: handshake, clock, control, datagrams, ends."""

from dataclasses import replace

import pytest
import trio
from client_world import CLIENT, FIXED, HOST, WELCOME, Frame, NoReceiver, Peer, serving, streaming

from punktfunk import realtime
from punktfunk.control.client.endings import ConnectionEnded
from punktfunk.control.client.opening import open_session
from punktfunk.errors import PipelineFailed, PunktfunkError
from punktfunk.plan import MediaCipher, Mode
from punktfunk.wire.native.capabilities import PUNCH, Cipher, CloseCode, CodecBit, HostCap2
from punktfunk.wire.native.control import (
    AccessUpdate,
    BitrateChanged,
    InputEdge,
    LossReport,
    ProbeRequest,
    ProbeResult,
    Reconfigure,
    Reconfigured,
    RequestKeyframe,
    RfiRequest,
    SetBitrate,
    ShardPayloadAck,
    ShardPayloadChanged,
)
from punktfunk.wire.native.datagrams import HostTiming, RedundantAudio, build_datagram, parse_datagram
from punktfunk.wire.native.input import KeyEdge, PointerMove


@pytest.mark.trio
async def test_hello_start_clock_and_punch(monkeypatch):
    async with streaming(monkeypatch) as (session, peer):
        assert (peer.hello.width_px, peer.hello.height_px, peer.hello.refresh_hz) == (1280, 720, 60)
        assert peer.hello.name == "test"
        assert peer.hello.shard_bytes_max == 9152
        assert peer.start.extensions.reads_reason
        assert peer.connection.peer_fingerprint == CLIENT.fingerprint
        assert session.connection.peer_fingerprint == HOST.fingerprint
        assert session.mode == Mode(1280, 720, 60_000)
        assert session.video.plan.cipher is MediaCipher.AES_128_GCM
        assert abs(session.clock_offset_ns) < 100_000_000  # one machine: less than any wrong unit would give
        with trio.fail_after(5):
            await peer.punched.wait()
        data, (address, port) = peer.punch
        assert (data, address, port) == (PUNCH, "127.0.0.1", peer.start.media_port)
    with trio.fail_after(5):
        assert (await peer.connection.wait_closed()).code == CloseCode.QUIT


@pytest.mark.trio
async def test_chacha_key_reaches_the_receiver(monkeypatch):
    welcome = replace(WELCOME, cipher=Cipher.CHACHA20_POLY1305, chacha_key=bytes(range(32)))
    async with streaming(monkeypatch, welcome) as (session, _peer):
        assert session.video.plan.decryption_key == bytes(range(32))


@pytest.mark.trio
async def test_a_gap_asks_at_once_and_holds_the_picture(monkeypatch):
    async with streaming(monkeypatch) as (session, peer):
        for index in (0, 3):
            assert session.frames.arrived(Frame(index, user_flags=5 if not index else 1))
            shown = session.frames.decoded(Frame(index), produced=True)
        assert await peer.next(RfiRequest) == RfiRequest(1, 2)
        assert not shown
        key = Frame(4, user_flags=5)
        assert session.frames.arrived(key)
        assert session.frames.decoded(key, produced=True, is_key=True)
        assert not session.frames.arrived(Frame(2))  # older than what was shown
        session.request_keyframe()
        await peer.next(RequestKeyframe)


@pytest.mark.trio
async def test_every_window_is_reported(monkeypatch):
    async with streaming(monkeypatch) as (session, peer):
        session.video.counts.update(packets=950, recovered_shards=50)
        assert await peer.next(LossReport) == LossReport(50_000)
        assert session.statistics()["loss_ppm"] == 50_000


@pytest.mark.trio
async def test_keys_go_the_reliable_way_and_motion_does_not(monkeypatch):
    async with streaming(monkeypatch) as (session, peer):
        session.send_input(KeyEdge(0x41, pressed=True))
        session.send_input(PointerMove(3, -4))
        assert await peer.next(InputEdge) == InputEdge(KeyEdge(0x41, pressed=True))
        with trio.fail_after(5):
            (datagram,) = await peer.connection.receive_datagrams()
        assert parse_datagram(datagram) == PointerMove(3, -4)
    older = replace(WELCOME, host_caps2=HostCap2(0))
    async with streaming(monkeypatch, older) as (session, peer):
        session.send_input(KeyEdge(0x41, pressed=True))
        with trio.fail_after(5):
            (datagram,) = await peer.connection.receive_datagrams()
        assert parse_datagram(datagram) == KeyEdge(0x41, pressed=True)
        assert peer.start.extensions is None


@pytest.mark.trio
async def test_another_mode_is_asked_for_and_may_be_refused(monkeypatch):
    async with streaming(monkeypatch) as (session, peer), trio.open_nursery() as nursery:

        async def answer(accepted, *mode):
            asked = await peer.next(Reconfigure)
            assert asked == Reconfigure(1920, 1080, 120)
            await peer.say(Reconfigured(bool(accepted), *mode))

        nursery.start_soon(answer, 1, 1920, 1080, 120)
        assert await session.reconfigure(Mode(1920, 1080, 120_000)) == Mode(1920, 1080, 120_000)
        assert await session.receive_news() == [
            Reconfigured(accepted=True, width_px=1920, height_px=1080, refresh_hz=120)
        ]
        session._last_mode_s = -10  # the second that must lie between two asks
        nursery.start_soon(answer, 0, 1920, 1080, 120)
        with pytest.raises(PunktfunkError, match="refused the mode"):
            await session.reconfigure(Mode(1920, 1080, 120_000))


@pytest.mark.trio
async def test_only_sizes_that_fit_are_acknowledged(monkeypatch):
    async with streaming(monkeypatch) as (session, peer):
        for size in (1409, 510, 9154, 1200):
            await peer.say(ShardPayloadChanged(size))
        assert await peer.next(ShardPayloadAck) == ShardPayloadAck(1200)
        assert session.shard_bytes == 1200


@pytest.mark.trio
async def test_sound_timing_and_news_are_sorted(monkeypatch):
    async with streaming(monkeypatch) as (session, peer):
        for value in (
            RedundantAudio(5, 25_000_000, b"e", b"d"),
            RedundantAudio(7, 35_000_000, b"g", b"f"),
            HostTiming(77, 4000, 1000, 2000, 500),
        ):
            assert peer.connection.send_datagram(build_datagram(value))
        await peer.say(AccessUpdate(1, 60))
        packets = []
        with trio.fail_after(5):
            while len(packets) < 3:
                packets += await session.receive_audio()
            while session.host_timing(77) is None:  # noqa: ASYNC110
                await trio.sleep(0.001)
            assert await session.receive_news() == [AccessUpdate(1, 60)]
        assert [(packet.sequence, packet.payload, packet.restored) for packet in packets] == [
            (5, b"e", False),
            (6, b"f", True),
            (7, b"g", False),
        ]


@pytest.mark.trio
async def test_a_probe_counts_what_came(monkeypatch):
    async with streaming(monkeypatch) as (session, peer), trio.open_nursery() as nursery:

        async def answer():
            assert await peer.next(ProbeRequest) == ProbeRequest(50_000, 10)
            session.video.counts.update(probe_packets=40, probe_bytes=60_000)
            await peer.say(ProbeResult(62_500, 10, 10, 43, 0))

        nursery.start_soon(answer)
        outcome = await session.probe(50_000, 10)
        assert (outcome.received_count, outcome.sent_count, outcome.received_kbps) == (40, 43, 480_000)


@pytest.mark.trio
async def test_the_bitrate_is_found_where_it_was_left_to_both(monkeypatch):
    welcome = replace(WELCOME, host_caps2=HostCap2.BRING_UP_RAMP)
    async with streaming(monkeypatch, welcome, replace(FIXED, bitrate_kbps=0)) as (session, peer):
        while (asked := await peer.next(ProbeRequest)).target_kbps <= 20_000:
            counts = session.video.counts
            sent = asked.target_kbps * asked.duration_ms // 8
            counts.update(
                probe_packets=counts["probe_packets"] + 10, probe_bytes=counts["probe_bytes"] + sent
            )
            await peer.say(ProbeResult(sent, 5, 1, 10, 0))
        await peer.say(ProbeResult(0, 0, 0))  # refused: the ramp ends with what it has proven
        assert (await peer.next(SetBitrate)).bitrate_kbps > 20_000
        await peer.say(BitrateChanged(30_000, 0))
        with trio.fail_after(5):
            assert BitrateChanged(30_000, 0) in await session.receive_news()
        assert session.bitrate_kbps == 30_000


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (CloseCode.DENIED, "denied this device"),
        (CloseCode.NO_IDENTITY, "certificate"),
        (CloseCode.WIRE_VERSION, "another version"),
        (CloseCode.SETUP_FAILED, "could not set the session up: no encoder"),
        (CloseCode.LAUNCH_NOT_ALLOWED, "may not start programs"),
    ],
)
@pytest.mark.trio
async def test_a_refusal_is_a_sentence(code, words):
    async def refuse(peer):
        peer.connection.close(code, "no encoder")

    async with serving(Peer(WELCOME, refuse)) as target:
        with pytest.raises(ConnectionEnded, match=words) as caught:
            async with open_session(target, CLIENT, FIXED, print):
                raise AssertionError
    assert caught.value.code == code
    assert caught.value.hint
    assert not caught.value.again


@pytest.mark.trio
async def test_what_no_client_can_play_is_refused():
    for welcome, words in (
        (replace(WELCOME, encrypt=False), "in clear"),
        (replace(WELCOME, codec=CodecBit.PYROWAVE), "codec"),
        (replace(WELCOME, width_px=0), "mode"),
        (replace(WELCOME, shard_bytes=100), "shards of 100 bytes"),
    ):
        async with serving(Peer(welcome)) as target:
            with pytest.raises(ConnectionEnded, match=words):
                async with open_session(target, CLIENT, FIXED, print):
                    raise AssertionError


@pytest.mark.trio
async def test_the_host_may_end_the_session(monkeypatch):
    async with streaming(monkeypatch) as (session, peer):
        peer.connection.close(CloseCode.APP_EXITED, "")
        with trio.fail_after(5):
            await session.closed.wait()
        assert "has ended" in str(session.ending)
        assert not session.ending.again


@pytest.mark.trio
async def test_an_end_while_clocks_are_compared_is_a_sentence_too(monkeypatch):
    monkeypatch.setattr(realtime, "VideoReceiver", NoReceiver, raising=False)
    peer = Peer(WELCOME)
    peer.on_probe = lambda: peer.connection.close(CloseCode.SETUP_FAILED, "the encoder died")
    async with serving(peer) as target:
        with pytest.raises(ConnectionEnded, match="the encoder died"):
            async with open_session(target, CLIENT, FIXED, print):
                raise AssertionError


@pytest.mark.trio
async def test_a_dead_receiver_ends_the_session(monkeypatch):
    import os

    async with streaming(monkeypatch) as (session, _peer):
        session.video.problem = PipelineFailed("pf-receive stopped")
        os.eventfd_write(session.video.failure_fd, 1)
        with trio.fail_after(5):
            await session.closed.wait()
        assert "pf-receive stopped" in str(session.ending)


@pytest.mark.trio
async def test_another_host_than_the_pinned_one_is_refused():
    peer = Peer(WELCOME)
    async with serving(peer) as target:
        with pytest.raises(ConnectionEnded, match="another machine"):
            async with open_session(replace(target, fingerprint="ab" * 32), CLIENT, FIXED, print):
                raise AssertionError
    assert peer.hello is None


@pytest.mark.trio
async def test_nobody_answers(autojump_clock):
    from punktfunk.control.client.dial import Target, dialled
    from punktfunk.control.client.options import client_config

    target = Target("127.0.0.1", 9, "desk")
    with pytest.raises(ConnectionEnded, match=r"UDP port 9 of 127\.0\.0\.1 was silent") as caught:
        async with dialled(target, client_config(CLIENT, None), budget_s=5):
            raise AssertionError
    assert caught.value.again


@pytest.mark.trio
async def test_a_pause_keeps_the_display(monkeypatch):
    async with streaming(monkeypatch, options=replace(FIXED, keep_display=True)) as (_session, peer):
        pass
    with trio.fail_after(5):
        assert (await peer.connection.wait_closed()).code == 0


@pytest.mark.trio
async def test_parity_is_estimated_from_what_came(monkeypatch):
    async with streaming(monkeypatch) as (session, _peer):
        session.frames.data_count = 100
        session.note_parity(120)
        assert session.statistics()["fec_percent"] == 20
        session.loss_ppm = 100_000
        session.frames.data_count = 200
        session.note_parity(120 + 108)
        assert session.statistics()["fec_percent"] == 20
