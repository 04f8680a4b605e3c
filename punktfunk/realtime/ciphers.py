"""One key, ready for kernels: its memory, its addresses, and the code that seals and opens with it.

A kernel gets ``address`` as its cipher and calls ``seal_address`` or ``open_address`` (``kernels.evp`` says
with which arguments). One thread at a time may seal, and one open.
"""

import ctypes
import weakref
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import TracebackType
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from punktfunk.errors import EnvironmentProblem, LocalProtocolError
from punktfunk.realtime.kernels import cipher_words as words
from punktfunk.realtime.kernels.jit import address_of_entry
from punktfunk.realtime.kernels.layout import NONCE_BYTES
from punktfunk.realtime.kernels.seal_choice import SEAL_MODULES, runnable_seals, seal_choice

Algorithm = Literal["aes-128-gcm", "chacha20-poly1305"]
U8 = NDArray[np.uint8]

_LINE_BYTES: Final = 64
# key bytes, code in the cipher's words, libcrypto's name of it
_ALGORITHMS: Final = {
    "aes-128-gcm": (16, words.AES_128_GCM, "EVP_aes_128_gcm"),
    "chacha20-poly1305": (32, words.CHACHA20_POLY1305, "EVP_chacha20_poly1305"),
}
_SEAL = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 9)
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 10)


