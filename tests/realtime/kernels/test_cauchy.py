import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.realtime.kernels import cauchy as fast
from punktfunk.realtime.kernels.layout import BAD_SIZE, TOO_FEW_SHARDS
from punktfunk.realtime.reference import cauchy as slow
from punktfunk.realtime.reference import gf16
from punktfunk.realtime.reference.leopard import generator, multiply_sum, power_of_two
from punktfunk.realtime.reference.locator import spectrum as kept_spectrum

POWERS, LOGARITHMS = gf16.powers_and_logarithms()


def spectrum(size: int) -> np.ndarray:
    return kept_spectrum(size).copy()  # kernels take no read-only arrays


class Loss:
    """A random loss of a small code, with what the kernels are called with."""

    def __init__(self, data_count: int, parity_count: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.high_rate = int(power_of_two(data_count) >= power_of_two(parity_count))
        self.unit = power_of_two(parity_count if self.high_rate else data_count)
        self.size = max(8, power_of_two(self.unit + (data_count if self.high_rate else parity_count)))
        self.count = int(random.integers(0, min(data_count, parity_count) + 1))
        self.missing = np.sort(random.permutation(data_count)[: self.count]).astype(np.int32)
        self.chosen = np.sort(random.permutation(parity_count)[: self.count]).astype(np.int32)
        self.arguments = (self.missing, self.chosen, self.count, self.unit, self.high_rate)


losses = st.builds(Loss, st.integers(1, 40), st.integers(1, 40), st.integers(0, 1 << 32))


@settings(max_examples=60)
@given(
    present=st.lists(st.integers(0, 1), max_size=30),
    data_count=st.integers(-1, 31),
    room=st.integers(0, 12),
    other=st.integers(0, 12),
)
def test_survey_equals_its_twin(present: list[int], data_count: int, room: int, other: int) -> None:
    shards = np.array(present, np.uint8)
    results = []
    for survey in (fast.survey, slow.survey):
        missing, chosen = np.full(room, -1, np.int32), np.full(other, -1, np.int32)
        results.append((survey(shards, data_count, missing, chosen), missing.tolist(), chosen.tolist()))
    (ours, *our_lists), (twins, *twin_lists) = results
    assert ours == twins
    if ours >= 0:
        assert our_lists == twin_lists


def test_survey_says_what_is_too_few_and_what_it_has_no_room_for() -> None:
    def survey(present: str, data_count: int, room: int) -> int:
        shards = np.array([int(letter) for letter in present], np.uint8)
        return fast.survey(shards, data_count, np.zeros(room, np.int32), np.zeros(room, np.int32))

    assert survey("111100", 4, 2) == 0
    assert survey("011011", 4, 2) == 2
    assert survey("011010", 4, 2) == TOO_FEW_SHARDS
    assert survey("001011", 4, 2) == TOO_FEW_SHARDS
    assert survey("0010111", 4, 2) == BAD_SIZE


@settings(max_examples=60)
@given(losses)
def test_scales_equal_their_twin(loss: Loss) -> None:
    ours, twins = np.zeros(loss.size, np.int32), np.zeros(loss.size, np.int32)
    rest = (spectrum(loss.size), LOGARITHMS)
    assert fast.fill_scales(*loss.arguments, ours, *rest) == 0
    assert slow.fill_scales(*loss.arguments, twins, *rest) == 0
    assert np.array_equal(ours, twins)


@settings(max_examples=40)
@given(losses)
def test_the_locator_equals_its_twin(loss: Loss) -> None:
    ours, twins = np.zeros(loss.size, np.int32), np.zeros(loss.size, np.int32)
    assert fast.fill_locator(*loss.arguments, ours, spectrum(loss.size)) == 0
    assert slow.fill_locator(*loss.arguments, twins, spectrum(loss.size)) == 0
    assert np.array_equal(ours, twins)


@settings(max_examples=40)
@given(losses)
def test_coefficients_equal_their_twin_and_invert_the_generator(loss: Loss) -> None:
    scales = np.zeros(loss.size, np.int32)
    fast.fill_scales(*loss.arguments, scales, spectrum(loss.size), LOGARITHMS)
    lost, received = slow.positions(*loss.arguments)
    ours, twins = (np.zeros((loss.count, loss.count), np.uint16) for _ in range(2))
    arguments = (np.array(lost, np.int32), np.array(received, np.int32), scales, POWERS, LOGARITHMS)
    assert fast.fill_coefficients(ours, *arguments) == slow.fill_coefficients(twins, *arguments) == 0
    assert np.array_equal(ours, twins)
    counts = (40, loss.unit) if loss.high_rate else (loss.unit, 64)
    part = generator(*counts)[np.ix_(loss.chosen, loss.missing)]
    for b in range(loss.count):
        row = multiply_sum(ours[b], part)
        assert row.tolist() == [int(b == other) for other in range(loss.count)]


def refusals() -> list[tuple[str, tuple[object, ...]]]:
    lists, one = np.arange(3, dtype=np.int32), np.ones(1, np.int32)
    scales, known = np.zeros(16, np.int32), spectrum(16)
    places = np.array([8], np.int32), np.array([0], np.int32)
    return [
        ("fill_scales", (lists, lists, 4, 4, 1, scales, known, LOGARITHMS)),
        ("fill_scales", (lists, one, 2, 4, 1, scales, known, LOGARITHMS)),
        ("fill_scales", (lists, lists, -1, 4, 1, scales, known, LOGARITHMS)),
        ("fill_scales", (lists, lists, 3, 0, 1, scales, known, LOGARITHMS)),
        ("fill_scales", (lists, lists, 3, 16, 1, scales, known, LOGARITHMS)),
        ("fill_scales", (lists, lists, 3, 16, 0, scales, known, LOGARITHMS)),
        ("fill_scales", (lists, lists, 3, 4, 1, scales, known[:8], LOGARITHMS)),
        ("fill_scales", (lists, lists, 3, 4, 1, scales, known, LOGARITHMS[:9])),
        ("fill_locator", (lists, lists, 4, 4, 1, scales, known)),
        ("fill_locator", (lists, lists, 3, 32, 1, scales, known)),
        ("fill_locator", (lists, lists, 3, 4, 1, scales, known[:8])),
        ("fill_coefficients", (np.zeros((2, 1), np.uint16), *places, scales, POWERS, LOGARITHMS)),
        ("fill_coefficients", (np.zeros((1, 2), np.uint16), *places, scales, POWERS, LOGARITHMS)),
        ("fill_coefficients", (np.zeros((1, 1), np.uint16), *places, scales[:8], POWERS, LOGARITHMS)),
        ("fill_coefficients", (np.zeros((1, 1), np.uint16), *places, scales, POWERS[:1], LOGARITHMS)),
    ]


@pytest.mark.parametrize(("name", "arguments"), refusals())
def test_wrong_sizes_are_refused(name: str, arguments: tuple[object, ...]) -> None:
    assert getattr(fast, name)(*arguments) == getattr(slow, name)(*arguments) == BAD_SIZE
