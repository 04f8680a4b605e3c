import sys

import pytest

from punktfunk.errors import ConfigError
from punktfunk.plan import Codec
from punktfunk.realtime.encode import probe
from punktfunk.realtime.encode.probe import probe_encoders


def test_a_machine_of_any_kind_encodes_every_codec_and_says_why():
    reports = probe_encoders()
    assert [report.codec for report in reports] == list(Codec)
    for report in reports:
        assert report.encoder_name is not None
        assert "first that works" in report.reason
        assert all(refusal.reason for refusal in report.refused)
        if not report.hardware:
            assert [refusal.encoder_name.split("_")[1] for refusal in report.refused] == [
                "nvenc",
                "vaapi",
                "qsv",
                "amf",
                "vulkan",
            ]


def test_a_wish_is_granted_or_refused_but_never_replaced():
    (report,) = probe_encoders("libx264", [Codec.H264])
    assert (report.encoder_name, report.hardware, report.refused) == ("libx264", False, ())
    assert "asked for libx264" in report.reason
    (report,) = probe_encoders("libx264", [Codec.HEVC])
    assert report.encoder_name is None
    assert "libx264 has no hevc encoder" in report.reason
    (report,) = probe_encoders("vaapi", [Codec.H264])
    if report.encoder_name is None:
        assert report.refused[0].encoder_name == "h264_vaapi"


def test_an_unknown_wish_is_a_mistake_of_the_settings():
    with pytest.raises(ConfigError, match="nvidia") as caught:
        probe_encoders("nvidia")
    assert "nvenc" in caught.value.hint


HANGING = """
import sys, json, signal
for name in sys.argv[1:]:
    if name == "h264_nvenc":
        signal.pause()
    if name == "h264_vaapi":
        signal.raise_signal(signal.SIGSEGV)
    print(json.dumps({"encoder_name": name, "reason": "", "frame_ms": 1.0}), flush=True)
"""


def test_hanging_and_crashing_drivers_cost_only_themselves(monkeypatch):
    real_popen = probe.subprocess.Popen

    def popen(command, **more):
        return real_popen([sys.executable, "-c", HANGING, *command[3:]], **more)

    monkeypatch.setattr(probe.subprocess, "Popen", popen)
    (report,) = probe_encoders("auto", [Codec.H264], timeout_s=0.5)
    assert report.encoder_name == "h264_qsv"
    assert report.hardware
    assert [refusal.encoder_name for refusal in report.refused] == ["h264_nvenc", "h264_vaapi"]
    assert "no answer" in report.refused[0].reason
    assert "crashed" in report.refused[1].reason
