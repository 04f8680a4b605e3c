"""Every decoder against the original data, whose parity reed-solomon-leopard made, and against the twin."""

import ctypes
from collections.abc import Callable

import galois
import numpy as np
import pytest
import reed_solomon_leopard as peer
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.errors import LocalProtocolError, TooFewShards, UnsupportedShape
from punktfunk.realtime import decoder16
from punktfunk.realtime.code16 import Code16, entry_at
from punktfunk.realtime.kernels import choose16, decode16, layout16
from punktfunk.realtime.kernels import layout_decode as words
from punktfunk.realtime.kernels.gf16 import LEAST_BYTES
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.layout import BAD_SIZE, CODE_ZEROS_BYTES, TOO_FEW_SHARDS, UNSUPPORTED_SHAPE
from punktfunk.realtime.reference import decode16 as slow
from punktfunk.realtime.reference import gf16, leopard

pytestmark = pytest.mark.simd

DECODERS = (words.DIRECT, words.CAUCHY, words.FULL, words.TRANSPOSED)
Chooser = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 6)


class Loss:
    """Random shards with parity, some of them gone: rows with bytes around them, garbage where a shard is missing."""

    def __init__(self, shape: tuple[int, int, int], lost: list[int], seed: int) -> None:
        self.shape = data_count, parity_count, size = shape
        random = np.random.default_rng(seed)
        self.original = random.integers(0, 256, (data_count, size), dtype=np.uint8)
        made = peer.encode([row.tobytes() for row in self.original], parity_count)
        self.present = np.ones(data_count + parity_count, np.uint8)
        self.present[lost] = 0
        self.wide = np.full((data_count, size + 11), 7, np.uint8)
        self.data, self.parity = (
            self.wide[:, 5 : 5 + size],
            np.zeros((parity_count, size + 3), np.uint8)[:, :size],
        )
        self.data[:] = self.original
        self.parity[:] = np.frombuffer(b"".join(made), np.uint8).reshape(parity_count, size)
        self.data[self.present[:data_count] == 0] = 0xA5
        self.parity[self.present[data_count:] == 0] = 0x5A
        self.before = self.wide.copy(), self.parity.copy()

    @property
    def missing_count(self) -> int:
        return int((self.present[: self.shape[0]] == 0).sum())

    @property
    def is_restored(self) -> bool:
        edges = (self.wide[:, :5] == 7).all() and (self.wide[:, 5 + self.shape[2] :] == 7).all()
        return bool(edges and np.array_equal(self.data, self.original)) and self.parity_is_untouched

    @property
    def parity_is_untouched(self) -> bool:
        return np.array_equal(self.parity, self.before[1])

    @property
    def is_untouched(self) -> bool:
        return np.array_equal(self.wide, self.before[0]) and self.parity_is_untouched

    def take_again(self) -> None:
        self.wide[:] = self.before[0]


def code_for(loss: Loss) -> Code16:
    code = Code16(*loss.shape)
    assert code.decode_address
    return code


def word(code: Code16, index: int, value: int) -> None:
    ctypes.c_int64.from_address(code.context + 8 * index).value = value


def force(code: Code16, decoder: int) -> Callable[..., int]:
    """Have a code always take one decoder; the answer must live as long as the code is used."""
    chooser = Chooser(lambda *_: decoder)
    word(code, words.CHOOSE, ctypes.cast(chooser, ctypes.c_void_p).value)
    return chooser


def check_all(loss: Loss, code: Code16 | None = None) -> None:
    code = code or code_for(loss)
    assert code.decode(loss.data, loss.parity, loss.present) == loss.missing_count
    assert loss.is_restored
    for decoder in DECODERS:
        loss.take_again()
        kept = force(code, decoder)
        assert code.decode(loss.data, loss.parity, loss.present) == loss.missing_count
        assert loss.is_restored, decoder
        del kept


