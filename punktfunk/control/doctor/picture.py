"""Which GPU and which encoder make the video, and the sound of it; where pictures come from: ``displays``."""

import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from punktfunk.control.doctor.finding import Finding, Run, Status, read_text
from punktfunk.control.doctor.gpu_drivers import encoding_advice, libavcodec_major
from punktfunk.plan import Codec

GPU_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel", "0x1af4": "virtio", "0x1234": "QEMU"}
LONGEST_REASON = 80


class Refusal(Protocol):
    """An encoder that does not work here."""

    @property
    def encoder_name(self) -> str:
        """FFmpeg's name of the encoder."""

    @property
    def reason(self) -> str:
        """Why it does not work."""


class EncoderReport(Protocol):
    """What the probe of ``punktfunk.realtime`` says about one codec."""

    @property
    def codec(self) -> Codec:
        """Which codec this is about."""

    @property
    def encoder_name(self) -> str | None:
        """FFmpeg's name of the encoder; None if none works."""

    @property
    def hardware(self) -> bool:
        """Whether it is a hardware encoder."""

    @property
    def reason(self) -> str:
        """Why this one, or why none."""

    @property
    def refused(self) -> Sequence[Refusal]:
        """Better ones that were tried before."""


def sway_version(run: Run) -> str:
    """Ask the installed sway, as none runs yet; empty where it does not say."""
    answer = run(["sway", "--version"])
    return answer.output.strip().removeprefix("sway version ").partition("-")[0] if answer else ""


def encoder_findings(reports: Sequence[EncoderReport]) -> list[Finding]:
    """One line per codec. H.264 is the one that every client needs."""
    return [_encoder_finding(report) for report in reports]


def _encoder_finding(report: EncoderReport) -> Finding:
    check = f"encoder {report.codec.value}"
    vital = report.codec is Codec.H264
    tried = "".join(f"; not {_short(refusal)}" for refusal in report.refused)
    if report.encoder_name is None:
        return Finding(
            check,
            Status.MISSING,
            report.reason + tried,
            "No client can be served." if vital else "This codec is not offered.",
            "Reinstall punktfunk's Python packages: the PyAV wheel brings libx264." if vital else "",
            vital=vital,
        )
    found = f"{report.encoder_name}: {report.reason}{tried}"
    if report.hardware:
        return Finding(check, Status.OK, found)
    if vital:
        return Finding(
            check,
            Status.DEGRADED,
            found,
            "The CPU encodes: expect 720p60 on two cores, 1080p60 on four or more.",
            "A GPU that encodes makes it faster; the line GPU says what yours needs.",
        )
    setting = f"software_{report.codec.value}"
    return Finding(
        check,
        Status.DEGRADED,
        found,
        f"Only the CPU can encode it, so it is offered only with {setting} = true.",
    )


def _short(refusal: Refusal) -> str:
    """Keep the name and the first line of a library's complaint, which often starts with the name."""
    line = refusal.reason.strip().partition("\n")[0].removeprefix(f"{refusal.encoder_name}: ")
    line = f"{refusal.encoder_name}: {line}"
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 3] + "..."


def examine_gpu(reports: Sequence[EncoderReport], root: Path = Path("/")) -> list[Finding]:
    """List the GPUs; say which one captures and which one encodes."""
    nodes = sorted((root / "sys/class/drm").glob("renderD*"))
    gpus = [_describe(node) for node in nodes]
    closed = [node.name for node in nodes if not os.access(root / "dev/dri" / node.name, os.R_OK | os.W_OK)]
    hardware = sorted({report.encoder_name or "" for report in reports if report.hardware})
    found = "; ".join(gpus) if gpus else "no GPU with a render node"
    # PyAV makes no frame of a DMA-BUF (av/video/frame.pyi of 18.1 has from_dlpack for CUDA memory alone).
    what = f"{found}. Pictures pass through shared memory: PyAV takes no DMA-BUFs. Encodes: "
    if hardware:
        return [Finding("GPU", Status.OK, what + ", ".join(hardware))]
    finding = Finding(
        "GPU",
        Status.DEGRADED,
        what + "none, the CPU does",
        "Encoding takes CPU time that a game may want.",
        " ".join(_advice(nodes)),
    )
    if closed:
        return [
            Finding(
                "GPU",
                Status.DEGRADED,
                f"{found}; no access to {', '.join(closed)}",
                "The GPU cannot encode for this user.",
                f"sudo usermod -aG render,video {pwd.getpwuid(os.getuid()).pw_name}   (then log in again)",
            )
        ]
    return [finding]


def _advice(nodes: Sequence[Path]) -> list[str]:
    """Say what makes the GPU of each vendor encode."""
    from av import __version__ as pyav

    vendors = dict.fromkeys(GPU_VENDORS.get(_vendor(node), "") for node in nodes)
    advices = [encoding_advice(vendor, pyav, libavcodec_major()) for vendor in vendors]
    return [f"For {vendor}, {advice}." for vendor, advice in zip(vendors, advices, strict=True) if advice]


def _vendor(node: Path) -> str:
    return read_text(node / "device/vendor") or ""


def _describe(node: Path) -> str:
    vendor = _vendor(node)
    driver = (node / "device/driver").resolve().name if (node / "device/driver").exists() else "no driver"
    return f"{node.name} {GPU_VENDORS.get(vendor, vendor or 'unknown')} ({driver})"


def examine_audio(source: str) -> Finding:
    """Look for the Opus encoder; say what a session would hear."""
    from av.codec import Codec as LibraryCodec
    from av.codec.codec import UnknownCodecError

    try:
        LibraryCodec("libopus", "w")
    except UnknownCodecError:
        return Finding(
            "audio",
            Status.MISSING,
            "PyAV has no libopus",
            "Streams are silent.",
            "Install the PyAV wheel: pip install --force-reinstall --only-binary av av",
        )
    heard = {"auto": "a tone with the test card, a desktop's own sound"}.get(source, source)
    return Finding("audio", Status.OK, f"Opus by libopus; source: {heard}")
