"""Recordings of two ends on one clock, and the cause of each late frame."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.commands import why_late as command
from punktfunk.control.flight import ClientFlight, HostFlight
from punktfunk.errors import ConfigError, EnvironmentProblem, Misuse
from punktfunk.measure.flight.causes import LOST, SCHEDULING, judge
from punktfunk.measure.flight.timeline import check_recording, join, read_recordings
from punktfunk.measure.flight.trace import trace

MS = 1_000_000
INTERVAL = 16 * MS
HOST_SHIFT, CLIENT_SHIFT, OFFSET = 10**15, 3 * 10**14, 7 * 10**14
"""Realtime minus monotonic of either end, and the host's realtime clock minus the client's."""

STAGES = (
    "capture",
    "encode wait",
    "encode",
    "queue",
    "send",
    "network",
    "reassembly",
    "decode wait",
    "decode",
    "present",
)
USUAL = dict(zip(STAGES, (0, 1, 3, 1, 6, 4, 0, 1, 2, 5), strict=True))


def record(count, **slow):
    """Frames in a steady stream; ``slow`` maps a stage (with _ for space) to {frame: more ms}."""
    host, client = HostFlight("host"), ClientFlight("client")
    extra = {name.replace("_", " "): more for name, more in slow.items()}
    moved = 0
    for number in range(count):
        took = {name: (USUAL[name] + extra.get(name, {}).get(number, 0)) * MS for name in STAGES}
        moved += took["capture"]
        captured = 10**9 + number * INTERVAL + moved
        begun = captured + took["encode wait"]
        encoded = begun + took["encode"]
        first = encoded + took["queue"]
        last = first + took["send"]
        pts = captured + HOST_SHIFT
        host.note_sent(
            [
                SimpleNamespace(
                    pts_ns=pts, captured_ns=captured, begun_ns=begun, encoded_ns=encoded, first_ns=first, last_ns=last,
                    frame_bytes=40_000, datagram_count=31,
                )
            ],
            parity_percent=10,
        )  # fmt: skip
        if number in extra.get(LOST, {}):
            continue
        here = HOST_SHIFT - CLIENT_SHIFT - OFFSET
        received = first + took["network"] + here
        complete = received + took["send"] + took["reassembly"]
        taken = complete + took["decode wait"]
        frame = SimpleNamespace(
            frame_index=number, pts_ns=pts, user_flags=1, first_ns=received, complete_ns=complete, packet_count=31,
            data_count=28, recovered_count=2 if took["reassembly"] else 0,
        )  # fmt: skip
        client.note_taken(frame, taken, offset_ns=OFFSET)
        client.note_decoded(number, taken + took["decode"], shown=True)
        client.note_presented(number, taken + took["decode"] + took["present"])
    recordings = [host.recording(), client.recording()]
    for recording, shift in zip(recordings, (HOST_SHIFT, CLIENT_SHIFT), strict=True):
        recording["realtime_ns"] = recording["monotonic_ns"] + shift
    return recordings


def test_both_ends_lie_on_one_clock():
    flights = join(record(5))
    assert len(flights) == 5
    for flight in flights:
        assert flight.stamps["captured"] == flight.pts_ns
        assert flight.span_ns("first_sent", "first_received") == 4 * MS
        assert flight.total_ns == (1 + 3 + 1 + 4 + 6 + 1 + 2 + 5) * MS


@pytest.mark.parametrize(
    ("stage", "cause", "words"),
    [
        ("capture", "capture", "no picture came"),
        ("encode", "encode", "the encoder took"),
        ("send", "send", "31 packets"),
        ("network", "network", "on the way"),
        ("reassembly", "reassembly", "2 lost packets"),
        ("decode", "decode", "decoding took"),
        ("present", "present", "waited for the display"),
        ("encode wait", SCHEDULING, "pf-encode"),
        ("queue", SCHEDULING, "pf-send"),
        ("decode wait", SCHEDULING, "the decode thread"),
    ],
)
def test_the_slow_stage_is_the_cause(stage, cause, words):
    findings = judge(join(record(50, **{stage.replace(" ", "_"): {30: 25}})))
    worst = findings.worst(1)[0]
    assert worst.flight.facts["frame_index"] == 30
    assert worst.over_ns == 25 * MS
    assert worst.cause == cause
    assert words in worst.words
    assert findings.tally[cause] == 1


@pytest.mark.parametrize(
    ("slow", "stage"), [({"send": {30: 30}}, "queue"), ({"decode": {30: 40}}, "decode wait")]
)
def test_what_waits_behind_a_slow_frame_says_so(slow, stage):
    """The frame behind it waits as long as the one before is busy; then it is no matter of scheduling."""
    waits = {"queue": {31: 20}, "decode wait": {31: 30}}[stage]
    findings = judge(join(record(50, **slow, **{stage.replace(" ", "_"): waits})))
    second = findings.worst(2)[1]
    assert second.flight.facts["frame_index"] == 31
    assert second.cause == stage
    assert "the frame before" in second.words or "still had" in second.words


def test_frames_that_never_came():
    findings = judge(join(record(40, lost={10: 1, 11: 1})))
    assert findings.lost_count == 2
    assert findings.tally[LOST] == 2


def test_one_end_alone():
    host, client = record(20, encode={7: 30}, network={9: 30})
    assert judge(join([host])).worst(1)[0].cause == "encode"
    alone = judge(join([client]))
    assert alone.worst(1)[0].cause == "host and network"
    assert "after the capture" in alone.worst(1)[0].words


def test_nothing_recorded():
    findings = judge([])
    assert (findings.frames, findings.lost_count) == ([], 0)


def test_the_trace_is_one_that_viewers_take():
    flights = join(record(12, encode={7: 40}))
    found = json.loads(json.dumps(trace(flights, judge(flights))))
    events = found["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    assert {event["name"] for event in slices} >= {"encode", "send", "first packet", "decode", "present"}
    assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in slices)
    assert [event["name"] for event in events if event["ph"] == "i"] == ["late: encode"]
    starts = {event["id"] for event in events if event["ph"] == "s"}
    assert starts == {event["id"] for event in events if event["ph"] == "f"} == set(range(12))
    named = {(event["pid"], event["tid"]) for event in events if event["name"] == "thread_name"}
    assert {(event["pid"], event["tid"]) for event in slices} == named
    by_track = {}
    for event in sorted(slices, key=lambda one: one["ts"]):
        assert event["ts"] >= by_track.get((event["pid"], event["tid"]), 0) - 0.01
        by_track[event["pid"], event["tid"]] = event["ts"] + event["dur"]


def write(tmp_path, recordings):
    paths = []
    for recording in recordings:
        path = tmp_path / f"{recording['side']}.json"
        path.write_text(json.dumps(recording), "utf-8")
        paths.append(path)
    return paths


def run(files=(), **changes):
    options = {"worst": 3, "over_ms": None, "trace_file": None, "save_file": None, "as_json": False} | changes
    command.why_late(files, None, **options)


def test_the_command_on_files(tmp_path, capsys):
    files = write(tmp_path, record(50, network={20: 50, 21: 40}, lost={5: 1}))
    run(files, trace_file=tmp_path / "trace.json", save_file=tmp_path / "both.json")
    shown = capsys.readouterr().out
    assert "49 frames" in shown or "50 frames" in shown
    assert "2  network" in shown
    assert "1  lost" in shown
    assert "frame 20" in shown
    assert json.loads((tmp_path / "trace.json").read_text("utf-8"))["traceEvents"]
    run([tmp_path / "both.json"], as_json=True)
    plain = json.loads(capsys.readouterr().out)
    assert plain["causes"] == {"network": 2, "lost": 1}
    assert len(plain["worst"]) == 3


def test_the_command_asks_the_running_host(monkeypatch, capsys):
    monkeypatch.setattr(command, "ask", lambda *_words: {"recordings": record(30, encode={9: 30})[:1]})
    run()
    assert "encode: the encoder took" in capsys.readouterr().out
    monkeypatch.setattr(command, "ask", lambda *_words: {"recordings": []})
    with pytest.raises(EnvironmentProblem, match="no session"):
        run()


def test_recordings_of_different_sessions(tmp_path):
    host, client = record(5)
    for row in client["rows"]:
        row[0] += 1
    with pytest.raises(ConfigError, match="no frame in common"):
        run(write(tmp_path, [host, client]))
    with pytest.raises(Misuse, match="--worst"):
        run((), worst=0)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "punktfunk-flight", "version": 9}', '{"recordings": 3}', "[" * 100_000],
)
def test_files_that_are_none(tmp_path, text):
    path = tmp_path / "wrong.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_recordings([path])
    assert caught.value.hint
    with pytest.raises(ConfigError):
        read_recordings([tmp_path / "nowhere"])


CELLS = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=3)
KEYS = st.sampled_from(("format", "version", "side", "columns", "rows", "monotonic_ns", "realtime_ns"))


@given(st.dictionaries(KEYS, CELLS | st.lists(CELLS, max_size=3), max_size=7))
@settings(max_examples=15)
def test_any_values(values):
    with pytest.raises(ConfigError):
        check_recording(values | {"format": "punktfunk-flight", "version": 1, "side": "host"}, "it")
    with pytest.raises(ConfigError):
        check_recording(list(values), "it")
