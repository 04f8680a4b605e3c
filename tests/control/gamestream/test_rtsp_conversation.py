"""The RTSP conversation of a stream, from OPTIONS to PLAY, in clear and sealed, in order and out of it."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_client import PORTS, StreamClient, announcement, make_stream

from punktfunk.control.gamestream.rtsp_server import reply_to
from punktfunk.errors import RemoteProtocolError

STEPS = ("OPTIONS", "DESCRIBE", "audio", "video", "control", "ANNOUNCE", "PLAY")


def pair(*, encrypted=True):
    stream = make_stream(corever=1 if encrypted else 0)
    return stream, StreamClient(encrypted=encrypted), lambda message: reply_to(stream, message)


@pytest.mark.parametrize("encrypted", [True, False], ids=["sealed", "plain"])
def test_the_whole_conversation(encrypted):
    stream, client, exchange = pair(encrypted=encrypted)
    replies = client.converse(exchange)
    assert tuple(replies) == STEPS
    assert "surround-params=642012453" in replies["DESCRIBE"][2]
    for name, port, payload in (
        ("audio", PORTS.audio, stream.audio_ping),
        ("video", PORTS.video, stream.video_ping),
    ):
        headers = replies[name][1]
        assert headers["Transport"] == f"server_port={port}"
        assert headers["X-SS-Ping-Payload"] == payload
        assert len(payload) == 16
    assert replies["control"][1]["Transport"] == f"server_port={PORTS.control}"
    assert replies["control"][1]["X-SS-Connect-Data"] == str(stream.connect_data)
    assert stream.video_ping != stream.audio_ping
    assert stream.played.is_set()
    assert stream.agreement is not None
    assert stream.cipher is not None
    assert not stream.ended.is_set()


def test_every_stream_has_secrets_of_its_own():
    streams = [make_stream() for _ in range(4)]
    secrets = {
        secret for stream in streams for secret in (stream.video_ping, stream.audio_ping, stream.connect_data)
    }
    assert len(secrets) == 12


@pytest.mark.parametrize("done", range(7))
@pytest.mark.parametrize("encrypted", [True, False], ids=["sealed", "plain"])
def test_a_wrong_order_is_refused_and_changes_nothing(done, encrypted):
    stream, client, exchange = pair(encrypted=encrypted)
    steps = client.steps()
    for name in itertools.islice(STEPS, done):
        assert client.read(exchange(steps[name]()))[0] == 200
    for name in STEPS:
        if name != STEPS[done]:
            assert client.read(exchange(steps[name]()))[0] in {454, 455}
    assert not stream.played.is_set()
    for name in STEPS[done:]:
        assert client.read(exchange(steps[name]()))[0] == 200
    assert stream.played.is_set()


@pytest.mark.parametrize(
    "change",
    [
        {"x-nv-video[0].packetSize": 1391},
        {"x-nv-video[0].clientViewportWd": None},
        {"x-nv-vqos[0].bitStreamFormat": 2},
        {"x-nv-video[0].dynamicRangeMode": 1},
        {"x-nv-vqos[0].bw.maximumBitrateKbps": 0, "x-ml-video.configuredBitrateKbps": 0},
    ],
)
def test_a_failed_announce_ends_the_stream(change):
    stream, client, exchange = pair()
    client.converse(exchange, until="control")
    steps = client.steps(announcement(**change))
    assert client.read(exchange(steps["ANNOUNCE"]()))[0] == 400
    assert stream.ended.is_set()
    assert stream.end_reason.startswith("no agreement: ")
    for name in STEPS:  # and nothing revives it: above all no PLAY
        assert client.read(exchange(steps[name]()))[0] == 400
    assert not stream.played.is_set()
    assert stream.agreement is None


def test_the_session_token_is_needed_from_the_second_setup_on():
    stream, client, exchange = pair(encrypted=False)
    client.converse(exchange, until="control")
    token, client.session = client.session, "0000000000000000"
    assert client.read(exchange(client.steps()["ANNOUNCE"]()))[0] == 454
    assert not stream.ended.is_set()
    client.session = token
    assert client.read(exchange(client.steps()["ANNOUNCE"]()))[0] == 200


def test_recorded_and_forged_frames_are_refused():
    stream, client, exchange = pair()
    recorded = []

    def listening(message):
        recorded.append(message)
        return exchange(message)

    client.converse(listening)
    for message in recorded:
        with pytest.raises(RemoteProtocolError, match="replay"):
            exchange(message)
    with pytest.raises(RemoteProtocolError, match="does not open"):
        exchange(StreamClient(bytes(16)).steps()["OPTIONS"]())
    with pytest.raises(RemoteProtocolError, match="not encrypted"):
        exchange(StreamClient(encrypted=False).steps()["OPTIONS"]())
    assert not stream.ended.is_set()


def test_the_host_numbers_its_frames_across_connections():
    stream, client, exchange = pair()
    numbers = []

    def counting(message):
        reply = exchange(message)
        numbers.append(int.from_bytes(reply[4:8], "big"))
        return reply

    client.converse(counting)
    assert numbers == [1, 2, 3, 4, 5, 6, 7]
    assert stream.played.is_set()


def test_other_methods_and_streams():
    _stream, client, exchange = pair()
    assert client.read(exchange(client.request("TEARDOWN", "/")))[0] == 501
    assert client.read(exchange(client.request("SETUP", "streamid=mouse/0/0")))[0] == 404


def test_the_first_reason_counts():
    stream = make_stream()
    stream.end("one", termination_code=1)
    stream.end("two", termination_code=2)
    assert (stream.end_reason, stream.end_message) == ("one", 1)


@given(st.binary(max_size=300))
@settings(max_examples=50)
def test_garbage_for_an_announcement(body):
    stream, client, exchange = pair(encrypted=False)
    client.converse(exchange, until="control")
    assert client.read(exchange(client.steps(body or b"\0")["ANNOUNCE"]()))[0] == 400
    assert stream.ended.is_set()


@given(st.lists(st.sampled_from(STEPS), max_size=20))
@settings(max_examples=100)
def test_never_play_without_agreement(names):
    stream, client, exchange = pair(encrypted=False)
    for name in names:
        client.read(exchange(client.steps()[name]()))
        assert not stream.played.is_set() or stream.agreement is not None
