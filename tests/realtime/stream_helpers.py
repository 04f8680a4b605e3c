"""What several tests of the realtime room share: decoding, a textbook colour conversion, simple plans."""

import av
import numpy as np

from punktfunk.plan import Codec, ColourSpace, EncodePlan, Mode
from punktfunk.realtime.capture.testcard import BAR_COLOURS

ENCODERS = {Codec.H264: "libx264", Codec.HEVC: "libx265", Codec.AV1: "libsvtav1"}
DECODERS = {Codec.H264: "h264", Codec.HEVC: "hevc", Codec.AV1: "libdav1d"}
HD = Mode(1280, 720, 60_000)
SMALL = Mode(320, 180, 60_000)
RED_BLUE = {
    ColourSpace.BT601: (0.299, 0.114),
    ColourSpace.BT709: (0.2126, 0.0722),
    ColourSpace.BT2020: (0.2627, 0.0593),
}


def encode_plan(
    codec=Codec.H264, bitrate_bps=6_000_000, colour_space=ColourSpace.BT709, *, full_range=False, **more
):
    return EncodePlan(codec, ENCODERS[codec], bitrate_bps, colour_space, full_range, **more)


def decoder(codec):
    context = av.CodecContext.create(DECODERS[codec], "r")
    # Frame threads hold pictures back; a delay seen in a test must be the encoder's.
    context.thread_type = "SLICE"
    context.thread_count = 1
    return context


def decode_one(context, data):
    """The one picture that must come out of one access unit, at once."""
    (frame,) = context.decode(av.Packet(data))
    return frame


def luma(frame):
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : frame.width]


def colours(pixels):
    """BGRx uint32 as (height, width, 3) float red, green, blue."""
    return np.stack([(pixels >> shift & 255).astype(float) for shift in (16, 8, 0)], axis=2)


MATRIX_TAGS = {ColourSpace.BT601: 6, ColourSpace.BT709: 1, ColourSpace.BT2020: 9}
TRANSFER_TAGS = {ColourSpace.BT601: 6, ColourSpace.BT709: 1, ColourSpace.BT2020: 14}


def assert_bars_are_right(client, frame, space, *, full_range):
    """Undo the conversion, as the stream's tags tell a client to, and look at the middle of every bar."""
    assert int(client.colorspace) == int(client.color_primaries) == MATRIX_TAGS[space]
    assert int(client.color_trc) == TRANSFER_TAGS[space]
    assert int(client.color_range) == (2 if full_range else 1)
    offset, luma_scale, chroma_scale = (0, 1, 1) if full_range else (16, 219 / 255, 224 / 255)
    y, u, v = (
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size).astype(float)
        for plane in frame.planes
    )
    weight_red, weight_blue = RED_BLUE[space]
    for index, bar in enumerate(BAR_COLOURS):
        row, column = frame.height * 2 // 3, int((index + 0.5) * frame.width / len(BAR_COLOURS))
        light = (y[row, column] - offset) / luma_scale
        blue = light + (u[row // 2, column // 2] - 128) / chroma_scale * 2 * (1 - weight_blue)
        red = light + (v[row // 2, column // 2] - 128) / chroma_scale * 2 * (1 - weight_red)
        green = (light - weight_red * red - weight_blue * blue) / (1 - weight_red - weight_blue)
        expected = colours(np.array([[bar]], np.uint32))[0, 0]
        assert np.abs(np.array([red, green, blue]) - expected).max() < 12, f"{bar:06x}"


def fill(picture, pixels, colour_space=ColourSpace.BT709, *, full_range=False):
    """Write pixels into an I420 picture, as the textbook has it."""
    height, width = pixels.shape
    red, green, blue = np.moveaxis(colours(np.pad(pixels, ((0, height & 1), (0, width & 1)), "edge")), 2, 0)
    weight_red, weight_blue = RED_BLUE[colour_space]
    luma_value = weight_red * red + (1 - weight_red - weight_blue) * green + weight_blue * blue
    differences = ((blue - luma_value) / (2 - 2 * weight_blue), (red - luma_value) / (2 - 2 * weight_red))
    offset, luma_scale, chroma_scale = (0, 1, 1) if full_range else (16, 219 / 255, 224 / 255)
    picture.planes[0][:, : picture.width_px] = np.clip(np.round(offset + luma_scale * luma_value), 0, 255)
    for plane, difference in zip(picture.planes[1:], differences, strict=True):
        mean = difference.reshape(picture.height_px // 2, 2, picture.width_px // 2, 2).mean(axis=(1, 3))
        plane[:, : picture.width_px // 2] = np.clip(np.round(128 + chroma_scale * mean), 0, 255)
