"""Frames and answers of sway's control socket."""

import json
import struct

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.control.displays.sway_ipc import (
    HEADER,
    Kind,
    SwayIpc,
    build_request,
    connect_sway,
    parse_header,
    parse_outputs,
    parse_results,
    parse_version,
    parse_workspaces,
)
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode

PARSERS = [parse_outputs, parse_results, parse_version, parse_workspaces]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(Kind), st.text(max_size=200))
def test_header_round_trip(kind, payload):
    frame = build_request(kind, payload)
    assert parse_header(frame[: HEADER.size]) == (len(payload.encode()), kind)
    assert frame[HEADER.size :] == payload.encode()


def test_header_is_what_i3_documents():
    assert build_request(Kind.GET_OUTPUTS) == b"i3-ipc" + struct.pack("=II", 0, 3)


@given(st.binary(max_size=40))
def test_header_garbage(data):
    try:
        length, _kind = parse_header(data)
    except RemoteProtocolError:
        return
    assert data[:6] == b"i3-ipc"
    assert length <= 16 << 20


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_answers_garbage(parse, data):
    try:
        parse(data)
    except RemoteProtocolError:
        return


@pytest.mark.parametrize("parse", PARSERS)
def test_deep_nesting_is_garbage(parse):
    with pytest.raises(RemoteProtocolError):
        parse(b"[" * 200_000)


def test_truncated_answers():
    whole = json.dumps(
        [{"name": "HEADLESS-1", "active": True, "current_mode": {"width": 5, "height": 6, "refresh": 59940}}]
    ).encode()
    (output,) = parse_outputs(whole)
    assert output.mode == Mode(5, 6, 59940)
    for end in range(len(whole)):
        with pytest.raises(RemoteProtocolError):
            parse_outputs(whole[:end])


def test_disabled_outputs_have_no_mode():
    (output,) = parse_outputs(b'[{"name": "A", "active": false, "current_mode": {"width": 0}}]')
    assert (output.name, output.active, output.mode) == ("A", False, None)


def test_errors_of_commands_are_found():
    assert parse_results(b'[{"success": true}, {"success": false, "error": "no"}, {}]') == ["no", "refused"]


@pytest.mark.trio
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", EnvironmentProblem),
        (b"garbage garbage garbage", RemoteProtocolError),
        (b"i3-ipc" + struct.pack("=II", 0xFFFFFFFF, 3), RemoteProtocolError),
        (b"i3-ipc" + struct.pack("=II", 2, 4) + b"[]", RemoteProtocolError),
        (b"i3-ipc" + struct.pack("=II", 2, 3) + b"[", EnvironmentProblem),
        (b"i3-ipc" + struct.pack("=II", 1, 3) + b"[", RemoteProtocolError),
    ],
)
async def test_a_peer_out_of_form_is_an_error_of_ours(tmp_path, answer, expected):
    path = str(tmp_path / "sway.sock")
    listener = trio.socket.socket(trio.socket.AF_UNIX)
    with listener:
        await listener.bind(path)
        listener.listen()

        async def serve():
            connection, _ = await listener.accept()
            with connection:
                await connection.recv(100)
                await connection.send(answer)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            async with connect_sway(path) as ipc:
                with pytest.raises(expected):
                    await ipc.outputs()


@pytest.mark.trio
async def test_a_silent_peer_is_given_up(autojump_clock):
    ours, theirs = trio.testing.memory_stream_pair()
    ipc = SwayIpc(ours, "nowhere")
    with pytest.raises(EnvironmentProblem, match="within 5 s"):
        await ipc.version()
    await theirs.aclose()


@pytest.mark.trio
async def test_nobody_listening(tmp_path):
    with pytest.raises(EnvironmentProblem, match="no sway answers"):
        async with connect_sway(str(tmp_path / "nothing")):
            pass
