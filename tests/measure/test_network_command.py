"""``punktfunk record`` and ``punktfunk replay`` as commands; the log of a session's receiver."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import trio

from punktfunk.commands import network
from punktfunk.commands.connect import Wishes
from punktfunk.errors import EnvironmentProblem, Misuse
from punktfunk.measure.network.engines import CountingEngine
from punktfunk.measure.network.host_model import SECOND_NS, StreamSettings
from punktfunk.measure.network.link import Link, LinkSettings
from punktfunk.measure.network.recording import Facts, Row, Writer, read
from punktfunk.measure.network.replay import ReplayOptions
from punktfunk.measure.network.session_log import SessionLog
from punktfunk.measure.network.world import World
from punktfunk.wire.native.packet import FecScheme, build_header

STREAM = StreamSettings(bitrate_kbps=3000, refresh_hz=30, audio_kbps=0)
COUNTED = ReplayOptions(engine="model")


@pytest.fixture
def evening(tmp_path):
    """A recording of a second and a half with 5 % of loss."""
    rows = []

    class Logging(CountingEngine):
        def take(self, packet, now_ns):
            rows.append(Row(packet.header.stream_sequence, now_ns, packet.header))
            return super().take(packet, now_ns)

    geometry = STREAM.geometry()
    engine = Logging(geometry, STREAM.bitrate_kbps, STREAM.refresh_hz)
    World(STREAM, Link(LinkSettings(loss_ppm=50_000), 2), engine=engine).run(SECOND_NS * 3 // 2)
    path = tmp_path / "evening.pfnet"
    facts = Facts(geometry.shard_bytes, geometry.data_max, 1, geometry.welcome_percent, 3000, 30)
    with Writer(path, facts) as writer:
        writer.write(rows)
    return path


def test_replay_says_what_happened(evening, tmp_path, capsys):
    target = tmp_path / "out.json"
    assert network.replay_files([evening], COUNTED, target, None)
    shown = capsys.readouterr().out
    assert "recorded  45 frames" in shown
    assert "as it was" in shown
    digest = json.loads(target.read_text("utf-8"))["replays"][0]["digest"]
    assert digest in shown
    assert network.replay_files([evening], COUNTED, None, digest[:8].upper())
    assert not network.replay_files([evening], COUNTED, None, "0000")
    assert "has changed" in capsys.readouterr().out


def test_replay_writes_the_same_bytes_each_time(evening, tmp_path):
    targets = [tmp_path / name for name in ("a.json", "b.json")]
    for target in targets:
        network.replay_files([evening], ReplayOptions(adapt=True, parity=30, engine="model"), target, None)
    assert targets[0].read_bytes() == targets[1].read_bytes()


@pytest.mark.parametrize(
    ("options", "expect", "count", "words"),
    [
        (ReplayOptions(parity=20, engine="model"), None, 1, "--adapt"),
        (ReplayOptions(engine="abacus"), None, 1, "kernels or model"),
        (COUNTED, "ab", 2, "one file"),
    ],
)
def test_replays_that_cannot_be(evening, options, expect, count, words):
    with pytest.raises(Misuse) as caught:
        network.replay_files([evening] * count, options, None, expect)
    assert words in caught.value.hint


def test_cold_kernels_are_compiled_first_and_only_where_they_are_used(evening, monkeypatch):
    from punktfunk import realtime
    from punktfunk.commands import warm

    compiled = []
    monkeypatch.setattr(realtime, "is_warm", lambda: False)
    monkeypatch.setattr(warm, "warm", compiled.append)
    network.replay_files([evening], COUNTED, None, None)
    assert compiled == []
    network.replay_files([evening], ReplayOptions(), None, None)
    assert len(compiled) == 1


def test_parities():
    assert [network.parse_parity(text) for text in (None, "adaptive", "0", "90")] == [None, None, 0, 90]
    for wrong in ("91", "-1", "much", "²"):
        with pytest.raises(Misuse):
            network.parse_parity(wrong)


def test_a_folder_is_no_recording(tmp_path):
    with pytest.raises(Misuse, match="folder"):
        network.record(tmp_path, Wishes())


class FakeVideo:
    """The log of a receiver that gets a packet whenever it is asked, and is too small for a burst."""

    def __init__(self):
        self.count = 0

    def packets(self, since):
        self.count += 3
        rows = [self._row(number) for number in range(max(since, self.count - 2), self.count)]
        return np.array(rows, np.int64).reshape(-1, 8), self.count

    def _row(self, number):
        from punktfunk.wire.native.packet import Header

        header = Header(10**18, number, number, 10, 1, 0, 1, 1, 0, 0, 1408, 1, 7)
        words = np.frombuffer(build_header(header), np.int64)
        return [number, 5 * 10**12 + number, *words, 1448]


@pytest.mark.trio
async def test_the_log_of_a_session(tmp_path, autojump_clock):
    welcome = SimpleNamespace(
        shard_bytes=1408,
        data_max=4096,
        fec_scheme=FecScheme.GF16,
        fec_percent=10,
        bitrate_kbps=0,
        refresh_hz=60,
    )
    session = SimpleNamespace(welcome=welcome, video=FakeVideo())
    path = tmp_path / "a.pfnet"
    log = SessionLog(path)
    with trio.move_on_after(0.95):
        await log.record(session)
    facts, rows = read(path)
    assert (facts.data_max, facts.bitrate_kbps, facts.refresh_hz) == (4096, 0, 60)
    assert len(rows) == log.row_count == 20
    assert log.overwritten_count == 10
    assert rows[0].arrival_ns == 0
    log.check()
    ended = []
    short = SessionLog(tmp_path / "b.pfnet", seconds=1.0)
    await short.record(session, done=lambda: ended.append(trio.current_time()))
    assert len(ended) == 1
    assert 20 <= short.row_count <= 26
    with trio.move_on_after(1):
        await log.record(session)  # after a reconnect: the file stays as it is
    assert len(read(path)[1]) == 20


def test_nothing_recorded_is_said(tmp_path):
    with pytest.raises(EnvironmentProblem, match="no video packet"):
        SessionLog(tmp_path / "a").check()
