"""Recordings of networks: written, read, played back the same each time, by counting and by the kernels."""

import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.measure.network.engines import CountingEngine
from punktfunk.measure.network.host_model import SECOND_NS, StreamSettings
from punktfunk.measure.network.link import Link, LinkSettings
from punktfunk.measure.network.recorded import rebuild
from punktfunk.measure.network.recording import MAGIC, ROW_BYTES, Facts, Row, Writer, parse, read
from punktfunk.measure.network.replay import ReplayOptions, replay
from punktfunk.measure.network.world import World
from punktfunk.wire.native.packet import USER_PROBE, FecScheme, build_header

STREAM = StreamSettings(bitrate_kbps=6000, refresh_hz=30, audio_kbps=0)
LINK = LinkSettings(loss_ppm=30_000, burst_packets=3, jitter_ns=2_000_000, reorder_ppm=10_000)
COUNTED = ReplayOptions(engine="model")


def record(stream=STREAM, link=LINK, duration_ns=2 * SECOND_NS):
    """A simulated session, and the packets that came in it."""
    rows = []

    class Logging(CountingEngine):
        def take(self, packet, now_ns):
            rows.append(Row(packet.header.stream_sequence, now_ns, packet.header))
            return super().take(packet, now_ns)

    geometry = stream.geometry()
    engine = Logging(geometry, stream.bitrate_kbps, stream.refresh_hz)
    outcome = World(stream, Link(link, 5), engine=engine).run(duration_ns)
    facts = Facts(
        geometry.shard_bytes, geometry.data_max, int(geometry.fec_scheme), geometry.welcome_percent,
        stream.bitrate_kbps, stream.refresh_hz,
    )  # fmt: skip
    return facts, rows, outcome


def written(path, facts, rows):
    with Writer(path, facts) as writer:
        for begin in range(0, len(rows), 100):
            writer.write(rows[begin : begin + 100])
    return path


def test_what_is_written_is_read(tmp_path):
    facts, rows, _ = record()
    moved = [
        row._replace(
            arrival_ns=row.arrival_ns + 999, header=row.header._replace(pts_ns=row.header.pts_ns + 10**18)
        )
        for row in rows
    ]
    found, back = read(written(tmp_path / "deep" / "a.pfnet", facts, moved))
    assert found == facts
    assert [row.sequence for row in back] == [row.sequence for row in rows]
    assert back[0].arrival_ns == 0
    assert back[0].header.pts_ns == 0
    assert back[-1].header.frame_index == rows[-1].header.frame_index
    assert back[-1].arrival_ns - back[5].arrival_ns == rows[-1].arrival_ns - rows[5].arrival_ns


def test_a_file_has_neither_time_of_day_nor_content(tmp_path):
    """Two sessions at other times of day, with the same network, leave the same bytes."""
    facts, rows, _ = record(duration_ns=SECOND_NS)
    later = [row._replace(header=row.header._replace(pts_ns=row.header.pts_ns + 7 * 10**17)) for row in rows]
    first, second = (written(tmp_path / name, facts, rows) for name, rows in (("a", rows), ("b", later)))
    assert first.read_bytes() == second.read_bytes()
    inflated = zlib.decompress(first.read_bytes()[first.read_bytes().index(b"}") + 1 :])
    assert len(inflated) == ROW_BYTES * len(rows)


def test_filler_of_probes_is_left_out(tmp_path):
    facts, rows, _ = record(duration_ns=SECOND_NS)
    filler = [row._replace(header=row.header._replace(user_flags=USER_PROBE)) for row in rows[:5]]
    assert len(read(written(tmp_path / "a", facts, filler + rows))[1]) == len(rows)


@pytest.mark.parametrize("scheme", [FecScheme.GF16, FecScheme.GF8])
def test_a_replay_is_what_happened(scheme):
    stream = replace(STREAM, fec_scheme=scheme)
    facts, rows, before = record(stream)
    played = replay(facts, rows, COUNTED)
    assert before.lost_packets > 10
    assert played.recorded_frames == before.sent_frames
    assert abs(played.recorded_packets - before.sent_packets) <= 40  # the very last frame's end is unknown
    assert played.outcome.lost_frames == before.lost_frames
    assert [frame.frame_index for frame in played.outcome.frames] == [
        frame.frame_index for frame in before.frames
    ]
    assert played.outcome.recovered_shards == before.recovered_shards
    assert [frame.recovered_count for frame in played.outcome.frames] == [
        frame.recovered_count for frame in before.frames
    ]


def test_the_kernels_do_what_counting_does():
    facts, rows, _ = record(duration_ns=SECOND_NS)
    counted = replay(facts, rows, COUNTED)
    computed = replay(facts, rows, ReplayOptions())
    assert computed.outcome.corrupt_frames == 0
    assert computed.outcome.recovered_shards > 3
    assert computed.digest == counted.digest


