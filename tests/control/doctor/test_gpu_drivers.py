"""What doctor tells owners of each vendor's GPU to install, on each distribution."""

import pytest

from punktfunk.control.doctor.gpu_drivers import encoding_advice, libavcodec_major
from punktfunk.control.doctor.picture import examine_gpu


@pytest.fixture
def release(tmp_path):
    def make(identity):
        path = tmp_path / identity
        path.write_text(f"ID={identity}\nPRETTY_NAME={identity.title()}\n")
        return path

    return make


def test_intel_gets_the_driver_and_the_runtime_of_the_wheels_encoder(release):
    advice = encoding_advice("Intel", "18.1.0", 59, release("debian"))
    assert advice.startswith("QSV: sudo apt install intel-media-va-driver libmfx-gen1.2 ")
    assert "with RPM Fusion enabled, sudo dnf install" in encoding_advice(
        "Intel", "18.1.0", None, release("fedora")
    )


def test_amd_is_told_of_amf_and_of_vaapi_where_ffmpeg_is_new_enough(release):
    old = encoding_advice("AMD", "18.1.0", 61, release("debian"))
    assert "libamfrt64.so.1" in old
    assert "needs FFmpeg 8 (libavcodec 62), and here is libavcodec 61" in old
    assert "here is none" in encoding_advice("AMD", "18.1.0", None, release("arch"))
    new = encoding_advice("AMD", "16.1.0", 62, release("debian"))
    assert "sudo apt install mesa-va-drivers; sudo apt install gcc python3-dev" in new
    assert "pip install --force-reinstall --no-binary av 'av>=18' (ten minutes)" in new
    assert "--no-binary av av (ten" in encoding_advice("AMD", "18.1.0", 62, release("arch"))


def test_nvidia_and_others(release):
    advice = encoding_advice("NVIDIA", "18.1.0", None, release("debian"))
    assert (
        advice
        == "NVENC: with non-free (Debian) or multiverse (Ubuntu) enabled, sudo apt install libnvidia-encode1"
    )
    assert encoding_advice("virtio", "18.1.0", None, release("debian")) == ""
    assert encoding_advice("Intel", "18.1.0", None, release("plan9")).startswith(
        "QSV: install what Plan9 calls"
    )
    assert libavcodec_major() is None or libavcodec_major() > 50


def test_the_line_of_the_gpu_says_it(tmp_path):
    for number, vendor in enumerate(("0x1002", "0x8086", "0x1af4")):
        device = tmp_path / f"sys/class/drm/renderD{128 + number}/device"
        device.mkdir(parents=True)
        (device / "vendor").write_text(vendor)
        (tmp_path / "dev/dri").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"dev/dri/renderD{128 + number}").touch()
    (finding,) = examine_gpu([], tmp_path)
    assert "For AMD, AMF" in finding.remedy
    assert "For Intel, QSV" in finding.remedy
    assert "virtio" not in finding.remedy
    assert "PyAV takes no DMA-BUFs" in finding.found
