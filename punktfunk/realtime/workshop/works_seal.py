"""Sealing the same rows, laid out as GameStream has them, by default and variant."""

import re
from typing import Final

import numpy as np

from punktfunk.errors import Misuse
from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.kernels.layout import NONCE_BYTES
from punktfunk.realtime.variants import Variant
from punktfunk.realtime.workshop.works import Trial, repeated, repeated_at

USUAL: Final = {"seal": ("16x1040", "16x1408")}
_SHAPE: Final = re.compile(r"(\d{1,4})x(\d{1,5})")
_TAG_OFFSET, _TEXT_OFFSET = 16, 32


def trial(variant: Variant, shape: str) -> Trial:
    """Read ``ROWSxBYTES``; Misuse for anything else. Rows are sealed over and over: nobody opens them."""
    found = _SHAPE.fullmatch(shape)
    count, text_bytes = map(int, found.groups()) if found else (0, 0)
    if not count or not text_bytes:
        raise Misuse(f"{shape!r} is no shape", hint="Write ROWSxBYTES, such as 16x1408.")
    random = np.random.default_rng(0)
    cipher = Cipher(random.bytes(16))
    rows = random.integers(0, 256, (count, _TEXT_OFFSET + text_bytes), dtype=np.uint8)
    nonces = random.integers(0, 256, (count, NONCE_BYTES), dtype=np.uint8)
    arguments = (
        rows.ctypes.data, rows.strides[0], count, _TEXT_OFFSET, text_bytes, _TAG_OFFSET, 0,
        nonces.ctypes.data,
    )  # fmt: skip
    return Trial(
        shape,
        repeated_at(cipher.seal_address, cipher.address, arguments, cipher, rows, nonces),
        repeated(variant, variant.context_over(cipher.address), arguments),
        count * text_bytes,
    )
