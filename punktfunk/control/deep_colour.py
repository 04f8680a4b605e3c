"""More than 8 bit in 4:2:0: what this host may offer of it, and the refusal where a display gives less.

HDR10 is offered where the display backend says that its outputs have ten bits (``bit_depth`` of the backend),
and an encoder was seen to take them. Nothing is stretched from eight bits: that would be called HDR and be
none.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from punktfunk.control.displays.base import DisplayBackend, VirtualOutput
from punktfunk.control.encoders import OfferedEncoders
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec, FrameSource, PipeWireSource


@dataclass(frozen=True, slots=True)
class DeepColour:
    """The codecs that may be agreed on in 4:4:4, in HDR10, and in both at once."""

    full_chroma: frozenset[Codec] = frozenset()
    hdr: frozenset[Codec] = frozenset()
    hdr_full_chroma: frozenset[Codec] = frozenset()

    def allows(self, codec: Codec, *, ten_bit: bool, chroma_444: bool) -> bool:
        """Whether a stream of that codec may be so."""
        if not ten_bit and not chroma_444:
            return True
        if ten_bit and chroma_444:
            return codec in self.hdr_full_chroma
        return codec in (self.hdr if ten_bit else self.full_chroma)


NO_DEEP_COLOUR = DeepColour()


def deep_colour(encoders: Mapping[Codec, str], backend: DisplayBackend) -> DeepColour:
    """Return what encoders and display can do together."""
    if not isinstance(encoders, OfferedEncoders):
        return NO_DEEP_COLOUR

    def those(codecs: Collection[Codec]) -> frozenset[Codec]:
        return frozenset(codecs) & frozenset(encoders)

    if getattr(backend, "bit_depth", 8) < 10:
        return DeepColour(those(encoders.full_chroma))
    return DeepColour(*map(those, (encoders.full_chroma, encoders.ten_bit, encoders.deep_chroma)))


def source_of_depth(output: VirtualOutput, bit_depth: int) -> FrameSource:
    """Return the output's source in the agreed depth; EnvironmentProblem where the output has less."""
    if bit_depth == 8:
        return output.source
    if output.bit_depth < bit_depth or not isinstance(output.source, PipeWireSource):
        raise EnvironmentProblem(
            f"HDR was agreed on, and output {output.name} gives {output.bit_depth} bit",
            hint="Switch HDR off in the client, or on in the desktop's display settings.",
        )
    return replace(output.source, bit_depth=bit_depth)
