"""Frames of a headless client: rows, synthetic units, recordings, test cards in films."""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec
from punktfunk.realtime.capture import barcode
from punktfunk.realtime.capture.testcard import draw_background
from punktfunk.realtime.inspection import FrameInspector, PlainReader, is_intact
from punktfunk.realtime.recorded import Quad, _Sampler, homography, read_recording
from punktfunk.realtime.recording import Recorder

WIDTH, HEIGHT = 640, 360


def synthetic(number, size=2000):
    return number.to_bytes(4, "little") + bytes((number + j) % 256 for j in range(4, size))


def card(number):
    pixels = draw_background(WIDTH, HEIGHT)
    barcode.draw(pixels, barcode.Stamp(number, number * 1000))
    return pixels


@pytest.fixture(scope="module")
def units():
    """Five access units of a test card, the first of them a key frame."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base = Fraction(1, 60)
    context.options = {"preset": "ultrafast", "tune": "zerolatency"}
    found = []
    for number in range(5):
        frame = av.VideoFrame.from_ndarray(card(number).view(np.uint8).reshape(HEIGHT, WIDTH, 4), "bgra")
        frame = frame.reformat(format="yuv420p")
        frame.pts = number
        found += [bytes(packet) for packet in context.encode(frame)]
    return found


class Source:
    def __init__(self, units):
        self.units = [
            SimpleNamespace(
                frame_index=index, pts_ns=index * 16_000_000, user_flags=1 if index else 5, access_unit=unit,
                first_ns=1, complete_ns=2, packet_count=3, recovered_count=1, data_count=2,
            )
            for index, unit in enumerate(units)
        ]  # fmt: skip

    def pop(self, _timeout_ns):
        return self.units.pop(0) if self.units else None


class Judge:
    def __init__(self):
        self.seen = []

    def arrived(self, unit):
        self.seen.append(unit.frame_index)
        return True

    def decoded(self, unit, *, produced, is_key=False):
        return True


def test_synthetic_units_are_known_by_their_bytes():
    unit = synthetic(300)
    assert is_intact(unit) is True
    broken = bytearray(unit)
    broken[1500] ^= 1
    assert is_intact(bytes(broken)) is False
    assert is_intact(b"\0\0\0\1" + bytes(2000)) is None
    assert is_intact(b"") is None


def test_rows_are_counted_and_the_end_is_told(units):
    ends = []
    inspector = FrameInspector(Source(units), 3, lambda: ends.append(len(inspector.rows)))
    reader = PlainReader(inspector, Judge())
    reader.start()
    while len(inspector.rows) < 5:
        pass
    assert reader.stop(10**9)
    assert ends == [3]
    assert [row.frame_index for row in inspector.rows] == [0, 1, 2, 3, 4]
    assert inspector.rows[0].is_key
    assert not inspector.rows[1].is_key
    assert (inspector.rows[0].packet_count, inspector.rows[0].intact) == (3, None)


def test_a_recording_holds_what_arrived(units, tmp_path):
    path = tmp_path / "take.mkv"
    recorder = Recorder(path, Codec.H264, 60, sound_channels=2)
    recorder.video(units[1], 0, is_key=False)  # before the first key frame: nothing could decode it
    for index, unit in enumerate(units):
        recorder.video(unit, index * 16_666_667, is_key=not index)
        recorder.sound(b"\xfc\xff\xfe", index * 16_666_667)
    recorder.close()
    assert (recorder.unit_count, recorder.sound_count) == (5, 5)
    pictures = list(read_recording(path, []))
    assert [picture.stamps[0].frame_number for picture in pictures] == [0, 1, 2, 3, 4]
    assert pictures[3].time_ns == 50_000_000
    with av.open(str(path)) as file:
        assert file.streams.audio[0].codec_context.name == "opus"


def test_what_is_no_film_is_named(tmp_path):
    (tmp_path / "text").write_text("no film")
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        list(read_recording(tmp_path / "text", []))
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        Recorder(tmp_path / "no" / "folder.mkv", Codec.H264, 60)


def test_a_card_is_read_in_perspective():
    corners = ((60.0, 40.0), (900.0, 90.0), (870.0, 600.0), (30.0, 520.0))
    to_unit = np.linalg.inv(homography(corners))
    y, x = np.mgrid[0:700, 0:1000]
    mapped = np.tensordot(to_unit, np.stack([x + 0.5, y + 0.5, np.ones_like(x)]), axes=1)
    u, v = mapped[0] / mapped[2], mapped[1] / mapped[2]
    inside = (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
    green = (card(77) >> np.uint32(8) & np.uint32(255)).astype(np.uint8)
    film = np.full((700, 1000), 90, np.uint8)
    film[inside] = green[(v[inside] * HEIGHT).astype(int), (u[inside] * WIDTH).astype(int)]
    assert _Sampler(Quad(corners, WIDTH, HEIGHT)).read(film) == barcode.Stamp(77, 77_000)
    assert _Sampler(Quad(corners, WIDTH, HEIGHT)).read(film[:50]) is None


def test_corners_map_to_corners():
    corners = ((1.0, 2.0), (9.0, 3.0), (8.0, 11.0), (2.0, 9.0))
    matrix = homography(corners)
    for unit, corner in zip(((0, 0), (1, 0), (1, 1), (0, 1)), corners, strict=True):
        x, y, w = matrix @ (*unit, 1)
        assert (x / w, y / w) == pytest.approx(corner)
    with pytest.raises(EnvironmentProblem, match="no quad"):
        homography(((0, 0), (1, 1), (2, 2), (3, 3)))
