"""A controller's motion and touchpad in the protocol's units, without SDL and through its events."""

import math

from punktfunk.control.client.window.pad_senses import (
    ACCELEROMETER,
    AT_REST,
    GYROSCOPE,
    STANDARD_GRAVITY,
    PadSenses,
)
from punktfunk.wire.native.rich_input import MotionSample, TouchpadContact


def test_units():
    senses = PadSenses()
    senses.sensor(3, GYROSCOPE, (math.radians(90), 0.0, math.radians(-1)))
    senses.sensor(3, ACCELEROMETER, (0.0, STANDARD_GRAVITY, -STANDARD_GRAVITY / 2))
    assert senses.take() == [MotionSample(3, (1800, 0, -20), (0, 10_000, -5_000))]


def test_readings_are_joined_and_told_once():
    senses = PadSenses()
    for degrees in (1, 2, 3):
        senses.sensor(0, GYROSCOPE, (math.radians(degrees), 0.0, 0.0))
    assert senses.take() == [MotionSample(0, (60, 0, 0), AT_REST)]
    assert senses.take() == []


def test_wild_readings_stay_in_the_field():
    senses = PadSenses()
    senses.sensor(0, GYROSCOPE, (1e9, -1e9, 0.0))
    assert senses.take()[0].gyro == (32767, -32768, 0)


def test_unknown_sensors_and_fingers_are_left_out():
    senses = PadSenses()
    senses.sensor(0, 3, (1.0, 1.0, 1.0))
    senses.finger(0, 2, 0.5, 0.5, active=True)
    assert senses.take() == []


def test_every_step_of_a_finger_is_told_in_order():
    senses = PadSenses()
    senses.finger(1, 0, 0.0, 1.0, active=True)
    senses.finger(1, 0, 1.5, -1.0, active=False)
    assert senses.take() == [
        TouchpadContact(1, 0, active=True, x=0, y=0xFFFF),
        TouchpadContact(1, 0, active=False, x=0xFFFF, y=0),
    ]


def test_a_pad_that_went_feels_nothing():
    senses = PadSenses()
    senses.sensor(2, GYROSCOPE, (1.0, 0.0, 0.0))
    senses.finger(2, 0, 0.5, 0.5, active=True)
    senses.forget(2)
    assert senses.take() == []
