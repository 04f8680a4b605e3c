"""Every way to seal and open, judged by published vectors, by `cryptography` and by the textbook."""

import ctypes
import json
import os
from pathlib import Path

import numpy as np
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.kernels import cipher_words as words
from punktfunk.realtime.kernels import evp, jit
from punktfunk.realtime.kernels.layout import BAD_SIZE
from punktfunk.realtime.kernels.seal_choice import runnable_seals
from punktfunk.realtime.reference import gcm as textbook
from punktfunk.wire.gamestream.video_encryption import ENCRYPTED_PREFIX_BYTES, parse_encrypted

GOLDEN = Path(__file__).parents[2] / "golden"
AES = [pytest.param("aes-128-gcm", name, id=name) for name in runnable_seals()]
EVERY = [*AES, pytest.param("chacha20-poly1305", "evp", id="chacha20")]
AEAD = {"aes-128-gcm": AESGCM, "chacha20-poly1305": ChaCha20Poly1305}
KEY_BYTES = {"aes-128-gcm": 16, "chacha20-poly1305": 32}
GUARD = 48  # bytes around everything that may be written

every = pytest.mark.parametrize(("algorithm", "name"), EVERY)
of_aes = pytest.mark.parametrize(("algorithm", "name"), AES)
of_kernels = pytest.mark.parametrize(("algorithm", "name"), AES[:-1])


def random_rows(count: int, stride: int) -> np.ndarray:
    return np.frombuffer(os.urandom(count * stride), np.uint8).reshape(count, stride).copy()


def seal_one(cipher: Cipher, nonce: bytes, aad: bytes, text: bytes) -> tuple[int, bytes]:
    """Code, and ciphertext with its tag behind; nothing around it changes."""
    memory = random_rows(1, GUARD + len(aad) + len(text) + 16 + GUARD)[0]
    row = memory[GUARD:-GUARD]
    row[: len(aad) + len(text)] = np.frombuffer(aad + text, np.uint8)
    before, end = memory.copy(), len(aad) + len(text)
    nonces = np.frombuffer(nonce.ljust(16, b"\7"), np.uint8).reshape(1, 16).copy()
    code = cipher.seal(
        row[None], nonces, text_offset=len(aad), text_bytes=len(text), tag_offset=end, aad_bytes=len(aad)
    )
    for part in (slice(0, GUARD + len(aad)), slice(-GUARD, None)):
        assert np.array_equal(memory[part], before[part])
    return code, row[len(aad) :].tobytes()


def open_one(cipher: Cipher, nonce: bytes, aad: bytes, sealed: bytes) -> bytes | None:
    """What ``open_rows`` makes of a row: plaintext, or None if it is not authentic, and then nothing changed."""
    memory = random_rows(1, GUARD + len(aad) + len(sealed) + GUARD)[0]
    row = memory[GUARD:-GUARD]
    row[:] = np.frombuffer(aad + sealed, np.uint8)
    before, results = memory.copy(), np.full(1, 9, np.uint8)
    nonces = np.frombuffer(nonce.ljust(16, b"\7"), np.uint8).reshape(1, 16).copy()
    sizes = np.array([len(sealed) - 16])
    count = cipher.open(row[None], nonces, sizes, results, text_offset=len(aad), aad_bytes=len(aad))
    assert count == results[0]
    text = slice(GUARD + len(aad), -GUARD - 16)
    if count:
        plain = row[len(aad) : -16].tobytes()
        memory[text] = before[text]
    assert np.array_equal(memory, before)
    return plain if count else None


VECTORS = [
    ("aes-128-gcm", "aes_gcm_cavp.json", 300),
    ("aes-128-gcm", "aes_gcm_wycheproof.json", 67),
    ("chacha20-poly1305", "chacha20_poly1305_wycheproof.json", 316),
]


