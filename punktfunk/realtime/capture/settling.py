"""What capture offers a video node and answers it, and how it steps down when that does not work."""

from collections.abc import Callable, Sequence

from punktfunk.errors import RemoteProtocolError
from punktfunk.plan import CursorMode, PipeWireSource
from punktfunk.realtime.capture.video_format import (
    EIGHT_BIT,
    LINEAR_MODIFIERS,
    TEN_BIT,
    VideoFormat,
    buffer_params,
    fix_modifier,
    offer_formats,
    parse_format,
)
from punktfunk.realtime.pipewire.pod import Param


class Settling:
    """The negotiation of one stream. ``announce`` is told which way pictures take.

    ``dma_buf_first`` asks for DMA-BUFs also where shared memory can be had.
    """

    def __init__(
        self, source: PipeWireSource, announce: Callable[[str], None], *, dma_buf_first: bool = False
    ) -> None:
        self._source = source
        self._announce = announce
        self._takes_dma_buf = True
        self._dma_buf_first = dma_buf_first
        self._told = ""
        self.format: VideoFormat | None = None
        self.problem = ""

    def offers(self) -> list[bytes]:
        """Make the formats that are offered now, best first."""
        ten_bit = self._source.bit_depth == 10
        ways = (False, True) if self._takes_dma_buf else (False,)
        ways = ways[::-1] if self._dma_buf_first else ways
        return offer_formats(self._source.mode, ten_bit=ten_bit, ways=ways)

    def answer(self, identity: int, param: bytes | None) -> list[bytes]:
        """Take a parameter that the node set; return what to tell it, nothing where there is no need."""
        if identity != Param.FORMAT:
            return []
        self.format = None
        return [] if param is None else self._answer(param)

    def _answer(self, param: bytes) -> list[bytes]:
        try:
            settled, open_modifiers = parse_format(param)
        except RemoteProtocolError as error:
            self.problem = f"PipeWire settled on a format that cannot be read: {error}"
            return []
        if open_modifiers:
            return self._choose(settled, open_modifiers)
        if settled.format not in EIGHT_BIT + TEN_BIT:
            self.problem = f"PipeWire settled on {settled}, which was not offered"
            return []
        self.format = settled
        self._tell(settled)
        cursor = self._source.cursor is CursorMode.METADATA
        return buffer_params(dma_buf=settled.modifier is not None, cursor=cursor)

    def _choose(self, settled: VideoFormat, open_modifiers: Sequence[int]) -> list[bytes]:
        """Offer one of the modifiers that the node left open alone, before everything else."""
        usable = [modifier for modifier in open_modifiers if modifier in LINEAR_MODIFIERS]
        if not usable:
            return self.step_down("none is linear")
        return [fix_modifier(settled, self._source.mode, usable[0]), *self.offers()]

    @property
    def is_stepping_down(self) -> bool:
        """Whether DMA-BUFs still come although others were asked for: those are on their way."""
        return not self._takes_dma_buf and (self.format is None or self.format.modifier is not None)

    def step_down(self, reason: str) -> list[bytes]:
        """Do without DMA-BUFs from now on; the new offers, or nothing where that was the case already."""
        if not self._takes_dma_buf:
            return []
        self._takes_dma_buf = False
        self._announce(f"DMA-BUFs of the compositor cannot be read ({reason}): shared memory is used instead")
        return self.offers()

    def _tell(self, settled: VideoFormat) -> None:
        way = "shared memory" if settled.modifier is None else "DMA-BUFs read by the processor"
        note = f"capture: {settled} through {way}"
        if note != self._told:
            self._told = note
            self._announce(note)
            if settled.is_ten_bit and self._source.cursor is CursorMode.METADATA:
                self._announce("the pointer is not drawn over HDR pictures by the host")