@cache
def _libcrypto() -> Any:
    """Open the library that the kernels use, for what is done once a session."""
    library = ctypes.CDLL(import_module("punktfunk.realtime.kernels.evp").LIBCRYPTO)
    address = ctypes.c_void_p
    for name, result, count in (
        ("EVP_CIPHER_CTX_new", address, 0),
        ("EVP_CIPHER_CTX_free", None, 1),
        ("EVP_aes_128_gcm", address, 0),
        ("EVP_chacha20_poly1305", address, 0),
        ("EVP_EncryptInit_ex", ctypes.c_int, 5),
        ("EVP_DecryptInit_ex", ctypes.c_int, 5),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, [address] * count
    return library


@cache
def seal_addresses(implementation: str) -> tuple[int, int]:
    """Addresses of ``seal`` and ``open_rows`` of ``vaes``, ``aesni`` or ``evp``; compiles what is not cached.

    EnvironmentProblem where the CPU cannot run it.
    """
    if implementation not in runnable_seals():
        raise EnvironmentProblem(
            f"this CPU cannot seal by {implementation}", hint=f"It can by {', '.join(runnable_seals())}."
        )
    module = import_module(f"punktfunk.realtime.kernels.{SEAL_MODULES[implementation]}")
    return address_of_entry(module.seal), address_of_entry(module.open_rows)


def _prepare(cipher: int, key: int) -> None:
    """Write what the CPU's own instructions need: round keys and powers of the hash key."""
    address = address_of_entry(import_module("punktfunk.realtime.kernels.gcm_key").prepare)
    ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(address)(cipher, key)


def _wipe(memory: U8, contexts: list[int], free: Callable[[int], None]) -> None:
    for context in contexts:
        free(context)  # which wipes the key in it
    memory.fill(0)


class Cipher:
    """A key and an algorithm. Close it, or leave its ``with``, and nothing of the key is left in memory.

    ``implementation`` forces one of ``runnable_seals()``; every other algorithm than AES-128-GCM goes by
    ``evp``. ``seal`` is the address of another entry to seal with, which a variant brings. A key of another
    size raises LocalProtocolError, a libcrypto without the algorithm EnvironmentProblem.
    """

    def __init__(
        self,
        key: bytes | bytearray | memoryview,
        algorithm: Algorithm = "aes-128-gcm",
        seal: int | None = None,
        *,
        implementation: str | None = None,
    ) -> None:
        key_bytes, code, evp_name = _ALGORITHMS[algorithm]
        if len(key) != key_bytes:
            raise LocalProtocolError(f"a key of {algorithm} has {key_bytes} bytes, not {len(key)}")
        aes = algorithm == "aes-128-gcm"
        self.algorithm = algorithm
        self.implementation = (implementation or seal_choice()) if aes else "evp"
        own_seal, self.open_address = seal_addresses(self.implementation)
        self.seal_address = own_seal if seal is None else seal
        memory = np.zeros(words.CIPHER_BYTES + _LINE_BYTES, np.uint8)
        self.address = -(-memory.ctypes.data // _LINE_BYTES) * _LINE_BYTES
        contexts: list[int] = []
        self._close = weakref.finalize(self, _wipe, memory, contexts, _libcrypto().EVP_CIPHER_CTX_free)
        copy = np.array(memoryview(key), np.uint8)
        try:
            self._open_contexts(contexts, copy.ctypes.data, evp_name)
            if aes and len(runnable_seals()) > 1:
                _prepare(self.address, copy.ctypes.data)
        except BaseException:
            self.close()
            raise
        finally:
            copy.fill(0)
        header = memory[self.address - memory.ctypes.data :][:_LINE_BYTES].view(np.int64)
        header[words.CIPHER_SEAL_CONTEXT], header[words.CIPHER_OPEN_CONTEXT] = contexts
        header[words.CIPHER_ALGORITHM] = code

    def _open_contexts(self, contexts: list[int], key: int, evp_name: str) -> None:
        library = _libcrypto()
        for start in (library.EVP_EncryptInit_ex, library.EVP_DecryptInit_ex):
            context = library.EVP_CIPHER_CTX_new()
            if context:
                contexts.append(context)
            if not context or start(context, getattr(library, evp_name)(), None, key, None) != 1:
                raise EnvironmentProblem(
                    f"libcrypto refused {self.algorithm}", hint="Check the system's OpenSSL configuration."
                )

    def close(self) -> None:
        """Wipe the key; once is enough. No thread may be using the cipher."""
        self._close()
        self.address = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def seal(
        self, rows: U8, nonces: U8, *, text_offset: int, text_bytes: int, tag_offset: int, aad_bytes: int = 0
    ) -> int:
        """Seal every row in place, as a kernel would: the entry's code. Holds no GIL.

        rows (count, stride); nonces (count, 16), the first 12 bytes of a row are its nonce. Arrays that are
        not so raise LocalProtocolError.
        """
        self._check(rows, nonces)
        sizes = (text_offset, text_bytes, tag_offset, aad_bytes)
        where = (rows.ctypes.data, rows.shape[1], len(rows))
        return int(_SEAL(self.seal_address)(self.address, *where, *sizes, nonces.ctypes.data))

    def open(
        self,
        rows: U8,
        nonces: U8,
        text_bytes: NDArray[np.int64],
        results: U8,
        *,
        text_offset: int,
        tag_offset: int = -1,
        aad_bytes: int = 0,
    ) -> int:
        """Open every row in place that is authentic: how many, or the entry's code. Holds no GIL.

        rows (count, stride); nonces (count, 16); text_bytes (count,); results (count,), 1 where opened. A
        negative ``tag_offset``: tags follow texts. LocalProtocolError for arrays that are not so.
        """
        self._check(rows, nonces)
        for array, kind in ((text_bytes, np.int64), (results, np.uint8)):
            if array.shape != (len(rows),) or array.dtype != kind or not array.flags.c_contiguous:
                raise LocalProtocolError(f"{len(rows)} rows need as many sizes and results")
        where = (rows.ctypes.data, rows.shape[1], len(rows), text_offset, text_bytes.ctypes.data)
        last = (tag_offset, aad_bytes, nonces.ctypes.data, results.ctypes.data)
        return int(_OPEN(self.open_address)(self.address, *where, *last))

    @staticmethod
    def _check(rows: U8, nonces: U8) -> None:
        for array in (rows, nonces):
            if array.ndim != 2 or array.dtype != np.uint8 or not array.flags.c_contiguous:
                raise LocalProtocolError("rows and nonces are contiguous uint8 arrays of two dimensions")
        if nonces.shape != (len(rows), NONCE_BYTES):
            raise LocalProtocolError(f"nonces are {nonces.shape}, not ({len(rows)}, {NONCE_BYTES})")