@pytest.mark.parametrize(
    ("name", "algorithm", "file", "count"),
    [
        pytest.param(name, *vectors, id=f"{vectors[1].removesuffix('.json')}-{name}")
        for vectors in VECTORS
        for name in (runnable_seals() if vectors[0] == "aes-128-gcm" else ("evp",))
    ],
)
def test_published_vectors(name: str, algorithm: str, file: str, count: int) -> None:
    rows = json.loads((GOLDEN / file).read_text())
    assert len(rows) == count
    for case, *parts, right in rows:
        key, nonce, aad, text, ciphertext, tag = map(bytes.fromhex, parts)
        with Cipher(key, algorithm, implementation=name) as cipher:
            opened = open_one(cipher, nonce, aad, ciphertext + tag)
            assert opened == (text if right else None), case
            if right:
                assert seal_one(cipher, nonce, aad, text) == (0, ciphertext + tag), case


@every
def test_every_length_equals_cryptography(algorithm: str, name: str) -> None:
    key = os.urandom(KEY_BYTES[algorithm])
    judge = AEAD[algorithm](key)
    with Cipher(key, algorithm, implementation=name) as cipher:
        for size in (*range(1530), 4096, 9152, 65535, 65536):
            nonce, aad, text = os.urandom(12), os.urandom(size * 7 % 33), os.urandom(size)
            sealed = judge.encrypt(nonce, text, aad)
            assert seal_one(cipher, nonce, aad, text) == (0, sealed), size
            assert open_one(cipher, nonce, aad, sealed) == text, size


@every
def test_every_length_of_associated_data(algorithm: str, name: str) -> None:
    key = os.urandom(KEY_BYTES[algorithm])
    judge = AEAD[algorithm](key)
    with Cipher(key, algorithm, implementation=name) as cipher:
        for size in (*range(70), 1000):
            nonce, aad, text = os.urandom(12), os.urandom(size), os.urandom(291 + size % 3)
            assert seal_one(cipher, nonce, aad, text) == (0, judge.encrypt(nonce, text, aad)), size


@every
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(0, 20), st.binary(min_size=12, max_size=12), st.data())
def test_one_wrong_bit_opens_nothing(
    algorithm: str, name: str, size: int, aad_bytes: int, nonce: bytes, data: st.DataObject
) -> None:
    key, aad = os.urandom(KEY_BYTES[algorithm]), os.urandom(aad_bytes)
    sealed = AEAD[algorithm](key).encrypt(nonce, os.urandom(size), aad)
    whole = bytearray(nonce + aad + sealed)
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    nonce, aad, sealed = whole[:12], whole[12 : 12 + aad_bytes], whole[12 + aad_bytes :]
    with pytest.raises(InvalidTag):
        AEAD[algorithm](key).decrypt(bytes(nonce), bytes(sealed), bytes(aad))
    with Cipher(key, algorithm, implementation=name) as cipher:
        assert open_one(cipher, bytes(nonce), bytes(aad), bytes(sealed)) is None


@every
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 6), st.integers(0, 700), st.integers(0, 40), st.data())
def test_batches_of_punktfunk_1(
    algorithm: str, name: str, count: int, size: int, gap: int, data: st.DataObject
) -> None:
    """Sequence number in clear, text, tag; datagrams of several lengths arrive, some of them not ours."""
    key = os.urandom(KEY_BYTES[algorithm])
    judge, salt = AEAD[algorithm](key), os.urandom(4)
    rows = random_rows(count, 8 + size + 16 + gap)
    nonces = np.zeros((count, 16), np.uint8)
    for row, nonce in zip(rows, nonces, strict=True):
        nonce[:12] = np.frombuffer(salt + row[:8].tobytes(), np.uint8)
    plain = rows.copy()
    with Cipher(key, algorithm, implementation=name) as cipher:
        sizes = {"text_offset": 8, "aad_bytes": 8}
        assert cipher.seal(rows, nonces, **sizes, text_bytes=size, tag_offset=8 + size) == 0
        for row, old, nonce in zip(rows, plain, nonces, strict=True):
            wanted = judge.encrypt(nonce[:12].tobytes(), old[8 : 8 + size].tobytes(), old[:8].tobytes())
            assert row[8 : 8 + size + 16].tobytes() == wanted
            assert np.array_equal(row[8 + size + 16 :], old[8 + size + 16 :])
        strangers = data.draw(st.sets(st.integers(0, count - 1))) if count else set()
        lengths = np.full(count, size)
        for index in strangers:
            lengths[index] = data.draw(st.sampled_from([-25, -1, 0, size + gap + 1, 1 << 40, -(1 << 62)]))
            rows[index, 3] ^= 1
        sealed, results = rows.copy(), np.full(count, 9, np.uint8)
        assert cipher.open(rows, nonces, lengths, results, **sizes) == count - len(strangers)
    for index in range(count):
        assert results[index] == (index not in strangers)
        if index in strangers:
            assert np.array_equal(rows[index], sealed[index])
        else:
            assert np.array_equal(rows[index, : 8 + size], plain[index, : 8 + size])


