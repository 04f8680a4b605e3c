"""The decode thread's body: codecs, broken units, ways that fail, and what the judge hears."""

import threading
from dataclasses import dataclass

import av
import numpy as np
import pytest
from stream_helpers import SMALL, encode_plan, fill, luma

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec, ColourSpace, DecodePlan, TestcardSource
from punktfunk.realtime.capture import barcode
from punktfunk.realtime.capture.testcard import TestcardCapture
from punktfunk.realtime.decode import lavc
from punktfunk.realtime.decode.hardware import SOFTWARE, Candidate, candidates
from punktfunk.realtime.decode.lavc import LavcDecoder
from punktfunk.realtime.decode.loop import DecodeLoop, VideoDecoder, open_video_decoder
from punktfunk.realtime.encode.lavc import LavcEncoder

H264 = DecodePlan(Codec.H264, ColourSpace.BT709, full_range=False, hardware="none")


@dataclass(frozen=True)
class Unit:
    frame_index: int
    access_unit: bytes
    pts_ns: int = 0
    user_flags: int = 1
    first_ns: int = 0
    complete_ns: int = 0


def units_of(codec, count, **plan):
    encoder = LavcEncoder.open(encode_plan(codec, **plan), SMALL)
    card = TestcardCapture(TestcardSource(SMALL))
    made = []
    for number in range(count):
        card.draw_frame(number)
        picture = encoder.new_picture()
        fill(picture, card._pixels)
        (unit,) = encoder.encode(picture, key=number == 0)
        made.append(Unit(number, unit.data))
    encoder.close()
    return made


@pytest.fixture(scope="module")
def units():
    return units_of(Codec.H264, 6)


class Judge:
    def __init__(self, stale=(), hold=()):
        self.stale, self.hold, self.heard = stale, hold, []

    def arrived(self, frame):
        return frame.frame_index not in self.stale

    def decoded(self, frame, *, produced, is_key=False):
        self.heard.append((frame.frame_index, produced, is_key))
        return produced and frame.frame_index not in self.hold


class Source:
    def __init__(self, units):
        self._units = list(units)
        self.drained = threading.Event()

    def pop(self, timeout_ns):
        if self._units:
            return self._units.pop(0)
        self.drained.set()
        return None


def loop_of(judge, show, decoder=None):
    return DecodeLoop(Source([]), decoder or LavcDecoder(H264), judge, show, threading.Event())


@pytest.mark.parametrize("codec", list(Codec))
def test_each_unit_gives_its_picture_at_once(codec):
    decoder = LavcDecoder(DecodePlan(codec, ColourSpace.BT709, full_range=False, hardware="none"))
    for unit in units_of(codec, 3):
        (decoded,) = decoder.decode(unit.access_unit, unit.frame_index + 7)
        assert decoded.tag == unit.frame_index + 7
        assert decoded.frame.format.name in lavc.SHOWABLE
        assert barcode.read(luma(decoded.frame)).frame_number == unit.frame_index
    assert decoder.name == f"{codec.value} (software)"


def test_a_unit_may_be_any_bytes(units):
    decoder = LavcDecoder(H264)
    assert decoder.decode(memoryview(units[0].access_unit), 1)
    assert decoder.decode(np.frombuffer(units[1].access_unit, np.uint8), 2)


def test_broken_units_give_nothing_and_do_no_harm(units):
    decoder = LavcDecoder(H264)
    decoder.decode(units[0].access_unit, 0)
    for number, broken in enumerate((b"", b"\0\0\0\1", b"\0\0\0\1\x65" + bytes(400), bytes(range(256)))):
        decoder.decode(broken or b"\xff", number)
    assert decoder.decode(units[0].access_unit, 9)


def test_full_range_of_bt709_is_squeezed_as_no_renderer_has_it():
    (unit,) = units_of(Codec.H264, 1, full_range=True)
    plan = DecodePlan(Codec.H264, ColourSpace.BT709, full_range=True, hardware="none")
    (decoded,) = LavcDecoder(plan).decode(unit.access_unit, 3)
    assert (decoded.frame.format.name, decoded.tag) == ("yuv420p", 3)
    assert 14 <= luma(decoded.frame).min() < 40


