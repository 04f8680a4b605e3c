"""What may be asked of a benchmark: wrong values are named, with what would do."""

import json
import os
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punktfunk.errors import Misuse
from punktfunk.measure.options import (
    KINDS,
    FecOptions,
    FrameOptions,
    RingOptions,
    SealOptions,
    SendOptions,
    has_shape,
    parse_shape,
)

WRONG = [
    (FecOptions(fields=("gf32",)), "--field gf32", "gf16, gf8"),
    (FecOptions(shard_bytes=1), "--shard-bytes 1", "2 to"),
    (FecOptions(shard_bytes=1407), "--shard-bytes 1407 is odd", "even"),
    (FecOptions(rounds=1), "--rounds 1", "5 to"),
    (FecOptions(decoder="guess"), "--decoder guess", "cauchy"),
    (FecOptions(fields=("gf8",), shapes=((1000, 200),)), "--shape 1000:200", "255"),
    (FecOptions(shapes=((60_000, 6000),)), "--shape 60000:6000", "65536"),
    (FecOptions(shapes=((20, 4),), losses=(5,)), "--losses of 20:4 5", "1 to 4"),
    (SealOptions(text_bytes=(0,)), "--bytes 0", "1 to"),
    (SealOptions(ciphers=("rot13",)), "--cipher rot13", "aes-128-gcm"),
    (SealOptions(implementations=("magic",)), "--implementation magic", "evp"),
    (RingOptions(items=1), "--items 1", "10000 to"),
    (RingOptions(wakes=1), "--wakes 1", "100 to"),
    (RingOptions(priority=100), "--priority 100", "0 to 99"),
    (SendOptions(batch=65), "--batch 65", "2 to 64"),
    (SendOptions(batch=64), "--batch 64 of --bytes 1400", "--batch 46"),
    (SendOptions(datagram_bytes=70_000), "--bytes 70000", "16 to"),
    (FrameOptions(frame_bytes=10), "--bytes 10", "1000 to"),
    (FrameOptions(rate=0), "--rate 0", "1 to"),
    (FrameOptions(frames=1), "--frames 1", "10 to"),
    (FrameOptions(percent=91), "--percent 91", "0 to 90"),
    (FrameOptions(percent=256, protocol="gamestream"), "--percent 256", "0 to 255"),
    (FrameOptions(protocol="smoke"), "--protocol smoke", "gamestream"),
    (FrameOptions(cpu=4096), "--cpu 4096", str(min(os.sched_getaffinity(0)))),
]


@pytest.mark.parametrize(("options", "message", "hint"), WRONG, ids=[message for _, message, _ in WRONG])
def test_a_wrong_value_is_named_with_what_would_do(options, message, hint):
    with pytest.raises(Misuse, match=message) as raised:
        options.check()
    assert hint in raised.value.hint


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_fine_and_survive_json(kind):
    options = KINDS[kind]()
    options.check()
    assert KINDS[kind].from_json(json.loads(json.dumps(asdict(options)))) == options


def test_nested_values_survive_json():
    options = FecOptions(("gf8",), ((20, 4), (50, 10)), (1, 2))
    assert FecOptions.from_json(json.loads(json.dumps(asdict(options)))) == options


@pytest.mark.parametrize(
    "text", ["20", "20:", ":4", "0:4", "20:0", "00:1", "20:4:1", "-1:4", "a:b", "20 :4", ""]
)
def test_shapes_that_are_none(text):
    with pytest.raises(Misuse, match="--shape") as raised:
        parse_shape(text)
    assert "200:40" in raised.value.hint


@given(st.integers(1, 99_999), st.integers(1, 99_999))
def test_shapes_are_read_back(data_count, parity_count):
    assert parse_shape(f"{data_count}:{parity_count}") == (data_count, parity_count)


@pytest.mark.parametrize(
    ("field", "shape", "known"),
    [
        ("gf8", (212, 43), True),
        ("gf8", (212, 44), False),
        ("gf16", (65_535, 1), True),
        ("gf16", (65_535, 2), False),
        ("gf16", (32_768, 32_768), True),
        ("gf16", (32_769, 32_769), False),
        ("gf16", (3, 65_532), True),
        ("gf16", (3, 65_533), False),
    ],
)
def test_what_a_field_has(field, shape, known):
    assert has_shape(field, shape) is known


def test_usual_losses_are_one_a_quarter_and_all_of_the_parity():
    options = FecOptions()
    assert options.losses_of((1000, 200)) == (1, 50, 200)
    assert options.losses_of((20, 4)) == (1, 4)
    assert options.losses_of((2, 9)) == (1, 2)
    assert FecOptions(losses=(3, 1)).losses_of((20, 4)) == (1, 3)


def test_a_shape_beyond_one_field_is_measured_over_the_other():
    options = FecOptions(shapes=((1000, 200), (20, 4)))
    options.check()
    assert options.shapes_of("gf8") == ((20, 4),)
    assert options.shapes_of("gf16") == ((1000, 200), (20, 4))


def test_the_last_cpu_is_pinned_to_unless_one_is_named():
    usable = os.sched_getaffinity(0)
    assert FrameOptions().pinned_cpu == max(usable)
    assert FrameOptions(cpu=min(usable)).pinned_cpu == min(usable)
