"""What is offered beyond 8 bit in 4:2:0, and that an output with less is refused."""

from types import SimpleNamespace

import pytest

from punktfunk.control.deep_colour import deep_colour, source_of_depth
from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.encoders import OfferedEncoders
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec, Mode, PipeWireSource, TestcardSource

MODE = Mode(1280, 720, 60_000)


def encoders():
    made = OfferedEncoders()
    made |= {Codec.H264: "libx264", Codec.HEVC: "hevc_nvenc"}
    made.full_chroma, made.ten_bit = {Codec.H264, Codec.HEVC, Codec.AV1}, {Codec.HEVC}
    return made


def test_hdr_only_where_the_display_has_ten_bits():
    flat = deep_colour(encoders(), SimpleNamespace(name="sway"))
    assert (flat.full_chroma, flat.hdr) == ({Codec.H264, Codec.HEVC}, set())
    deep = deep_colour(encoders(), SimpleNamespace(name="kwin", bit_depth=10))
    assert deep.allows(Codec.HEVC, ten_bit=True, chroma_444=False)
    assert not deep.allows(Codec.HEVC, ten_bit=True, chroma_444=True)
    assert not deep_colour({Codec.H264: "libx264"}, SimpleNamespace()).full_chroma


def test_an_output_of_eight_bits_is_never_called_hdr():
    source = PipeWireSource(MODE, 7)
    flat = VirtualOutput("A", MODE, source, "kwin")
    assert source_of_depth(flat, 8) is source
    deep = VirtualOutput("A", MODE, source, "kwin", bit_depth=10)
    assert source_of_depth(deep, 10).bit_depth == 10
    for output in (flat, VirtualOutput("B", MODE, TestcardSource(MODE), "testcard", bit_depth=10)):
        with pytest.raises(EnvironmentProblem, match="HDR was agreed on"):
            source_of_depth(output, 10)