def test_ways_are_tried_in_order_and_what_fails_is_said():
    ways = [Candidate("cuda", "h264"), Candidate("vaapi", "h264"), Candidate(SOFTWARE, "h264")]
    decoder = LavcDecoder(H264, ways)
    assert decoder.name == "h264 (software)"
    assert [note.split()[0] for note in decoder.notes] == ["cuda", "vaapi"]


def test_without_any_way_the_problem_names_all():
    with pytest.raises(EnvironmentProblem, match="nothing on this machine decodes h264: software cannot"):
        LavcDecoder(H264, [Candidate(SOFTWARE, "nothing")])


class Refusing:
    """A device that opens and then refuses every unit."""

    is_hwaccel = True

    def decode(self, packet):
        raise av.error.InvalidDataError(1, "refused")


def test_a_device_that_refuses_three_units_is_left_for_software(units, monkeypatch):
    opened = lavc._open
    monkeypatch.setattr(lavc, "_open", lambda way: Refusing() if way.kind == "vaapi" else opened(way))
    decoder = LavcDecoder(H264, [Candidate("vaapi", "h264"), Candidate(SOFTWARE, "h264")])
    assert decoder.name == "h264 (vaapi)"
    assert [bool(decoder.decode(units[0].access_unit, tag)) for tag in range(4)] == [
        False,
        False,
        False,
        True,
    ]
    assert decoder.name == "h264 (software)"
    assert "stopped decoding" in decoder.notes[0]


@pytest.mark.parametrize(
    ("hardware", "platform", "kinds"),
    [
        ("none", "linux", [SOFTWARE]),
        ("nonsense", "linux", [SOFTWARE]),
        ("auto", "darwin", [SOFTWARE]),  # this build has no VideoToolbox
    ],
)
def test_only_ways_of_this_build_are_tried(hardware, platform, kinds):
    assert [way.kind for way in candidates(Codec.H264, hardware, platform)] == kinds


def test_the_judge_hears_of_every_unit_and_decides_what_is_shown(units):
    judge, shown = Judge(stale={1}, hold={3}), []
    loop = loop_of(judge, shown.append)
    for unit in units[:4]:
        loop.decode(unit)
    loop.decode(Unit(4, b"\0\0\0\1\x09\x10"))
    assert judge.heard[0] == (0, True, True)
    assert [heard[0] for heard in judge.heard] == [0, 2, 3, 4]
    assert judge.heard[-1] == (4, False, False)
    assert [picture.unit.frame_index for picture in shown] == [0, 2]
    assert all(picture.decode_ns <= picture.decoded_ns for picture in shown)
    assert loop.counters == {
        "units": 5, "stale_units": 1, "decoded_pictures": 3, "empty_units": 1, "held": 1,
    }  # fmt: skip


def test_a_decoder_that_delays_still_names_the_right_unit(units):
    class Late:
        def __init__(self):
            self.inner, self.kept = LavcDecoder(H264), []

        def decode(self, unit, tag):
            self.kept.append(self.inner.decode(unit, tag))
            return self.kept.pop(0) if len(self.kept) > 1 else []

    judge, shown = Judge(), []
    loop = loop_of(judge, shown.append, Late())
    for unit in units[:3]:
        loop.decode(unit)
    assert [picture.unit.frame_index for picture in shown] == [0, 1]


def test_the_thread_decodes_what_comes_and_ends(units):
    source, shown, failures = Source(units), [], []
    decoder = open_video_decoder(H264, source, Judge(), shown.append, failures.append)
    decoder.start()
    assert source.drained.wait(10)
    assert decoder.stop(5_000_000_000)
    assert len(shown) == len(units)
    assert (decoder.counters()["units"], decoder.notes, failures) == (len(units), [], [])


def test_a_failure_of_the_thread_is_told():
    failures = []

    class Broken:
        def pop(self, timeout_ns):
            raise RuntimeError("the receiver died")

    decoder = VideoDecoder(LavcDecoder(H264), Broken(), Judge(), print, failures.append)
    decoder.start()
    assert decoder.stop(5_000_000_000)
    assert str(failures[0]) == "the receiver died"