@st.composite
def random_losses(draw: st.DrawFn, most: int, sizes: st.SearchStrategy[int]) -> Loss:
    data_count, parity_count = draw(st.integers(1, most)), draw(st.integers(1, most))
    lost = draw(
        st.lists(st.integers(0, data_count + parity_count - 1), unique=True, max_size=parity_count)
        | st.permutations(range(data_count + parity_count)).map(lambda order: order[:parity_count])
    )
    return Loss((data_count, parity_count, 2 * draw(sizes)), lost, draw(st.integers(0, 1 << 32)))


halves = st.integers(1, 40) | st.integers(1, 300) | st.sampled_from([640, 672, 694, 704])


@settings(max_examples=60)
@given(random_losses(70, halves))
def test_all_decoders_restore_any_loss(loss: Loss) -> None:
    check_all(loss)


@settings(max_examples=40)
@given(random_losses(12, st.integers(1, 70)))
def test_decode_equals_its_twin(loss: Loss) -> None:
    code = code_for(loss)
    arguments = (
        code.context, loss.data.ctypes.data, loss.data.strides[0], loss.parity.ctypes.data,
        loss.parity.strides[0], loss.present.ctypes.data, *loss.shape,
    )  # fmt: skip
    assert slow.decode(*arguments) == loss.missing_count
    assert loss.is_restored
    loss.take_again()
    assert entry_at(code.decode_address, 9)(*arguments) == loss.missing_count
    assert loss.is_restored