@of_aes
@pytest.mark.parametrize("size", [1, 1040, 1408])
def test_batches_of_gamestream(algorithm: str, name: str, size: int) -> None:
    """Nonce and tag before the text, no associated data; a client's parser reads them."""
    key = os.urandom(16)
    rows = random_rows(5, ENCRYPTED_PREFIX_BYTES + size)
    rows[:, 8:11], rows[:, 11] = 0, ord("V")
    plain = rows.copy()
    nonces = rows[:, :16].copy()
    with Cipher(key, algorithm, implementation=name) as cipher:
        assert cipher.seal(rows, nonces, text_offset=32, text_bytes=size, tag_offset=16) == 0
        for row, old in zip(rows, plain, strict=True):
            counter, frame_index, shard = parse_encrypted(key, row.tobytes())
            assert (counter, frame_index) == (
                int.from_bytes(old[:8], "little"),
                int.from_bytes(old[12:16], "little"),
            )
            assert shard == old[32:].tobytes()
        results = np.zeros(5, np.uint8)
        assert cipher.open(rows, nonces, np.full(5, size), results, text_offset=32, tag_offset=16) == 5
        rows[:, 16:32] = plain[:, 16:32]
        assert np.array_equal(rows, plain)


@of_aes
def test_the_textbook_agrees(algorithm: str, name: str) -> None:
    for size, aad_bytes in ((0, 0), (1, 1), (16, 16), (301, 20)):
        key, nonce, aad, text = (os.urandom(n) for n in (16, 12, aad_bytes, size))
        sealed, tag = textbook.seal_text(key, nonce, text, aad)
        with Cipher(key, algorithm, implementation=name) as cipher:
            assert seal_one(cipher, nonce, aad, text) == (0, sealed + tag)
            assert open_one(cipher, nonce, aad, sealed + tag) == text
        assert textbook.open_text(key, nonce, sealed, tag, aad) == text
        assert textbook.open_text(key, nonce, sealed, bytes(16), aad) is None


def memory_of(cipher: Cipher) -> np.ndarray:
    """A copy of a cipher's memory."""
    return np.frombuffer(ctypes.string_at(cipher.address, words.CIPHER_BYTES), np.uint8)


@pytest.mark.skipif(runnable_seals() == ("evp",), reason="this CPU has no AES instructions")
@settings(max_examples=30, deadline=None)
@given(st.binary(min_size=16, max_size=16))
def test_prepare_makes_the_textbooks_keys_and_powers(key: bytes) -> None:
    """A power is stored as POLYVAL has it: bits reversed, and once more times x."""
    keys = textbook.round_keys(key)
    hash_key = int.from_bytes(textbook.encrypt_block(keys, bytes(16)), "big")
    powers = [hash_key]
    while len(powers) < words.HASH_POWER_COUNT:
        powers.append(textbook.multiply(powers[-1], hash_key))
    polynomial = 1 << 128 | 0xC2 << 120 | 1
    with Cipher(key) as cipher:
        memory = memory_of(cipher)
    round_keys = memory[words.ROUND_KEYS :][: words.ROUND_KEY_COUNT * 32].reshape(-1, 2, 16)
    assert [row.tobytes() for row in round_keys] == [each * 2 for each in keys]
    for index, power in enumerate(reversed(powers)):
        doubled = power << 1
        doubled ^= polynomial * (doubled >> 128)
        stored = int.from_bytes(memory[words.HASH_POWERS + 16 * index :][:16], "little")
        assert stored == doubled
        folded = int.from_bytes(memory[words.HASH_FOLDED + 16 * index :][:8], "little")
        assert folded == (doubled >> 64) ^ (doubled & (1 << 64) - 1)


