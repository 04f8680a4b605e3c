"""A key in memory: who may have it, how it is wiped, and which code gets it."""

import ctypes
import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor
from inspect import isfunction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from punktfunk.config_loading import OTHER_VARIABLES
from punktfunk.errors import ConfigError, EnvironmentProblem, LocalProtocolError
from punktfunk.realtime import ciphers, warm
from punktfunk.realtime.checks import gcm as check
from punktfunk.realtime.ciphers import Cipher, seal_addresses
from punktfunk.realtime.kernels import cipher_words, gcm_rows, seal_choice
from punktfunk.realtime.kernels.cache import cpu_lines
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.seal_choice import SEAL_MODULES, runnable_for, runnable_seals

KEY = bytes(range(1, 17))
ZEN3 = frozenset({"aes", "pclmulqdq", "ssse3", "avx2", "vaes", "vpclmulqdq"})


def rows_of(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.frombuffer(os.urandom(count * (size + 16)), np.uint8).reshape(count, -1).copy()
    return rows, np.frombuffer(os.urandom(count * 16), np.uint8).reshape(count, 16).copy()


@pytest.mark.parametrize("name", runnable_seals())
def test_closing_wipes_the_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    memories: list[np.ndarray] = []
    freed: list[int] = []
    wipe = ciphers._wipe
    library = ciphers._libcrypto()

    def spy(memory: np.ndarray, contexts: list[int], free: object) -> None:
        memories.append(memory)
        freed.extend(contexts)
        wipe(memory, contexts, free)

    monkeypatch.setattr(ciphers, "_wipe", spy)
    with Cipher(KEY, implementation=name) as cipher:
        assert cipher.address % 64 == 0
        before = ctypes.string_at(cipher.address, cipher_words.CIPHER_BYTES)
        assert (KEY in before) == (len(runnable_seals()) > 1)  # the first round key
        rows, nonces = rows_of(3, 100)
        cipher.seal(rows, nonces, text_offset=0, text_bytes=100, tag_offset=100)
    cipher.close()
    assert [memory.any() for memory in memories] == [False]
    assert [bool(context) for context in freed] == [True, True]
    assert cipher.address == 0
    assert library is ciphers._libcrypto()


def test_a_forgotten_cipher_is_wiped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    memories: list[np.ndarray] = []
    wipe = ciphers._wipe
    monkeypatch.setattr(
        ciphers, "_wipe", lambda memory, *rest: (memories.append(memory), wipe(memory, *rest))
    )
    cipher = Cipher(KEY)
    del cipher
    assert [memory.any() for memory in memories] == [False]


def test_a_key_may_lie_where_its_owner_can_wipe_it() -> None:
    key = bytearray(KEY)
    with Cipher(key) as cipher, Cipher(memoryview(KEY)) as other:
        key[:] = bytes(16)
        rows, nonces = rows_of(1, 40)
        copy = rows.copy()
        for each, array in ((cipher, rows), (other, copy)):
            assert each.seal(array, nonces, text_offset=0, text_bytes=40, tag_offset=40) == 0
        assert np.array_equal(rows, copy)


@pytest.mark.parametrize(
    ("algorithm", "size"), [("aes-128-gcm", 15), ("aes-128-gcm", 32), ("chacha20-poly1305", 16)]
)
def test_keys_of_other_sizes_are_refused(algorithm: str, size: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"not {size}"):
        Cipher(bytes(size), algorithm)


def test_a_libcrypto_that_refuses_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[int] = []
    real = ciphers._libcrypto()

    def free(context: int) -> None:
        freed.append(context)
        real.EVP_CIPHER_CTX_free(context)

    refusing = SimpleNamespace(
        EVP_CIPHER_CTX_new=real.EVP_CIPHER_CTX_new,
        EVP_CIPHER_CTX_free=free,
        EVP_EncryptInit_ex=real.EVP_EncryptInit_ex,
        EVP_DecryptInit_ex=lambda *_arguments: 0,
        EVP_aes_128_gcm=real.EVP_aes_128_gcm,
    )
    monkeypatch.setattr(ciphers, "_libcrypto", lambda: refusing)
    with pytest.raises(EnvironmentProblem, match="refused aes-128-gcm"):
        Cipher(KEY)
    assert len(freed) == 2


def test_arrays_that_do_not_fit_are_refused() -> None:
    rows, nonces = rows_of(2, 40)
    sizes, results = np.full(2, 40), np.zeros(2, np.uint8)
    seal = {"text_offset": 0, "text_bytes": 40, "tag_offset": 40}
    with Cipher(KEY) as cipher:
        for bad in (rows[:, ::2], rows.astype(np.int8), rows[0]):
            with pytest.raises(LocalProtocolError):
                cipher.seal(bad, nonces, **seal)
        for bad in (nonces[:1], nonces[:, :12].copy()):
            with pytest.raises(LocalProtocolError):
                cipher.seal(rows, bad, **seal)
        for bad_sizes, bad_results in (
            (sizes[:1], results),
            (sizes.astype(np.int32), results),
            (sizes, results[:1]),
            (sizes, results.astype(bool)),
            (np.full(4, 40)[::2], results),
        ):
            with pytest.raises(LocalProtocolError):
                cipher.open(rows, nonces, bad_sizes, bad_results, text_offset=0)


def test_a_variant_may_bring_its_own_entry() -> None:
    other = seal_addresses("evp")[0]
    with Cipher(KEY, seal=other) as cipher, Cipher(KEY) as usual:
        assert cipher.seal_address == other
        assert cipher.open_address == usual.open_address
        assert usual.seal_address == seal_addresses(usual.implementation)[0]


@pytest.mark.parametrize("name", runnable_seals())
def test_one_thread_may_seal_while_another_opens(name: str) -> None:
    count, size, rounds = 40, 333, 60
    plain, nonces = rows_of(count, size)
    judge = AESGCM(KEY)
    sealed = plain.copy()
    for row, nonce in zip(sealed, nonces, strict=True):
        row[:] = np.frombuffer(judge.encrypt(nonce[:12].tobytes(), row[:size].tobytes(), None), np.uint8)

    def seal() -> bool:
        right = True
        for _ in range(rounds):
            rows = plain.copy()
            cipher.seal(rows, nonces, text_offset=0, text_bytes=size, tag_offset=size)
            right &= np.array_equal(rows, sealed)
        return right

    def open_() -> bool:
        right, results = True, np.zeros(count, np.uint8)
        for _ in range(rounds):
            rows = sealed.copy()
            opened = cipher.open(rows, nonces, np.full(count, size), results, text_offset=0)
            right &= opened == count and np.array_equal(rows[:, :size], plain[:, :size])
        return right

    with Cipher(KEY, implementation=name) as cipher, ThreadPoolExecutor(2) as threads:
        assert all(list(threads.map(lambda work: work(), (seal, open_))))


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (ZEN3, ("vaes", "aesni", "evp")),
        (ZEN3 - {"vaes"}, ("aesni", "evp")),
        (ZEN3 - {"avx2"}, ("aesni", "evp")),
        (ZEN3 - {"pclmulqdq"}, ("evp",)),
        (frozenset({"aes", "pmull", "asimd"}), ("evp",)),  # aarch64
        (frozenset(), ("evp",)),
    ],
)
def test_the_cpu_decides_what_can_run(flags: frozenset[str], names: tuple[str, ...]) -> None:
    assert runnable_for(flags) == names