def spread(count: int, of: int) -> list[int]:
    return sorted({i * of // count for i in range(count)})


@pytest.mark.parametrize(
    ("shape", "lost"),
    [
        ((20, 4, 1408), [0]),
        ((20, 4, 1388), [3, 7, 8, 19]),
        ((200, 40, 1388), [*spread(33, 200), *range(200, 207)]),
        ((200, 40, 1408), [*range(160, 200)]),
        ((300, 20, 130), [*range(20)]),
        ((1000, 200, 130), spread(200, 1200)),
        ((1000, 200, 66), [*spread(100, 1000), *range(1000, 1200, 2)]),
        ((521, 105, 134), spread(105, 521)),
        ((4000, 800, 64), spread(800, 4800)),
        ((40, 200, 1388), [*range(40), *range(40, 200)]),
        ((40, 200, 194), [*range(5), *range(40, 235)]),
        ((64, 64, 1408), [*range(64)]),
        ((33, 65, 126), [*range(33), *range(40, 70)]),
        ((3, 700, 66), [0, 1, 2, *range(3, 300)]),
        ((1, 2, 1388), [0, 1]),
        ((2, 5, 1408), [0, 1, 2, 3, 4]),
        ((5, 2, 2), [1, 4]),
        ((7, 1, 62), [6]),
        ((1, 1, 64), [0]),
        ((65535, 1, 2), [65000]),
    ],
)
def test_shapes(shape: tuple[int, int, int], lost: list[int]) -> None:
    check_all(Loss(shape, lost, 1))


@pytest.mark.parametrize("counts", [(32768, 32768), (60000, 4096), (4096, 60000), (65472, 64)])
def test_the_largest_shapes(counts: tuple[int, int]) -> None:
    loss = Loss((*counts, 66), spread(min(counts), sum(counts)), 2)
    code = code_for(loss)
    for decoder in (words.FULL, words.TRANSPOSED):
        loss.take_again()
        kept = force(code, decoder)
        assert code.decode(loss.data, loss.parity, loss.present) == loss.missing_count
        assert loss.is_restored
        del kept


@settings(max_examples=20)
@given(random_losses(30, st.integers(1, 60)))
def test_reed_solomon_leopard_restores_the_same(loss: Loss) -> None:
    data_count, parity_count, _ = loss.shape
    there = [
        row.tobytes() if is_there else None for row, is_there in zip(loss.data, loss.present, strict=False)
    ]
    theirs = peer.decode(
        data_count,
        parity_count,
        {i: row for i, row in enumerate(there) if row is not None},
        {j: loss.parity[j].tobytes() for j in range(parity_count) if loss.present[data_count + j]},
    )
    code_for(loss).decode(loss.data, loss.parity, loss.present)
    assert {i: loss.data[i].tobytes() for i in theirs} == theirs
    assert len(theirs) >= loss.missing_count


@pytest.mark.parametrize("counts", [(9, 5), (4, 9), (1, 2)])
def test_the_twin_solves_as_another_field_library_does(counts: tuple[int, int]) -> None:
    field = galois.GF(
        2**16, irreducible_poly=gf16.POLYNOMIAL, primitive_element=2, verify=False, compile="python-calculate"
    )
    convert = np.vectorize(gf16.to_polynomial)
    count = min(counts)
    matrix = leopard.generator(*counts)[:count, :count]
    right = np.random.default_rng(1).integers(0, 65536, (count, 3)).astype(np.uint16)
    want = np.linalg.solve(field(convert(matrix)), field(convert(right)))
    assert np.array_equal(convert(slow.solve(matrix, right)), np.array(want))


@pytest.mark.parametrize("shape", [(20, 4, 1388), (4, 20, 66), (2, 2, 64), (1, 3, 2)])
def test_nothing_is_written_if_too_few_shards_are_there(shape: tuple[int, int, int]) -> None:
    data_count, parity_count, _ = shape
    for kept in range(data_count):
        lost = [i for i in range(data_count + parity_count) if i >= kept]
        loss = Loss(shape, lost, 3)
        with pytest.raises(TooFewShards, match=f"{kept} of {data_count + parity_count}"):
            code_for(loss).decode(loss.data, loss.parity, loss.present)
        assert loss.is_untouched


@pytest.mark.parametrize("lost_parity", [0, 4])
def test_without_missing_data_nothing_is_done(lost_parity: int) -> None:
    loss = Loss((20, 4, 1408), [*range(20, 20 + lost_parity)], 4)
    assert code_for(loss).decode(loss.data, loss.parity, loss.present) == 0
    assert loss.is_untouched


def test_one_code_serves_smaller_shapes() -> None:
    code = Code16(300, 80, 1408)
    assert code.decode_address
    for shape, lost in (
        ((20, 4, 1408), [1]),
        ((300, 80, 66), spread(80, 380)),
        ((40, 80, 1388), [*range(40)]),
    ):
        check_all(Loss(shape, lost, 5), code)


@pytest.mark.parametrize("rows", [1, 3])
def test_little_memory_means_narrow_strips_and_small_groups(rows: int) -> None:
    loss = Loss((90, 20, 1388), spread(20, 110), 6)
    code = code_for(loss)
    word(code, words.COEFFICIENTS_BYTES, rows * 90 * (layout16.COEFFICIENT_BYTES + 2))
    word(code, words.DECODER_WORK_BYTES, 128 * rows * LEAST_BYTES)
    check_all(loss, code)


@pytest.mark.parametrize(
    ("index", "value", "decoder"),
    [
        (words.DATA_MAX, 19, words.DIRECT),
        (words.SIZE_MAX, 16, words.DIRECT),
        (words.LOSS_MAX, 1, words.DIRECT),
        (words.COEFFICIENTS_BYTES, 20 * 14 - 1, words.DIRECT),
        (words.COEFFICIENTS_BYTES, 2 * 14 - 1, words.CAUCHY),
        (words.DECODER_WORK_BYTES, 12 * LEAST_BYTES - 1, words.CAUCHY),
        (words.DECODER_WORK_BYTES, 12 * LEAST_BYTES - 1, words.TRANSPOSED),
        (words.DECODER_WORK_BYTES, 32 * LEAST_BYTES - 1, words.FULL),
        (CODE_ZEROS_BYTES, 1300, words.FULL),
        (layout16.CODE16_ENDS_BYTES, 22 * LEAST_BYTES - 1, words.DIRECT),
        (words.DATA_MAX, 20, 4),
        (words.DATA_MAX, 20, -1),
    ],
)
def test_what_the_context_has_no_room_for_is_refused(index: int, value: int, decoder: int) -> None:
    loss = Loss((20, 4, 1388), [3, 4], 7)
    code = code_for(loss)
    kept = force(code, decoder)
    word(code, index, value)
    with pytest.raises(UnsupportedShape, match=str(BAD_SIZE)):
        code.decode(loss.data, loss.parity, loss.present)
    assert loss.is_untouched
    del kept


@pytest.mark.parametrize(
    ("counts", "size", "code"),
    [
        ((0, 4), 64, UNSUPPORTED_SHAPE),
        ((4, 0), 64, UNSUPPORTED_SHAPE),
        ((-1, 4), 64, UNSUPPORTED_SHAPE),
        ((65536, 1), 64, UNSUPPORTED_SHAPE),
        ((40000, 30000), 64, UNSUPPORTED_SHAPE),
        ((4, 4), 63, BAD_SIZE),
        ((4, 4), 0, BAD_SIZE),
        ((4, 4), -2, BAD_SIZE),
    ],
)
def test_wrong_arguments_are_refused(counts: tuple[int, int], size: int, code: int) -> None:
    loss = Loss((4, 4, 64), [0], 8)
    call = entry_at(code_for(loss).decode_address, 9)
    context = code_for(loss).context
    places = (loss.data.ctypes.data, 75, loss.parity.ctypes.data, 67, loss.present.ctypes.data)
    assert call(context, *places, *counts, size) == code
    if code != BAD_SIZE or size > 0:
        assert slow.decode(context, *places, *counts, size) == code
    assert loss.is_untouched


def test_python_is_told_what_is_wrong() -> None:
    loss = Loss((4, 4, 64), [0], 9)
    code = code_for(loss)
    read_only = loss.data.copy()
    read_only.flags.writeable = False
    for data, present in (
        (loss.data, loss.present[:7]),
        (loss.data, loss.present.astype(bool)),
        (loss.data, np.ones(16, np.uint8)[::2]),
        (read_only, loss.present),
        (loss.data.astype(np.int64), loss.present),
        (loss.data[:, :62], loss.present),
    ):
        with pytest.raises(LocalProtocolError):
            code.decode(data, loss.parity, present)
    with pytest.raises(UnsupportedShape):
        Code16(3, 4, 64).decode(loss.data, loss.parity, loss.present)
    assert loss.is_untouched
    assert TOO_FEW_SHARDS < 0


@given(st.integers(1, 1 << 22), st.integers(0, 4096), st.integers(2, 40))
def test_strips_cover_a_shard_and_fit_the_work_area(work: int, rows: int, strips: int) -> None:
    whole, work = strips * LEAST_BYTES // 2, work + rows * LEAST_BYTES
    width = decode16_strip_bytes(work, rows, whole)
    assert width == slow.strip_bytes(work, rows, whole)
    assert LEAST_BYTES <= width <= whole
    assert rows * width <= work


decode16_strip_bytes = entry_at(address_of_entry(decode16.strip_bytes), 3)
choose = entry_at(address_of_entry(choose16.choose), 5)
estimate = entry_at(address_of_entry(choose16.estimate), 6)


def costs_of(**values: float) -> np.ndarray:
    costs = np.zeros(words.COST_WORD_COUNT, np.int64)
    decoder16.set_costs(costs.ctypes.data, decoder16.Costs(**values))
    return costs


@settings(max_examples=50)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 4000), st.integers(1, 700))
def test_choose_takes_the_cheapest(data_count: int, parity_count: int, missing_count: int, half: int) -> None:
    costs = costs_of()
    shape = (
        costs.ctypes.data,
        data_count,
        parity_count,
        min(missing_count, data_count, parity_count),
        2 * half,
    )
    estimates = [estimate(*shape, decoder) for decoder in range(4)]
    assert estimates[choose(*shape)] == min(estimates) > 0


def test_costs_decide() -> None:
    shape = (200, 40, 20, 1408)
    for values, decoder in (
        ({"layer_wide": 1000}, words.DIRECT),
        ({"work_wide": 0, "coefficient": 0}, words.CAUCHY),
        ({"work_wide": 1000, "direct_wide": 1000}, words.TRANSPOSED),
    ):
        costs = costs_of(**values)
        assert choose(costs.ctypes.data, *shape) == decoder
    assert choose(costs_of().ctypes.data, 200, 40, 1, 1408) == words.DIRECT
    assert choose(costs_of().ctypes.data, 4000, 800, 800, 1408) == words.TRANSPOSED