def test_the_same_recording_gives_the_same_bytes():
    facts, rows, _ = record()
    reports = {
        json.dumps(replay(facts, rows, replace(COUNTED, adapt=True, automatic=True)).as_json())
        for _ in range(2)
    }
    assert len(reports) == 1


def test_more_parity_would_have_saved_it():
    facts, rows, before = record(link=LinkSettings(loss_ppm=80_000))
    assert before.lost_frames > 0
    saved = replay(facts, rows, replace(COUNTED, adapt=True, parity=60))
    assert saved.outcome.lost_frames < before.lost_frames
    assert saved.outcome.parity_share > before.parity_share


def test_frames_that_never_came_at_all():
    facts, rows, before = record(link=LinkSettings())
    gone = [row for row in rows if row.header.frame_index not in (20, 21, 22)]
    frames = rebuild(facts, gone)
    assert [frame.frame_index for frame in frames] == list(range(before.sent_frames))
    assert all(delay is None for frame in frames[20:23] for delay in frame.delays_ns)
    assert replay(facts, gone, COUNTED).outcome.lost_frames == 3


def test_units_that_left_in_pieces():
    """Blocks of a unit that was sent while it was encoded say neither count nor length."""
    facts, rows, _ = record(link=LinkSettings(), duration_ns=SECOND_NS)
    streamed = [row._replace(header=row.header._replace(block_count=0, frame_bytes=0)) for row in rows]
    frames = rebuild(facts, streamed)
    assert len(frames) == 30
    assert sum(len(frame.delays_ns) for frame in frames) == len(rows)


USUAL = Facts(1408, 200, 0, 10, 6000, 30)


def good(facts=USUAL):
    text = json.dumps({name: getattr(facts, name) for name in Facts.__slots__}).encode()
    return MAGIC + b"\1\0\0\0" + len(text).to_bytes(4, "little") + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GARBAGE!" * 10,
        good()[:-3],
        good() + b"no zlib",
        good() + zlib.compress(b"\0" * ROW_BYTES),
        good() + zlib.compress(b"\0" * 5),
        good() + zlib.compress(b"")[:-1],
        good().replace(b"1408", b"1407") + zlib.compress(b""),
        good().replace(b'"fec_scheme": 0', b'"fec_scheme": 7') + zlib.compress(b""),
        good().replace(b"6000", b"null") + zlib.compress(b""),
        MAGIC + b"\2\0\0\0\0\0\0\0",
        MAGIC + b"\1\0\0\0\xff\xff\xff\xff",
    ],
)
def test_files_that_are_none(data):
    with pytest.raises(ConfigError) as caught:
        parse(data, "it")
    assert caught.value.hint


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=60)
def test_any_bytes(data, compressed):
    whole = good() + (zlib.compress(data) if compressed else data)
    try:
        facts, rows = parse(whole, "it")
        replay(facts, rows, COUNTED)
    except ConfigError:
        return


@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(32, 72), st.integers(0, 255)), max_size=12),
)
@settings(max_examples=30)
def test_damaged_rows(seed, damages):
    """Bytes of headers changed at will: a sentence or a replay, never anything else."""
    facts, rows, _ = SHORT
    packed = bytearray()
    for row in rows:
        packed += row.sequence.to_bytes(8, "little") + row.arrival_ns.to_bytes(8, "little")
        packed += build_header(row.header)
    for row, at, value in damages:
        packed[(row * ROW_BYTES + at - 16) % len(packed)] = value
    try:
        found, back = parse(good(facts) + zlib.compress(bytes(packed)), "it")
        replay(found, back, COUNTED)
    except ConfigError:
        return


SHORT = record(replace(STREAM, bitrate_kbps=1000), duration_ns=SECOND_NS // 2)


def test_nothing_recorded_and_nowhere_to_write(tmp_path):
    with pytest.raises(ConfigError, match="no packets"):
        rebuild(SHORT[0], [])
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "nothing")
    with pytest.raises(EnvironmentProblem):
        Writer(tmp_path, SHORT[0])


@pytest.mark.peer
def test_a_real_session_is_replayed(tmp_path):
    """The real receiver's log of a real, lossy network, played back by the kernels."""
    from punktfunk.measure.network.options import Case, LossOptions
    from punktfunk.measure.network.sockets import by_sockets

    options = LossOptions(losses=(4.0,), parities=(20,), bitrate_kbps=8000, seconds=2.0, way="sockets")
    path = tmp_path / "evening.pfnet"
    before = by_sockets(options, Case(LinkSettings(loss_ppm=40_000), 20), path)
    facts, rows = read(path)
    played = replay(facts, rows, ReplayOptions())
    assert played.outcome.corrupt_frames == 0
    assert played.recorded_frames == before.sent_frames
    assert played.outcome.lost_frames == before.lost_frames
    assert played.outcome.recovered_shards == before.recovered_shards
    assert played.digest == replay(facts, rows, ReplayOptions(engine="model")).digest
