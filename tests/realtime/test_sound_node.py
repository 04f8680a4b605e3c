"""A node of ours in a sound server that comes and goes, with the server replaced."""

import select
from pathlib import Path

import numpy as np
import pytest

from punktfunk.errors import EnvironmentProblem, PipelineFailed
from punktfunk.plan import AudioSource, NativeAudioPlan, SoundNodePlan, SoundRole, SoundServerKind
from punktfunk.realtime import sound_node
from punktfunk.realtime.capture.live import Taken
from punktfunk.realtime.pipewire.defaults import read_name
from punktfunk.realtime.pipewire.sound_nodes import node_properties, unrounded
from punktfunk.realtime.present.ring_speaker import IDLE_NS, KEPT_NS, RingSpeaker
from punktfunk.realtime.pulse.visit import module_arguments
from punktfunk.realtime.sound_maker import SoundMaker
from punktfunk.realtime.sound_node import NodeState, SoundNode, find_server

JOIN_NS = 2_000_000_000
PLAN = SoundNodePlan(
    SoundRole.SINK, "sink", "punktfunk: stream to me", 2, pipewire_path="/nowhere/pipewire-0"
)


class Visits:
    """Servers: each visit does what the next of ``does`` says."""

    server = SoundServerKind.PIPEWIRE
    short_count = 3

    def __init__(self, *does):
        self.does = list(does)

    def __call__(self, _plan, rings):
        self.rings = rings
        return self

    def serve(self, wake_fd, is_there):
        match self.does.pop(0) if self.does else "stay":
            case "refuse":
                raise EnvironmentProblem("no daemon", hint="Start one.")
            case "break":
                raise ValueError("broken")
            case "go":
                is_there()
                raise EnvironmentProblem("it went")
            case _:
                is_there()
                select.select([wake_fd], [], [])


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(sound_node, "RETRY_NS", 1_000_000)


def states(node, count):
    """The next states, as control sees them."""
    seen = []
    while len(seen) < count:
        assert select.select([node.event_fd], [], [], 5)[0]
        state = node.state()
        if not seen or state != seen[-1]:
            seen.append(state)
    return seen


def test_a_node_is_made_again_when_its_server_comes_back(quick, monkeypatch):
    before = len(list(Path("/proc/self/fd").iterdir()))
    node = SoundNode(PLAN, make_visit=Visits("refuse", "refuse", "refuse"))
    node.start()
    assert NodeState(SoundServerKind.PIPEWIRE, 1) in states(node, 1) + states(node, 1)
    assert node.counters() == {
        "delay_us": 0,
        "filled": 0,
        "node_dropped": 0,
        "node_short": 3,
        "node_generation": 1,
    }
    node.stop(JOIN_NS)
    node.stop(JOIN_NS)
    again = SoundNode(PLAN, make_visit=Visits("go", "go"))
    again.start()
    while again.state().generation < 3:
        assert select.select([again.event_fd], [], [], 5)[0]
    again.stop(JOIN_NS)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_thread_that_breaks_tells(quick):
    node = SoundNode(PLAN, make_visit=Visits("break"))
    node.start()
    assert select.select([node.event_fd], [], [], 5)[0]
    while node.failure() is None:
        select.select([node.event_fd], [], [], 5)
    with pytest.raises(PipelineFailed, match="pf-node"):
        node.state()
    node.stop(JOIN_NS)


def test_a_node_that_never_started_is_stopped():
    node = SoundNode(PLAN, make_visit=Visits())
    node.aim("speakers")
    assert node.plan.target == "speakers"
    assert not node.is_started
    node.stop(JOIN_NS)


def test_without_any_server_both_sockets_are_named():
    with pytest.raises(EnvironmentProblem, match=r"/nowhere/pipewire-0$"):
        find_server(PLAN, ())


def test_a_playback_never_follows_the_default_sink():
    plan = SoundNodePlan(SoundRole.PLAYBACK, "here", "x", 6, target="speakers")
    properties = node_properties(plan, 240)
    assert properties["target.object"] == "speakers"
    assert properties["node.dont-reconnect"] == "true"
    assert properties["node.force-quantum"] == "240"
    assert node_properties(PLAN, 240)["media.class"] == "Audio/Sink"