@every
@pytest.mark.parametrize(
    ("text_offset", "text_bytes", "tag_offset", "aad_bytes"),
    [
        (8, -1, 80, 8),
        (8, 81, 8, 8),  # behind the row
        (8, 65537, 80, 8),
        (8, 40, 81, 8),  # the tag behind the row
        (8, 40, 47, 8),  # the tag over the text
        (8, 40, 0, 8),  # over the associated data
        (30, 40, 15, 8),  # over the text, from before
        (7, 40, 60, 8),  # the text over the associated data
        (8, 40, 60, -1),
        (-8, 4, 60, 0),
        (8, 40, -1, 8),
        (1 << 62, 40, 60, 8),
        (8, 1 << 62, 60, 8),
    ],
)
def test_a_wrong_size_seals_nothing(
    algorithm: str, name: str, text_offset: int, text_bytes: int, tag_offset: int, aad_bytes: int
) -> None:
    rows, nonces = random_rows(2, 96), random_rows(2, 16)
    before, results = rows.copy(), np.full(2, 9, np.uint8)
    offsets = {"text_offset": text_offset, "tag_offset": tag_offset, "aad_bytes": aad_bytes}
    with Cipher(bytes(KEY_BYTES[algorithm]), algorithm, implementation=name) as cipher:
        assert cipher.seal(rows, nonces, text_bytes=text_bytes, **offsets) == BAD_SIZE
        assert cipher.open(rows, nonces, np.full(2, text_bytes), results, **offsets) in (0, BAD_SIZE)
    assert not (results == 1).any()
    assert np.array_equal(rows, before)


@of_kernels
def test_a_cipher_of_another_kind_is_refused(algorithm: str, name: str) -> None:
    """By the kernels; EVP takes what its context is for."""
    rows, nonces, results = random_rows(1, 64), random_rows(1, 16), np.zeros(1, np.uint8)
    with (
        Cipher(bytes(32), "chacha20-poly1305") as chacha,
        Cipher(bytes(16), algorithm, implementation=name) as aes,
    ):
        chacha.seal_address, chacha.open_address = aes.seal_address, aes.open_address
        assert chacha.seal(rows, nonces, text_offset=0, text_bytes=40, tag_offset=40) == BAD_SIZE
        assert chacha.open(rows, nonces, np.full(1, 40), results, text_offset=0) == BAD_SIZE
    with Cipher(bytes(16), algorithm, implementation=name) as closed:
        pass
    assert closed.seal(rows, nonces, text_offset=0, text_bytes=40, tag_offset=40) == BAD_SIZE
    assert closed.open(rows, nonces, np.full(1, 40), results, text_offset=0) == BAD_SIZE


def test_row_fits_is_proved_for_every_small_row() -> None:
    """Against sets of bytes: inside the row, no two parts share one, no empty text inside the tag."""
    fits = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 6)(jit.address_of_entry(evp.row_fits))
    for stride in (0, 15, 16, 20):
        for text_offset in range(-1, 22):
            for text_bytes in range(-1, 6):
                for tag_offset in range(-1, 8):
                    for aad_bytes in (-1, 0, 3):
                        parts = [
                            range(aad_bytes),
                            range(text_offset, text_offset + text_bytes),
                            range(tag_offset, tag_offset + 16),
                        ]
                        taken = [byte for part in parts for byte in part]
                        wanted = (
                            min(text_bytes, aad_bytes) >= 0
                            and aad_bytes <= min(text_offset, tag_offset)
                            and text_offset <= stride
                            and len(set(taken)) == len(taken)
                            and set(taken) <= set(range(stride))
                            and (text_bytes > 0 or not tag_offset < text_offset < tag_offset + 16)
                        )
                        assert fits(stride, text_offset, text_bytes, tag_offset, aad_bytes) == wanted
