"""Sound over real QUIC on loopback: made by pf-sound, lost now and then, restored from copies, decoded."""

import numpy as np
import pytest
import trio

from punktfunk.control.client.audio_queue import AudioQueue
from punktfunk.control.native.audio import HostAudio
from punktfunk.control.native.identity import create_identity
from punktfunk.control.native.sound_terms import agree_on_sound
from punktfunk.control.quic import QuicClosed, QuicConfig, connect_quic, serve_quic
from punktfunk.control.sockets import bound_sockets
from punktfunk.plan import AudioSource, SoundPlan
from punktfunk.realtime.capture.sound import TONE_FREQUENCIES_HZ
from punktfunk.realtime.decode.samples import open_samples
from punktfunk.wire.native.capabilities import ALPN, AudioCodec, ClientCap
from punktfunk.wire.native.datagrams import AudioFrame, PcmFrame, RedundantAudio, parse_datagram
from punktfunk.wire.native.handshake import Hello

PACKETS = 60


async def heard(hello, *, lose_every=0):
    """Play to a client; the agreed terms, the packets in order, and what had to be restored."""
    host = create_identity("punktfunk")
    terms, queue, packets, told = [], AudioQueue(), [], []

    async def say(_message):
        await trio.lowlevel.checkpoint()

    async def play(connection):
        terms.append(agree_on_sound(hello, 40_000, connection.datagram_bytes_max))
        sound = HostAudio(connection, terms[0], AudioSource.TONE, say=say, tell=told.append)
        try:
            with connection.raising_when_closed():
                await sound.run()
        except QuicClosed:
            pass

    config = QuicConfig(alpn=(ALPN,), certificate=host.certificate, private_key=host.private_key)
    with bound_sockets(["127.0.0.1"], 0) as bound:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve_quic, bound, config, play)
            port = bound[0].socket.getsockname()[1]
            async with connect_quic("127.0.0.1", port, QuicConfig(alpn=(ALPN,))) as connection:
                while len(packets) < PACKETS:
                    for data in await connection.receive_datagrams():
                        frame = parse_datagram(data)
                        if lose_every and frame.sequence % lose_every == lose_every - 1:
                            continue
                        match frame:
                            case AudioFrame(sequence, pts_ns, opus):
                                queue.put(sequence, pts_ns, opus)
                            case RedundantAudio(sequence, pts_ns, opus, previous):
                                queue.put(sequence, pts_ns, opus, previous=previous)
                            case PcmFrame(sequence, pts_ns, samples):
                                queue.put(sequence, pts_ns, samples, is_pcm=True)
                    packets += queue.take()
            nursery.cancel_scope.cancel()
    assert told == []
    return terms[0], packets, queue


def assert_is_the_tone(terms, packets, rate_hz):
    plan = SoundPlan(
        is_pcm=terms.codec == AudioCodec.PCM,
        channel_count=terms.channel_count,
        rate_hz=rate_hz,
        bits=terms.bits,
        layout=terms.layout,
    )
    decoder = open_samples(plan)
    samples = np.concatenate([decoder.decode(packet.payload) for packet in packets])[-rate_hz // 5 :]
    for channel, frequency_hz in zip(samples.T, TONE_FREQUENCIES_HZ, strict=False):
        spectrum = np.abs(np.fft.rfft(channel * np.hanning(len(channel))))
        assert spectrum.argmax() * 5 == frequency_hz


@pytest.mark.trio
async def test_lost_packets_come_back_with_the_next():
    hello = Hello(width_px=1, height_px=1, refresh_hz=1, client_caps=ClientCap.REDUNDANT_AUDIO)
    terms, packets, queue = await heard(hello, lose_every=5)
    assert sum(packet.sequence % 5 == 4 for packet in packets) >= PACKETS // 5 - 2
    assert queue.restored_count >= PACKETS // 5 - 2
    assert_is_the_tone(terms, packets, 48_000)


@pytest.mark.trio
async def test_surround_and_pcm():
    surround = Hello(width_px=1, height_px=1, refresh_hz=1, audio_channels=6, audio_layout=1)
    terms, packets, _ = await heard(surround)
    assert (terms.channel_count, terms.layout) == (6, 1)
    assert_is_the_tone(terms, packets, 48_000)
    wide = Hello(
        width_px=1, height_px=1, refresh_hz=1, client_caps=ClientCap.HIRES_AUDIO, audio_rate_hz=96_000
    )
    terms, packets, _ = await heard(wide)
    assert (terms.codec, terms.rate_hz) == (AudioCodec.PCM, 96_000)
    assert all(packet.is_pcm for packet in packets)
