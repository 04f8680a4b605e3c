import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.realtime.kernels import locator as fast
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.reference import locator as slow
from punktfunk.realtime.reference.gf16 import ORDER, powers_and_logarithms


def spectrum(size: int) -> np.ndarray:
    return slow.spectrum(size).copy()  # kernels take no read-only arrays


@settings(max_examples=40)
@given(exponent=st.integers(3, 8), density=st.floats(0, 1), seed=st.integers(0, 1 << 32))
def test_locate_equals_its_twin(exponent: int, density: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    size = 1 << exponent
    weights = np.where(random.random(size) < density, random.integers(-1, 2, size), 0).astype(np.int32)
    want = weights.copy()
    assert fast.locate(weights, spectrum(size)) == slow.locate(want, slow.spectrum(size)) == 0
    assert np.array_equal(weights, want)


@pytest.mark.parametrize("sign", [1, -1])
def test_no_sum_overflows_at_the_largest_size(sign: int) -> None:
    logarithms = powers_and_logarithms()[1].astype(np.int64)
    for count in (65536, 65535, 40000):  # the first transform is largest when all weights agree
        weights = np.zeros(65536, np.int32)
        weights[:count] = sign
        assert fast.locate(weights, spectrum(65536)) == 0
        for z in (0, 1, 4097, 65535):
            roots = np.arange(count)
            want = sign * int(logarithms[(roots ^ z)[roots != z]].sum()) % ORDER
            assert weights[z] == want


@given(st.integers(-(1 << 31), (1 << 31) - 1))
def test_residue_is_a_remainder(value: int) -> None:
    assert fast.residue(value) == slow.residue(value)


@pytest.mark.parametrize(("size", "other"), [(4, 4), (12, 12), (16, 8), (0, 0), (1 << 17, 1 << 17)])
def test_wrong_sizes_touch_nothing(size: int, other: int) -> None:
    weights = np.ones(size, np.int32)
    assert fast.locate(weights, np.ones(other, np.int32)) == BAD_SIZE
    assert (weights == 1).all()


def test_the_spectrum_is_centred() -> None:
    for exponent in range(3, 17):
        assert np.abs(slow.spectrum(1 << exponent)).max() <= ORDER // 2
