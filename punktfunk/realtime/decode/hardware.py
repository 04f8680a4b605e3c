"""Which decoder is tried in which order: hardware where libavcodec, driver and codec agree, then software.

PyAV's wheels contain CUDA (and D3D11 on Windows, VideoToolbox on macOS); VAAPI and Vulkan come with a
distribution's build. A kind that this build does not know is passed over without a word; one that it knows
and cannot open is named in ``notes``. Only software was ever run by the author's tests: no machine of theirs
has a video engine.
"""

import sys
from dataclasses import dataclass
from typing import Any, Final

import av

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec

SOFTWARE: Final = "software"

_ORDER: Final = {
    "darwin": ("videotoolbox",),
    "win32": ("d3d11va", "cuda", "vulkan"),
}
_LINUX_ORDER: Final = ("vaapi", "cuda", "vulkan")

_SOFTWARE_NAMES: Final = {Codec.H264: "h264", Codec.HEVC: "hevc", Codec.AV1: "libdav1d"}
_HARDWARE_NAMES: Final = {Codec.H264: "h264", Codec.HEVC: "hevc", Codec.AV1: "av1"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to decode: ``kind`` is a libavutil device type or ``software``."""

    kind: str
    decoder_name: str


def candidates(codec: Codec, hardware: str = "auto", platform: str = sys.platform) -> list[Candidate]:
    """List the ways to try, best first, software always last.

    ``hardware`` is ``auto``, ``none``, or the only device type to try before software.
    """
    kinds: tuple[str, ...] = _ORDER.get(platform, _LINUX_ORDER) if hardware == "auto" else (hardware,)
    if hardware == "none":
        kinds = ()
    found = [Candidate(kind, _HARDWARE_NAMES[codec]) for kind in kinds if _is_known(kind, codec)]
    return [*found, Candidate(SOFTWARE, _SOFTWARE_NAMES[codec])]


def open_device(kind: str) -> Any:
    """Make what ``CodecContext.create`` takes as ``hwaccel``. Opening the context opens the device."""
    try:
        from av.codec.hwaccel import HWAccel
    except ImportError as error:
        raise EnvironmentProblem(f"PyAV {av.__version__} opens no devices; PyAV 14 does") from error
    return HWAccel(device_type=kind, allow_software_fallback=False)


def _is_known(kind: str, codec: Codec) -> bool:
    """Whether this build of libavcodec can decode the codec by such a device, if there is one."""
    try:
        configs = av.codec.Codec(_HARDWARE_NAMES[codec], "r").hardware_configs
    except (AttributeError, ValueError, av.error.FFmpegError):  # PyAV before 14, or a build without the codec
        return False
    return any(config.is_supported and config.device_type.name == kind for config in configs)