def test_the_environment_forces_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = seal_choice.seal_choice.__wrapped__
    assert seal_choice.SEAL_VARIABLE in OTHER_VARIABLES
    monkeypatch.delenv(seal_choice.SEAL_VARIABLE, raising=False)
    assert choose() == runnable_seals()[0]
    monkeypatch.setenv(seal_choice.SEAL_VARIABLE, "evp")
    assert choose() == "evp"
    monkeypatch.setenv(seal_choice.SEAL_VARIABLE, "rot13")
    with pytest.raises(ConfigError, match="no way to seal"):
        choose()
    monkeypatch.setenv(seal_choice.SEAL_VARIABLE, "vaes")
    monkeypatch.setattr(seal_choice, "runnable_seals", lambda: ("evp",))
    with pytest.raises(ConfigError, match="does not run on this CPU"):
        choose()


def test_numba_that_compiles_for_another_cpu_gets_evp(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runnable_seals.__wrapped__() == runnable_for(cpu_lines()[1])
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert runnable_seals.__wrapped__() == ("evp",)


@pytest.mark.parametrize("name", ["vaes", "aesni"])
def test_a_kernel_is_not_compiled_for_a_cpu_that_lacks_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gcm_rows, "runnable_seals", lambda: ("evp",))
    monkeypatch.setattr(ciphers, "runnable_seals", lambda: ("evp",))
    for module in (SEAL_MODULES[name], "gcm_key"):
        source = Path(seal_choice.__file__).with_name(f"{module}.py")
        spec = importlib.util.spec_from_file_location(f"elsewhere_{module}", source)
        there = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(there)
        for function in ("prepare",) if module == "gcm_key" else ("seal", "open_rows"):
            assert isfunction(getattr(there, function))
            with pytest.raises(KeyError):
                address_of_entry(SimpleNamespace(symbol=f"elsewhere_{module}_{function}"))
    with pytest.raises(EnvironmentProblem, match=f"cannot seal by {name}"):
        seal_addresses.__wrapped__(name)
    monkeypatch.setattr(ciphers, "seal_choice", lambda: "evp")
    rows, nonces = rows_of(1, 40)
    with Cipher(KEY) as cipher:
        assert cipher.implementation == "evp"
        assert KEY not in ctypes.string_at(cipher.address, cipher_words.CIPHER_BYTES)
        assert cipher.seal(rows, nonces, text_offset=0, text_bytes=40, tag_offset=40) == 0


def test_the_self_check_finds_a_wrong_cipher(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check.agrees(np.random.default_rng(1))
    monkeypatch.setattr(check, "seal_text", lambda _key, _nonce, text, _aad: (text, bytes(16)))
    assert not check.agrees(np.random.default_rng(1))
    monkeypatch.setattr(warm, "STREAM_CHECKS", ("gcm",))
    with pytest.raises(EnvironmentProblem, match=r"differ from their twins.* gcm") as problem:
        warm.self_check(stream_only=True)
    assert "PUNKTFUNK_SEAL=evp" in problem.value.hint
