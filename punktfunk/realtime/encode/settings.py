"""How each FFmpeg encoder is told to have no delay, cap its key frames and keep its headers in band.

Nothing here touches a library: a plan goes in, names and options come out.
"""

from dataclasses import dataclass, field
from typing import Final

from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.plan import Codec, ColourSpace, EncodePlan, Mode

ENDLESS: Final = 2**31 - 1
"""A distance between key frames that no session reaches; key frames are made on demand."""

MAX_SOFTWARE_THREADS: Final = 4
"""More slices than this cost more bits than the latency that they save is worth."""

X264_QUANTISERS: Final = "qpstep=12:qpmin=12"
"""With x264's own step of 4 it takes a rate buffer of one frame many frames to get over a change of scene:
scrolled text at 5 Mbit/s has 23 dB instead of 29, and costs more time. Quantisers under 12 nobody sees, but a
still picture would go on costing bits for them."""

SVT_LEAST_QUANTISER: Final = 24
"""SVT-AV1 cannot cap a frame and encodes a change at the quality of the still picture before it: without this
limit twice as large, up to 45 times the mean. Text has 44 dB with it."""

_COLOUR_TAGS: Final = {
    ColourSpace.BT601: ("smpte170m", "smpte170m", "smpte170m"),
    ColourSpace.BT709: ("bt709", "bt709", "bt709"),
    ColourSpace.BT2020: ("bt2020nc", "bt2020", "bt2020-10"),
}
"""Matrix, primaries and transfer, as Sunshine tags them (src/video_colorspace.cpp,
avcodec_colorspace_from_sunshine_colorspace)."""

_HDR10_TAGS: Final = ("bt2020nc", "bt2020", "smpte2084")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An encoder that may be there. With a ``device_type`` its frames are uploaded to such a device.

    ``full_chroma``, ``ten_bit`` and ``ten_bit_full_chroma`` are its pixel formats for those; empty where it
    has none.
    """

    name: str
    family: str
    codec: Codec
    pixel_format: str
    device_type: str | None = None
    full_chroma: str = ""
    ten_bit: str = ""
    ten_bit_full_chroma: str = ""

    def format_for(self, *, bit_depth: int, chroma_444: bool) -> str:
        """Return the pixel format of a stream; EnvironmentProblem where this encoder has none for it."""
        depth_formats = {
            8: (self.pixel_format, self.full_chroma),
            10: (self.ten_bit, self.ten_bit_full_chroma),
        }
        found = depth_formats.get(bit_depth, ("", ""))[chroma_444]
        if not found:
            what = f"{bit_depth} bit in 4:4:4" if chroma_444 else f"{bit_depth} bit"
            raise EnvironmentProblem(f"{self.name} does not encode {what}")
        return found


_NVENC_8: Final = {"full_chroma": "yuv444p"}
_NVENC_10: Final = {"full_chroma": "yuv444p", "ten_bit": "p010le", "ten_bit_full_chroma": "yuv444p16le"}
_X265: Final = {"full_chroma": "yuv444p", "ten_bit": "yuv420p10le", "ten_bit_full_chroma": "yuv444p10le"}

CANDIDATES: Final = (
    Candidate("h264_nvenc", "nvenc", Codec.H264, "nv12", **_NVENC_8),
    Candidate("h264_vaapi", "vaapi", Codec.H264, "nv12", "vaapi"),
    Candidate("h264_qsv", "qsv", Codec.H264, "nv12"),
    Candidate("h264_amf", "amf", Codec.H264, "nv12"),
    Candidate("h264_vulkan", "vulkan", Codec.H264, "nv12", "vulkan"),
    Candidate("libx264", "software", Codec.H264, "yuv420p", full_chroma="yuv444p"),
    Candidate("hevc_nvenc", "nvenc", Codec.HEVC, "nv12", **_NVENC_10),
    Candidate("hevc_vaapi", "vaapi", Codec.HEVC, "nv12", "vaapi", ten_bit="p010le"),
    Candidate("hevc_qsv", "qsv", Codec.HEVC, "nv12", ten_bit="p010le"),
    Candidate("hevc_amf", "amf", Codec.HEVC, "nv12", ten_bit="p010le"),
    Candidate("hevc_vulkan", "vulkan", Codec.HEVC, "nv12", "vulkan", ten_bit="p010le"),
    Candidate("libx265", "software", Codec.HEVC, "yuv420p", **_X265),
    Candidate("av1_nvenc", "nvenc", Codec.AV1, "nv12", ten_bit="p010le"),
    Candidate("av1_vaapi", "vaapi", Codec.AV1, "nv12", "vaapi", ten_bit="p010le"),
    Candidate("av1_qsv", "qsv", Codec.AV1, "nv12", ten_bit="p010le"),
    Candidate("av1_amf", "amf", Codec.AV1, "nv12", ten_bit="p010le"),
    Candidate("av1_vulkan", "vulkan", Codec.AV1, "nv12", "vulkan", ten_bit="p010le"),
    Candidate("libsvtav1", "software", Codec.AV1, "yuv420p", ten_bit="yuv420p10le"),
)
"""Every encoder that is tried, best first within its codec."""


def candidate(name: str) -> Candidate:
    """Find the candidate of an FFmpeg encoder's name; ConfigError if there is none."""
    for known in CANDIDATES:
        if known.name == name:
            return known
    raise ConfigError(
        f"no encoder is called {name!r}", hint=f"Known: {', '.join(known.name for known in CANDIDATES)}."
    )


