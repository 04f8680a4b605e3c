"""Which encoders are offered: the probe's findings under the rules of the settings, said aloud."""

from types import SimpleNamespace

import pytest

from punktfunk.control import encoders
from punktfunk.control.encoders import choose_encoders
from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import Codec
from punktfunk.realtime import EncoderReport

H264, HEVC, AV1 = Codec.H264, Codec.HEVC, Codec.AV1


def found(codec, name, *, hardware=False, **more):
    reason = "it works" if name else "none works"
    return EncoderReport(codec, name, hardware, reason, (), **more)


def machine(monkeypatch, **probes):
    """A machine whose probe finds that, by setting; ``asked`` is what it was asked."""
    asked = []

    def probe(setting, codecs=tuple(Codec)):
        asked.append((setting, codecs))
        return [report for report in probes[setting] if report.codec in codecs]

    monkeypatch.setattr(encoders, "probe_encoders", probe)
    return asked


def settings(encoder="auto", *, software_hevc=False, software_av1=False):
    return SimpleNamespace(encoder=encoder, software_hevc=software_hevc, software_av1=software_av1)


SOFTWARE = [found(HEVC, "libx265"), found(H264, "libx264"), found(AV1, "libsvtav1")]


@pytest.mark.trio
@pytest.mark.parametrize(
    ("allowed", "offered"),
    [
        ({}, [H264]),
        ({"software_hevc": True}, [H264, HEVC]),
        ({"software_av1": True}, [H264, AV1]),
        ({"software_hevc": True, "software_av1": True}, [H264, HEVC, AV1]),
    ],
)
async def test_slow_encoders_only_by_a_setting(monkeypatch, allowed, offered):
    machine(monkeypatch, auto=SOFTWARE)
    lines = []
    chosen = await choose_encoders(settings(**allowed), lines.append)
    assert list(chosen) == offered
    assert len(lines) == 3
    assert lines[0] == "encoder: h264 by libx264 (it works)"
    assert sum("not offered" in line for line in lines) == 3 - len(offered)


@pytest.mark.trio
async def test_hardware_is_offered(monkeypatch):
    reports = [found(codec, f"{codec.value}_nvenc", hardware=True) for codec in Codec]
    machine(monkeypatch, auto=reports)
    assert await choose_encoders(settings(), print) == {codec: f"{codec.value}_nvenc" for codec in Codec}


@pytest.mark.trio
async def test_a_family_without_h264_leaves_it_to_the_others(monkeypatch):
    family = [found(H264, None), found(HEVC, "hevc_vaapi", hardware=True), found(AV1, None)]
    asked = machine(monkeypatch, vaapi=family, auto=SOFTWARE)
    chosen = await choose_encoders(settings("vaapi"), print)
    assert chosen == {H264: "libx264", HEVC: "hevc_vaapi"}
    assert asked[1] == ("auto", (H264,))


@pytest.mark.trio
async def test_without_h264_there_is_no_host(monkeypatch):
    machine(monkeypatch, auto=[found(H264, None), found(HEVC, "hevc_nvenc", hardware=True)])
    with pytest.raises(EnvironmentProblem, match=r"H\.264") as problem:
        await choose_encoders(settings(), print)
    assert problem.value.hint


@pytest.mark.trio
async def test_what_else_an_encoder_can_is_said_and_kept(monkeypatch):
    deep = found(HEVC, "hevc_nvenc", hardware=True, full_chroma=True, ten_bit=True, deep_chroma=True)
    machine(monkeypatch, auto=[found(H264, "libx264", full_chroma=True), deep])
    lines = []
    chosen = await choose_encoders(settings(), lines.append)
    assert (chosen.full_chroma, chosen.ten_bit, chosen.deep_chroma) == ({H264, HEVC}, {HEVC}, {HEVC})
    assert lines[0] == "encoder: h264 by libx264 (it works; also 4:4:4)"
    assert lines[1].endswith("; also 4:4:4, 10 bit, both at once)")
