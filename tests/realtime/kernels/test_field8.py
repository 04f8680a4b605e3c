"""The textbook of GF(2^8) against another library, and its tables as the vector instructions read them."""

import numpy as np
import reedsolo

from punktfunk.realtime.reference import gf8

TABLES = gf8.tables()


def test_the_textbook_field_is_that_of_reedsolo() -> None:
    reedsolo.init_tables(0x11D)
    products, inverses = gf8.products(), gf8.inverses()
    for a in range(0, 256, 7):
        assert [int(v) for v in products[a]] == [reedsolo.gf_mul(a, b) for b in range(256)]
    assert [gf8.inverse(a) for a in range(1, 256)] == [int(v) for v in inverses[1:]]
    assert [reedsolo.gf_inverse(a) for a in range(1, 256)] == [int(v) for v in inverses[1:]]


def test_nibble_tables_multiply_like_byte_shuffles() -> None:
    products, values = gf8.products(), np.arange(256)
    for constant in range(256):
        row = TABLES[constant]
        assert np.array_equal(row[values & 15] ^ row[16 + (values >> 4)], products[constant])


def test_bit_matrices_multiply_like_vgf2p8affineqb() -> None:
    products = gf8.products()
    for constant in range(0, 256, 5):
        matrix = TABLES[constant, 32:40]
        for value in range(256):
            bits = [(int(matrix[7 - i]) & value).bit_count() & 1 for i in range(8)]
            assert sum(bit << i for i, bit in enumerate(bits)) == products[constant, value]
