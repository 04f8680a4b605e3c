"""Which encoders this host offers: the probe's findings under the rules of the settings, said aloud."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec
from punktfunk.realtime import probe_encoders

if TYPE_CHECKING:
    from punktfunk.config import Settings
    from punktfunk.realtime import EncoderReport


class OfferedEncoders(dict[Codec, str]):
    """The FFmpeg encoder of each offered codec, and which of them encode more than 8 bit in 4:2:0."""

    def __init__(self) -> None:
        super().__init__()
        self.full_chroma: set[Codec] = set()
        self.ten_bit: set[Codec] = set()
        self.deep_chroma: set[Codec] = set()

    def note(self, found: "EncoderReport") -> list[str]:
        """Remember what else an encoder of the probe can; in words."""
        codec, said = found.codec, []
        for can, codecs, word in (
            (found.full_chroma, self.full_chroma, "4:4:4"),
            (found.ten_bit, self.ten_bit, "10 bit"),
            (found.deep_chroma, self.deep_chroma, "both at once"),
        ):
            if can:
                codecs.add(codec)
                said.append(word)
        return said


async def choose_encoders(settings: "Settings", report: Callable[[str], None]) -> OfferedEncoders:
    """Probe, report every choice with its reason, and return the FFmpeg encoder of each offered codec.

    EnvironmentProblem if nothing encodes H.264: every client falls back on that.
    """
    findings = await trio.to_thread.run_sync(probe_encoders, settings.encoder)
    if all(found.encoder_name is None for found in findings if found.codec is Codec.H264):
        # A family that lacks H.264 (or a codec of it that does not work here) still leaves H.264 to the
        # others.
        findings = [found for found in findings if found.codec is not Codec.H264]
        findings += await trio.to_thread.run_sync(probe_encoders, "auto", (Codec.H264,))
    chosen = OfferedEncoders()
    for found in sorted(findings, key=lambda found: list(Codec).index(found.codec)):
        name, why_not = found.encoder_name, refusal(found, settings)
        if name is not None and not why_not:
            chosen[found.codec] = name
            more = chosen.note(found)
            also = f"; also {', '.join(more)}" if more else ""
            report(f"encoder: {found.codec.value} by {name} ({found.reason}{also})")
        else:
            report(f"encoder: {found.codec.value} not offered ({why_not or found.reason})")
    if Codec.H264 not in chosen:
        raise EnvironmentProblem(
            "no H.264 encoder works on this machine",
            hint="run `punktfunk doctor`; a PyAV wheel from PyPI always has libx264",
        )
    return chosen


def refusal(found: "EncoderReport", settings: "Settings") -> str:
    """Say why a working encoder is not offered; empty if it is.

    Automatic clients choose AV1, then HEVC, over H.264: software that cannot hold real time must not tempt
    them.
    """
    if found.encoder_name is None or found.hardware or found.codec is Codec.H264:
        return ""
    if found.codec is Codec.HEVC and not settings.software_hevc:
        return f"{found.encoder_name} works but is slow; software_hevc = true offers it"
    if found.codec is Codec.AV1 and not settings.software_av1:
        return f"{found.encoder_name} works but is slow; software_av1 = true offers it"
    return ""
