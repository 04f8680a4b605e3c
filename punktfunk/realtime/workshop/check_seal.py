"""Sealed rows of a variant against AES and GHASH on plain integers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.kernels.layout import NONCE_BYTES
from punktfunk.realtime.lab import ARGUMENTS
from punktfunk.realtime.reference.gcm import seal_text
from punktfunk.realtime.variants import Variant
from punktfunk.realtime.workshop.arena import guarded
from punktfunk.realtime.workshop.checking import Wrong, callable_at, expect_zero

_RANDOM_COUNT: Final = 20
_IV_BYTES, _TAG_BYTES = 12, 16


@dataclass(frozen=True, slots=True)
class Shape:
    """``count`` rows; in each, associated data first, then text and tag in either order, with gaps."""

    count: int
    text_offset: int
    text_bytes: int
    tag_offset: int
    aad_bytes: int
    spare_bytes: int = 0

    @property
    def stride(self) -> int:
        """Bytes from row to row."""
        return max(self.text_offset + self.text_bytes, self.tag_offset + _TAG_BYTES) + self.spare_bytes

    def __str__(self) -> str:
        places = f"text at {self.text_offset}, tag at {self.tag_offset}, {self.aad_bytes} associated bytes"
        return f"{self.count} rows of {self.text_bytes} bytes: {places}"


def check(variant: Variant, seed: int) -> Iterator[str]:
    """Yield every shape before it is tried; ``Wrong`` names the first row and byte that differ."""
    random = np.random.default_rng(seed)
    seal = callable_at(variant.address, len(ARGUMENTS["seal"]))
    for shape in _shapes(random):
        yield str(shape)
        key = random.bytes(16)
        with Cipher(key) as cipher:
            context = variant.context_over(cipher.address)
            _try(seal, context.address, shape, key, random)


def _try(
    seal: Callable[..., int], context: int, shape: Shape, key: bytes, random: np.random.Generator
) -> None:
    rows = guarded(shape.count * shape.stride, at_end=True)
    nonces = guarded(shape.count * NONCE_BYTES, at_end=True)
    for area in (rows, nonces):
        area[:] = random.integers(0, 256, area.size, dtype=np.uint8)
    want, before = rows.copy(), nonces.copy()
    for row in range(shape.count):
        _seal_row(want[row * shape.stride :], shape, key, before[row * NONCE_BYTES :][:_IV_BYTES].tobytes())
    expect_zero(
        seal(
            context, rows.ctypes.data, shape.stride, shape.count, shape.text_offset, shape.text_bytes,
            shape.tag_offset, shape.aad_bytes, nonces.ctypes.data,
        )
    )  # fmt: skip
    if not np.array_equal(nonces, before):
        raise Wrong("it wrote to the nonces")
    different = np.flatnonzero(rows != want)
    if len(different):
        row, byte = divmod(int(different[0]), shape.stride)
        got, right = rows[different[0]], want[different[0]]
        raise Wrong(f"row {row}, byte {byte} ({_part(shape, byte)}): {got:#04x} instead of {right:#04x}")


def _seal_row(
    row: np.ndarray[tuple[int], np.dtype[np.uint8]], shape: Shape, key: bytes, nonce: bytes
) -> None:
    text = row[shape.text_offset : shape.text_offset + shape.text_bytes]
    sealed, tag = seal_text(key, nonce, text.tobytes(), row[: shape.aad_bytes].tobytes())
    text[:] = np.frombuffer(sealed, np.uint8)
    row[shape.tag_offset : shape.tag_offset + _TAG_BYTES] = np.frombuffer(tag, np.uint8)


def _part(shape: Shape, byte: int) -> str:
    if shape.text_offset <= byte < shape.text_offset + shape.text_bytes:
        return "text"
    if shape.tag_offset <= byte < shape.tag_offset + _TAG_BYTES:
        return "tag"
    return "neither text nor tag"


def _shapes(random: np.random.Generator) -> Iterator[Shape]:
    """Both protocols' layouts, texts of every length modulo a block, then any."""
    yield from (Shape(1, 0, 1, 1, 0), Shape(2, 32, 1040, 16, 0), Shape(2, 8, 1440, 1448, 8, 7))
    for _ in range(_RANDOM_COUNT):
        aad_bytes = int(random.choice([0, 1, 8, 13, 16, 40]))
        text_bytes, gap = int(random.integers(1, 300)), int(random.integers(0, 3))
        count, spare = int(random.integers(1, 5)), int(random.integers(0, 9))
        first = aad_bytes + gap
        if random.integers(2):
            yield Shape(count, first, text_bytes, first + text_bytes, aad_bytes, spare)
        else:
            yield Shape(count, first + _TAG_BYTES, text_bytes, first, aad_bytes, spare)
