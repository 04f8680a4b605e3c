import pytest

from punktfunk.errors import ConfigError, EnvironmentProblem
from punktfunk.plan import Codec, ColourSpace, EncodePlan, Mode
from punktfunk.realtime.encode.settings import CANDIDATES, candidate, rate_buffer_bits, settings_for

HD = Mode(1280, 720, 60_000)


def plan(name="libx264", **more):
    values = {"bitrate_bps": 10_000_000, "colour_space": ColourSpace.BT709, "full_range": False} | more
    return EncodePlan(candidate(name).codec, name, **values)


@pytest.mark.parametrize("codec", list(Codec))
def test_order_is_hardware_first(codec):
    families = [known.family for known in CANDIDATES if known.codec is codec]
    assert families == ["nvenc", "vaapi", "qsv", "amf", "vulkan", "software"]


@pytest.mark.parametrize("known", CANDIDATES, ids=lambda known: known.name)
def test_every_encoder_is_told_rate_colour_and_no_reordering(known):
    settings = settings_for(plan(known.name, reference_frame_count=1), HD, 2)
    assert settings.options["bf"] == "0"
    assert settings.options["maxrate"] == "10000000"
    assert settings.options.get("bufsize", "milliseconds") in {"166666", "milliseconds"}
    assert settings.options["refs"] == "1"
    assert (settings.options["colorspace"], settings.options["color_range"]) == ("bt709", "tv")
    assert all(isinstance(value, str) for value in settings.options.values())


def test_colour_tags_follow_the_plan():
    options = settings_for(plan(colour_space=ColourSpace.BT601, full_range=True), HD, 2).options
    assert (options["colorspace"], options["color_primaries"], options["color_range"]) == (
        "smpte170m",
        "smpte170m",
        "pc",
    )
    assert settings_for(plan(colour_space=ColourSpace.BT2020), HD, 2).options["color_trc"] == "bt2020-10"


def test_ten_bits_are_hdr10_and_full_chroma_has_its_own_pixels():
    deep = settings_for(plan("libx265", bit_depth=10, colour_space=ColourSpace.BT2020), HD, 2)
    assert deep.pixel_format == "yuv420p10le"
    assert (deep.options["color_trc"], deep.options["color_primaries"]) == ("smpte2084", "bt2020")
    assert settings_for(plan("libx264", chroma_444=True), HD, 2).pixel_format == "yuv444p"
    assert (
        settings_for(plan("hevc_nvenc", bit_depth=10, chroma_444=True), HD, 2).pixel_format == "yuv444p16le"
    )
    for name, more in (("libsvtav1", {"chroma_444": True}), ("h264_nvenc", {"bit_depth": 10})):
        with pytest.raises(EnvironmentProblem, match=f"{name} does not encode"):
            settings_for(plan(name, **more), HD, 2)


def test_odd_sizes_grow_to_even():
    settings = settings_for(plan(), Mode(1365, 767, 59_940), 2)
    assert (settings.width_px, settings.height_px, settings.rate_millihertz) == (1366, 768, 59_940)


def test_slices_are_at_least_what_the_client_wants_and_threads_are_few():
    assert settings_for(plan(slices_per_frame=1), HD, 2).options["threads"] == "2"
    assert settings_for(plan(slices_per_frame=4), HD, 2).options["threads"] == "4"
    assert settings_for(plan(slices_per_frame=1), HD, 64).options["threads"] == "4"
    assert settings_for(plan("h264_nvenc", slices_per_frame=3), HD, 2).options["slices"] == "3"


def test_preset_follows_the_machine():
    assert settings_for(plan(), HD, 2).options["preset"] == "ultrafast"
    assert settings_for(plan(), HD, 8).options["preset"] == "superfast"


def test_rate_buffer_is_one_frame_but_never_mush():
    assert rate_buffer_bits(20_000_000, HD) == 333_333
    assert rate_buffer_bits(500_000, HD) == 1280 * 720 // 16
    assert rate_buffer_bits(1, Mode(64, 64, 240_000)) == 16_000


def test_unknown_name_says_what_is_known():
    with pytest.raises(ConfigError, match="libx246") as caught:
        candidate("libx246")
    assert "libx264" in caught.value.hint
