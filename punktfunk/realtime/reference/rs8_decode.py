"""Decoding over GF(2^8) by Gauss and Jordan, as the textbook has it. The judge of ``kernels.rs8_decode``."""

from punktfunk.realtime.kernels.layout import TOO_FEW_SHARDS, UNSUPPORTED_SHAPE
from punktfunk.realtime.reference import gf8
from punktfunk.realtime.reference.memory import bytes_at, rows_at
from punktfunk.realtime.reference.rs8 import Matrix, cauchy, check_shape, explicit_matrix


def solve(equations: Matrix, unknown_count: int) -> Matrix | None:
    """Bring rows [factors of the unknowns | rest] to [identity | solution]; None if there are more."""
    rows = [list(row) for row in equations]
    for t in range(unknown_count):
        pivot = next((row for row in rows[t:] if row[t]), None)
        if pivot is None:
            return None
        rows.remove(pivot)
        norm = gf8.inverse(pivot[t])
        pivot = [gf8.multiply(norm, value) for value in pivot]
        rows = [
            [v ^ gf8.multiply(row[t], p) for v, p in zip(row, pivot, strict=True)] if row[t] else row
            for row in rows
        ]
        rows.insert(t, pivot)
    return [row[unknown_count:] for row in rows[:unknown_count]]


def _decode(
    matrix: Matrix, data: int, data_stride: int, parity: int, parity_stride: int, present: int,
    data_count: int, shard_bytes: int,
) -> int:  # fmt: skip
    there = [bool(v) for v in bytes_at(present, data_count + len(matrix))]
    rows = rows_at(data, data_stride, data_count, shard_bytes)
    missing = [i for i in range(data_count) if not there[i]]
    came = [j for j in range(len(matrix)) if there[data_count + j]]
    if not missing:
        return 0
    equations = [[matrix[j][i] for i in missing] + [int(j == other) for other in came] for j in came]
    solution = solve(equations, len(missing)) if len(came) >= len(missing) else None
    if solution is None:
        return TOO_FEW_SHARDS
    every = gf8.products()
    syndromes = []
    for j in came:
        total = bytes_at(parity + j * parity_stride, shard_bytes).copy()
        for i in range(data_count):
            if there[i]:
                total ^= every[matrix[j][i]][rows[i]]
        syndromes.append(total)
    for i, factors in zip(missing, solution, strict=True):
        rows[i][:] = 0
        for factor, syndrome in zip(factors, syndromes, strict=True):
            rows[i] ^= every[factor][syndrome]
    return len(missing)


def decode(
    _context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    present: int,
    data_count: int,
    parity_count: int,
    shard_bytes: int,
) -> int:
    """Write the missing data rows of GameStream's code; how many."""
    code = check_shape(data_stride, parity_stride, data_count, parity_count, shard_bytes)
    if code < 0:
        return code
    matrix = cauchy(data_count, parity_count)
    return _decode(matrix, data, data_stride, parity, parity_stride, present, data_count, shard_bytes)


def decode_matrix(
    context: int,
    data: int,
    data_stride: int,
    parity: int,
    parity_stride: int,
    present: int,
    data_count: int,
    parity_count: int,
    shard_bytes: int,
) -> int:
    """Write the missing data rows of the code of the context's explicit matrix; how many."""
    code = check_shape(data_stride, parity_stride, data_count, parity_count, shard_bytes)
    if code < 0:
        return code
    matrix = explicit_matrix(context)
    if len(matrix) != parity_count or len(matrix[0]) != data_count:
        return UNSUPPORTED_SHAPE
    return _decode(matrix, data, data_stride, parity, parity_stride, present, data_count, shard_bytes)