def coded_size(width_px: int, height_px: int) -> tuple[int, int]:
    """Tell which size is encoded: 4:2:0 needs even numbers, so odd ones grow by one."""
    return (width_px + 1) & ~1, (height_px + 1) & ~1


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What FFmpeg is given."""

    candidate: Candidate
    width_px: int
    height_px: int
    rate_millihertz: int
    bitrate_bps: int
    pixel_format: str
    options: dict[str, str] = field(default_factory=dict)


def settings_for(plan: EncodePlan, mode: Mode, cpu_count: int) -> EncoderSettings:
    """Translate a plan; ``cpu_count`` limits the threads of software encoders."""
    chosen = candidate(plan.encoder_name)
    width_px, height_px = coded_size(mode.width_px, mode.height_px)
    buffer_bits = rate_buffer_bits(plan.bitrate_bps, mode)
    matrix, primaries, transfer = _HDR10_TAGS if plan.bit_depth == 10 else _COLOUR_TAGS[plan.colour_space]
    options = {
        "maxrate": str(plan.bitrate_bps),
        "bufsize": str(buffer_bits),
        "g": str(ENDLESS),
        "bf": "0",
        "flags": "+low_delay",
        "color_range": "pc" if plan.full_range else "tv",
        "colorspace": matrix,
        "color_primaries": primaries,
        "color_trc": transfer,
    }
    if plan.reference_frame_count:
        options["refs"] = str(plan.reference_frame_count)
    # Software encoders use a slice per thread: with several cores a frame is done sooner, and decoders take
    # any number of slices. The client's wish is the least (as Sunshine, src/video.cpp,
    # make_avcodec_encode_session).
    thread_count = max(min(cpu_count, MAX_SOFTWARE_THREADS), plan.slices_per_frame)
    options |= _family_options(chosen, mode, thread_count, plan.slices_per_frame, cpu_count)
    if chosen.name == "libsvtav1":
        del options["bufsize"]
    pixels = chosen.format_for(bit_depth=plan.bit_depth, chroma_444=plan.chroma_444)
    rate = mode.refresh_millihertz
    return EncoderSettings(chosen, width_px, height_px, rate, plan.bitrate_bps, pixels, options)


def rate_buffer_bits(bitrate_bps: int, mode: Mode) -> int:
    """Size the rate control's buffer: one frame's share, so that key frames are no larger than others.

    Never under a sixteenth of a bit per pixel: below that key frames are mush, and at such bitrates a larger
    frame is no burst that a network would notice.
    """
    frame_bits = bitrate_bps * 1000 // mode.refresh_millihertz
    return max(frame_bits, mode.width_px * mode.height_px // 16, 16_000)


def _family_options(
    chosen: Candidate, mode: Mode, thread_count: int, slice_count: int, cpu_count: int
) -> dict[str, str]:
    if chosen.family == "software":
        return _software_options(chosen.codec, mode, thread_count, cpu_count)
    slices = {} if chosen.codec is Codec.AV1 else {"slices": str(slice_count)}
    if chosen.family == "nvenc":
        return slices | {
            "preset": "p1",
            "tune": "ull",
            "rc": "cbr",
            "delay": "0",
            "zerolatency": "1",
            "forced-idr": "1",
            "rc-lookahead": "0",
            "no-scenecut": "1",
        }
    if chosen.family == "vaapi":
        in_band = {} if chosen.codec is Codec.AV1 else {"sei": "0"}
        return slices | in_band | {"async_depth": "1", "idr_interval": str(ENDLESS), "rc_mode": "CBR"}
    if chosen.family == "vulkan":
        return slices | {
            "async_depth": "1",
            "idr_interval": str(ENDLESS),
            "rc_mode": "cbr",
            "tune": "ull",
            "usage": "stream",
        }
    if chosen.family == "qsv":
        return slices | {
            "preset": "veryfast",
            "async_depth": "1",
            "forced_idr": "1",
            "low_delay_brc": "1",
            "low_power": "1",
        }
    return slices | {
        "usage": "ultralowlatency",
        "quality": "speed",
        "rc": "cbr",
        "latency": "1",
        "forced_idr": "1",
        "async_depth": "1",
    }


def _software_options(codec: Codec, mode: Mode, thread_count: int, cpu_count: int) -> dict[str, str]:
    if codec is Codec.H264:
        # Two cores hold 1080p60 with ultrafast only; many cores have the time for superfast's CABAC.
        pixel_rate_hz = mode.width_px * mode.height_px * mode.refresh_millihertz // 1000
        enough = cpu_count * 16_000_000 > pixel_rate_hz
        return {
            "preset": "superfast" if enough else "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "threads": str(thread_count),
            "x264-params": f"keyint=infinite:scenecut=0:repeat-headers=1:{X264_QUANTISERS}",
        }
    if codec is Codec.HEVC:
        return {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "forced-idr": "1",
            "x265-params": (
                f"keyint=-1:open-gop=0:scenecut=0:bframes=0:rc-lookahead=0:repeat-headers=1:info=0:log-level=none:"
                f"frame-threads=1:pools={thread_count}"
            ),
        }
    # CBR needs maxrate = bitrate, else opening fails. Preset 9 and not rtc: above it, and with rtc=1 at any,
    # SVT-AV1 4.1 left small changes out for several frames (the barcode of the test card could not be read).
    # The buffers, in milliseconds, cap key frames as well as it can; FFmpeg's bufsize would override them.
    return {
        "preset": "9",
        "svtav1-params": (
            f"rc=2:pred-struct=1:lookahead=0:scd=0:keyint=-1:lp={thread_count}:"
            f"buf-sz=50:buf-initial-sz=20:buf-optimal-sz=20:min-qp={SVT_LEAST_QUANTISER}"
        ),
    }
