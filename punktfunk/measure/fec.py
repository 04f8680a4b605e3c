"""Erasure codes: parity and repair, against a memcpy of the same data and against other implementations.

What is timed: the entry that a stream's kernel calls, repeated inside one kernel, with memory that is warm;
and libc's memcpy of the data shards in the same loop. reed-solomon-leopard is called from Python, which is
the only way it has; its lists of bytes objects are made beforehand. Rows named "from Python" have one call of
Code16 on our side too; with "a frame" the package's side also cuts the frame into its bytes objects, which
Code16 reads where they lie. The clock is the thread's own CPU time, so that a busy machine disturbs less.
Every parity and every repair is compared with what it must be before it is timed.
"""

import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from punktfunk import realtime
from punktfunk.errors import PunktfunkError
from punktfunk.measure.floors import FEC, LEOPARD, MATRIX, MEMCPY, MODES, SHARD_BYTES, judged
from punktfunk.measure.options import FecOptions, Shape
from punktfunk.measure.paired import Row, Work, compare_works, looped, own_ns
from punktfunk.measure.steps import Benchmark, Step

if TYPE_CHECKING:
    from punktfunk.realtime import Code8, Code16

U8 = NDArray[np.uint8]

WITHOUT_LEOPARD = (
    "reed-solomon-leopard is not installed, so nothing is compared with it: pip install 'punktfunk[bench]'"
)


def benchmark(options: FecOptions) -> Benchmark:
    """Encode, then decode, for every field and shape."""
    leopard = importlib.util.find_spec("reed_solomon_leopard") is not None
    steps: list[Step] = []
    notes: list[str] = []
    for field in options.fields:
        shapes = options.shapes_of(field)
        notes += [
            f"{field} has no {data_count}:{parity_count}, so it is left out"
            for data_count, parity_count in options.shapes
            if (data_count, parity_count) not in shapes
        ]
        for shape in shapes:
            case = f"{shape[0]}:{shape[1]}"
            steps.append(Step(f"{field} encode {case}", partial(encode_rows, options, field, shape, leopard)))
        if field == "gf8" and options.decoder != "auto":
            notes.append("gf8 has one decoder only, so it is not measured again for --decoder")
            continue
        for shape in shapes:
            for loss in options.losses_of(shape):
                title = f"{field} decode {shape[0]}:{shape[1]}, {loss} lost"
                steps.append(Step(title, partial(decode_rows, options, field, shape, loss, leopard)))
    if not leopard and "gf16" in options.fields:
        notes.append(WITHOUT_LEOPARD)
    return Benchmark(tuple(steps), tuple(notes))


class _Block:
    """Shards of one shape, and the code that made their parity."""

    def __init__(self, field: str, shape: Shape, shard_bytes: int, decoder: str = "auto") -> None:
        data_count, parity_count = shape
        self.data = realtime.aligned_rows(data_count, shard_bytes, seed=0)
        self.parity = realtime.aligned_rows(parity_count, shard_bytes)
        self.code: Code8 | Code16
        if field == "gf16":
            self.code = realtime.deciding_code(data_count, parity_count, shard_bytes, decoder)
        else:
            self.code = realtime.Code8(data_count, parity_count, shard_bytes)
        self.code.encode(self.data, self.parity)


def _row(options: FecOptions, block: _Block, case: str, baseline_name: str, theirs: Work, ours: Work) -> Row:
    mode = realtime.simd_mode()
    row = compare_works(
        "fec",
        case,
        baseline_name,
        theirs,
        ours,
        rounds=options.rounds,
        work_bytes=block.data.nbytes,
        clock=own_ns,
    )
    asked = mode in MODES and options.shard_bytes == SHARD_BYTES and options.decoder == "auto"
    return judged(replace(row, mode=mode), FEC, asked=asked)


def encode_rows(options: FecOptions, field: str, shape: Shape, leopard: bool) -> Iterator[Row]:  # noqa: FBT001  always by position, from a partial
    """Parity of one block."""
    block = _Block(field, shape, options.shard_bytes)
    case = f"{field} encode {shape[0]}:{shape[1]}"
    ours = realtime.encoding(block.code, block.data, block.parity)
    copy = realtime.copying(realtime.aligned_rows(*block.data.shape), block.data)
    yield _row(options, block, case, MEMCPY, copy, ours)
    if field == "gf8":
        matrix = realtime.matrix_code(*shape, options.shard_bytes)
        expected = np.empty_like(block.parity)
        matrix.encode(block.data, expected)
        _must_equal(case, block.parity, expected)
        theirs = realtime.encoding(matrix, block.data, expected)
        yield _row(options, block, case, MATRIX, theirs, ours)
    elif leopard:
        package: Any = importlib.import_module("reed_solomon_leopard")
        shards = [shard.tobytes() for shard in block.data]
        made = package.encode(shards, len(block.parity))
        _must_equal(case, block.parity, np.array([np.frombuffer(shard, np.uint8) for shard in made]))
        encode = partial(package.encode, shards, len(block.parity))
        yield _row(options, block, case, LEOPARD, looped(encode), ours)
        frame = block.data.tobytes()
        cut = looped(lambda: package.encode(_cut(frame, options.shard_bytes), len(block.parity)))
        called = looped(partial(block.code.encode, block.data, block.parity))
        yield _row(options, block, f"{case}, a frame from Python", LEOPARD, cut, called)


def decode_rows(
    options: FecOptions,
    field: str,
    shape: Shape,
    loss: int,
    leopard: bool,  # noqa: FBT001
) -> Iterator[Row]:
    """Repair of one block that lost data shards, spread evenly; the first parity shards take their place."""
    block = _Block(field, shape, options.shard_bytes, options.decoder)
    case = f"{field} decode {shape[0]}:{shape[1]}, {loss} lost"
    if options.decoder != "auto":
        case += f", {options.decoder}"
    original = block.data.copy()
    lost = np.arange(loss) * shape[0] // loss
    present = np.ones(sum(shape), np.uint8)
    present[lost] = 0
    present[shape[0] + loss :] = 0
    block.data[lost] = 0
    ours = realtime.decoding(block.code, block.data, block.parity, present)
    ours(1)
    _must_equal(case, block.data, original)
    copy = realtime.copying(realtime.aligned_rows(*block.data.shape), original)
    yield _row(options, block, case, MEMCPY, copy, ours)
    if field == "gf16" and leopard:
        package: Any = importlib.import_module("reed_solomon_leopard")
        kept = {i: shard.tobytes() for i, shard in enumerate(original) if present[i]}
        repair = {i: shard.tobytes() for i, shard in enumerate(block.parity[:loss])}
        restored = package.decode(*shape, kept, repair)
        for i in lost:
            _must_equal(case, np.frombuffer(restored[int(i)], np.uint8), original[i])
        decode = looped(partial(package.decode, *shape, kept, repair))
        yield _row(options, block, case, LEOPARD, decode, ours)
        called = looped(partial(block.code.decode, block.data, block.parity, present))
        yield _row(options, block, f"{case}, from Python", LEOPARD, decode, called)


def _cut(frame: bytes, size: int) -> list[bytes]:
    return [frame[at : at + size] for at in range(0, len(frame), size)]


def _must_equal(case: str, got: U8, wanted: U8) -> None:
    if not np.array_equal(got, wanted):
        raise PunktfunkError(f"{case}: the result is wrong, so it is not timed", hint="Run `punktfunk warm`.")


def rows(options: FecOptions) -> Iterable[Row]:
    """Measure everything; for callers without a progress bar."""
    return benchmark(options).rows()
