"""What to install so that a GPU encodes, in commands: per vendor, distribution and FFmpeg.

The wheel of PyAV brings NVENC, QSV and AMF, which load a runtime of the vendor. VAAPI and Vulkan are in an
FFmpeg of the distribution only, for which PyAV has to be built, and PyAV hands pictures to them since 18,
which is built against FFmpeg 8 (libavcodec 62).
"""

from ctypes.util import find_library
from pathlib import Path
from typing import Final

from punktfunk.control.system.packages import OS_RELEASE, Packages, distribution, install_command

UPLOADING_PYAV: Final = 18
UPLOADING_LIBAVCODEC: Final = 62
"""FFmpeg 8, the oldest that PyAV 18 is built against."""

_INTEL: Final[Packages] = {
    "debian": ("intel-media-va-driver", "libmfx-gen1.2"),
    "fedora": ("intel-media-driver", "intel-vpl-gpu-rt"),
    "arch": ("intel-media-driver", "vpl-gpu-rt"),
    "suse": ("intel-media-driver", "libmfx-gen1"),
}
_MESA: Final[Packages] = {
    "debian": ("mesa-va-drivers",),
    "fedora": ("mesa-va-drivers-freeworld",),
    "arch": ("libva-mesa-driver",),
    "suse": ("Mesa-libva",),
}
_NVIDIA: Final[Packages] = {
    "debian": ("libnvidia-encode1",),
    "fedora": ("xorg-x11-drv-nvidia-cuda-libs",),
    "arch": ("nvidia-utils",),
    "suse": ("nvidia-compute-utils-G06",),
}
_TO_BUILD: Final[Packages] = {
    "debian": (
        *("gcc", "python3-dev", "pkg-config", "libavformat-dev", "libavcodec-dev", "libavdevice-dev"),
        *("libavutil-dev", "libavfilter-dev", "libswscale-dev", "libswresample-dev"),
    ),
    "fedora": ("gcc", "python3-devel", "pkgconf", "ffmpeg-devel"),
    "arch": ("gcc", "pkgconf", "ffmpeg"),
    "suse": ("gcc", "python3-devel", "pkgconf", "ffmpeg-8-libavcodec-devel"),
}
_REPOSITORY: Final = {
    "debian": "non-free (Debian) or multiverse (Ubuntu)",
    "fedora": "RPM Fusion",
    "suse": "Packman or NVIDIA's own",
}


def libavcodec_major() -> int | None:
    """Major version of the distribution's libavcodec; None where it has none."""
    name = find_library("avcodec") or ""
    number = name.rpartition(".so.")[2]
    return int(number) if number.isdecimal() else None


def encoding_advice(vendor: str, pyav: str, libavcodec: int | None, os_release: Path = OS_RELEASE) -> str:
    """Say what makes a GPU of ``vendor`` (NVIDIA, AMD, Intel) encode; empty for others."""
    if vendor == "NVIDIA":
        return f"NVENC: {_from('debian', 'fedora', 'suse', os_release=os_release)}" + install_command(
            _NVIDIA, os_release
        )
    if vendor == "Intel":
        source = _from("fedora", os_release=os_release)
        return f"QSV: {source}{install_command(_INTEL, os_release)} (Broadwell and newer; log in again)"
    if vendor == "AMD":
        amf = "AMF: AMD's runtime libamfrt64.so.1 (package amf-amdgpu-pro of repo.radeon.com; Arch: AUR)"
        return f"{amf}. Or {_vaapi(pyav, libavcodec, os_release)}"
    return ""


def _vaapi(pyav: str, libavcodec: int | None, os_release: Path) -> str:
    """Word the way to VAAPI, which needs the distribution's FFmpeg."""
    if libavcodec is None or libavcodec < UPLOADING_LIBAVCODEC:
        found = "none" if libavcodec is None else f"libavcodec {libavcodec}"
        return (
            f"VAAPI: it needs FFmpeg 8 (libavcodec {UPLOADING_LIBAVCODEC}), and here is {found}: "
            "build FFmpeg 8 with --enable-vaapi, then PyAV against it by pip install --force-reinstall "
            "--no-binary av av"
        )
    driver = _from("fedora", os_release=os_release) + install_command(_MESA, os_release)
    version = int(pyav.partition(".")[0])
    wanted = "av" if version >= UPLOADING_PYAV else f"'av>={UPLOADING_PYAV}'"
    build = install_command(_TO_BUILD, os_release)
    return f"VAAPI: {driver}; {build}; pip install --force-reinstall --no-binary av {wanted} (ten minutes)"


def _from(*families: str, os_release: Path) -> str:
    """Name the extra repository where this distribution needs one."""
    family, _name = distribution(os_release)
    return f"with {_REPOSITORY[family]} enabled, " if family in families and family in _REPOSITORY else ""