@pytest.mark.parametrize(
    ("version", "rate_hz", "quantum_us", "wanted"),
    [
        ("1.4.2", 48_000, 5000, 240),
        ("0.3.82", 48_000, 5000, 240),
        ("0.3.81", 48_000, 5000, 256),
        ("0.3.65", 44_100, 5000, 256),
        ("0.3.65", 48_000, 10_000, 512),
        ("0.3.65", 48_000, 1, 1),
        ("1.5.0-rc1", 96_000, 5000, 480),
        ("", 48_000, 5000, 256),
    ],
)
def test_an_old_pipewire_is_asked_for_what_it_does_not_round(version, rate_hz, quantum_us, wanted):
    plan = SoundNodePlan(SoundRole.SINK, "sink", "x", 2, rate_hz, quantum_us)
    assert unrounded(plan.quantum_samples, version) == wanted


@pytest.mark.parametrize("description", ["plain", 'Anna\'s "big" \\ laptop', "a'; sink_name=b"])
def test_a_client_cannot_break_out_of_module_arguments(description):
    plan = SoundNodePlan(SoundRole.MICROPHONE, "mic", description, 1)
    for _module, arguments in module_arguments(plan):
        quoted = arguments.partition("_properties=")[2]
        assert quoted.startswith("'device.description=\"")
        assert quoted.endswith("\"'")
        assert not set(quoted[21:-2]) & set("'\"\\")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('{"name": "a.b"}', "a.b"),
        ("", ""),
        ("{}", ""),
        ('{"name": 1}', ""),
        ("[" * 2000, ""),
        ('"x"', ""),
        ("{", ""),
    ],
)
def test_defaults_are_read_or_empty(value, name):
    assert read_name(value) == name


class Fed:
    """A live sound of the test's; then it is quiet."""

    filled_count = 0

    def __init__(self, levels):
        self.levels = list(levels)

    def rest(self, _patience_ns):
        return True

    def take(self, count):
        level = self.levels.pop(0) if self.levels else 0
        return Taken(np.full((count, 2), level, np.int16), 1_000, is_filled=not level)


def test_packets_of_a_desktop_are_captured_when_it_played_them(monkeypatch):
    monkeypatch.setattr("punktfunk.realtime.sound_maker.QUIET_NS", 10_000_000)
    monkeypatch.setattr("punktfunk.realtime.sound_maker.realtime_offset_ns", lambda: 7)
    maker, found = (
        SoundMaker(NativeAudioPlan(AudioSource.DESKTOP, 2, is_pcm=True), Fed([5, 0, 0, 0, 6, 0])),
        [],
    )
    maker.start()
    while len(found) < 6:
        assert select.select([maker.event_fd], [], [], 5)[0]
        found += maker.take()
    maker.stop(JOIN_NS)
    assert {packet.pts_ns for packet in found} == {1_007}
    marks = [(packet.is_first, packet.ends_sound) for packet in found[:5]]
    assert marks == [(True, False), (False, False), (False, True), (True, False), (False, False)]


def test_a_speaker_that_nobody_listens_to_keeps_little(monkeypatch):
    now_ns = [0]
    monkeypatch.setattr("punktfunk.realtime.present.ring_speaker.time.monotonic_ns", lambda: now_ns[0])
    ring = sound_node.SampleRing(1, 48_000)
    speaker = RingSpeaker(ring)
    packet = np.stack([np.full(480, 0.5), np.full(480, 0.1)], axis=1).astype(np.float32)
    for _ in range(30):
        now_ns[0] += 10_000_000
        speaker.play(packet)
    assert ring.level() == 960 + 480
    assert speaker.waiting_ns() == KEPT_NS
    assert ring.take(1)[0][0, 0] == pytest.approx(0.3)
    assert speaker.waiting_ns() == 1439 * 1_000_000_000 // 48_000
    now_ns[0] += IDLE_NS + 1
    assert speaker.waiting_ns() == KEPT_NS
