"""Authenticated encryption of a batch of packets in place, against ``cryptography`` called for each.

What is timed on our side is the entry that a stream's kernel calls, with a batch of packets, repeated inside
one kernel: nanoseconds of the thread's own CPU time for each packet. The baseline is one Python call for each
packet, with key schedule, nonce and text made beforehand. Rows named "from Python" have one call of
Cipher.seal for the batch instead. Opening also happens in place and works once, so its rows are calls from
Python that begin by copying the sealed batch back. What comes out is compared before it is timed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Final, Literal, cast

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from numpy.typing import NDArray

from punktfunk import realtime
from punktfunk.errors import PunktfunkError
from punktfunk.measure.floors import CRYPTOGRAPHY, SEAL, judged
from punktfunk.measure.options import SealOptions
from punktfunk.measure.paired import Row, Work, looped, measure_works, own_ns, paired
from punktfunk.measure.steps import Benchmark, Step

U8 = NDArray[np.uint8]
Algorithm = Literal["aes-128-gcm", "chacha20-poly1305"]

_BATCH: Final = 64
_TAG_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_FLOOR_BYTES: Final = 1408
_KEY_BYTES: Final = {"aes-128-gcm": 16, "chacha20-poly1305": 32}


def benchmark(options: SealOptions) -> Benchmark:
    """Every cipher in every way that this CPU has and that was asked for, with every size."""
    runnable = realtime.runnable_seals()
    steps, notes = [], []
    for cipher in options.ciphers:
        ways = runnable if cipher == "aes-128-gcm" else ("evp",)
        wanted = ways if "auto" in options.implementations else options.implementations
        notes += [
            f"{way} of {cipher} does not run on this CPU, so it is left out" if way not in runnable
            else f"{cipher} goes by evp only, so {way} is left out"
            for way in wanted if way not in ways
        ]  # fmt: skip
        for way in ways:
            if way in wanted:
                steps += [
                    Step(
                        f"seal {cipher} {way}, {size} bytes",
                        partial(seal_rows, options, cast("Algorithm", cipher), way, size),
                    )
                    for size in options.text_bytes
                ]
    return Benchmark(tuple(steps), tuple(notes))


def seal_rows(options: SealOptions, algorithm: Algorithm, way: str, size: int) -> Iterator[Row]:
    """Time one cipher in one way."""
    rows = realtime.aligned_rows(_BATCH, size + _TAG_BYTES, seed=0)
    nonces = realtime.aligned_rows(_BATCH, 16, seed=1)
    texts = [row[:size].tobytes() for row in rows]
    key = bytes(range(_KEY_BYTES[algorithm]))
    call = (AESGCM if algorithm == "aes-128-gcm" else ChaCha20Poly1305)(key).encrypt
    starts = [nonce[:_NONCE_BYTES].tobytes() for nonce in nonces]
    best = realtime.runnable_seals()[0]  # floors are for what a stream uses, and for the fallback
    case = f"{algorithm} {way}" if size == _FLOOR_BYTES else f"{algorithm} {way}, {size} bytes"
    with realtime.Cipher(key, algorithm, implementation=way) as cipher:
        places = {"text_offset": 0, "text_bytes": size, "tag_offset": size}
        ours = realtime.sealing(cipher, rows, nonces, **places)
        ours(1)
        for row, text, nonce in zip(rows, texts, starts, strict=True):
            if row.tobytes() != call(nonce, text, None):
                raise PunktfunkError(f"{case}: the result is wrong, so it is not timed")
        theirs = _each(list(zip(starts, texts, strict=True)), call)
        called = looped(partial(cipher.seal, rows, nonces, **places))
        for name, work in ((case, ours), (f"{case}, from Python", called)):
            row = _row(name, theirs, work, options.rounds)
            yield judged(
                replace(row, work_bytes=size), SEAL, asked=size == _FLOOR_BYTES and way in (best, "evp")
            )
        yield _opening(cipher, f"open {case}, from Python", texts, nonces, options.rounds)


def _opening(cipher: realtime.Cipher, case: str, texts: list[bytes], nonces: U8, rounds: int) -> Row:
    size = len(texts[0])
    call = AESGCM if cipher.algorithm == "aes-128-gcm" else ChaCha20Poly1305
    baseline = call(bytes(range(_KEY_BYTES[cipher.algorithm])))
    starts = [nonce[:_NONCE_BYTES].tobytes() for nonce in nonces]
    packets = [baseline.encrypt(nonce, text, None) for nonce, text in zip(starts, texts, strict=True)]
    sealed = np.frombuffer(b"".join(packets), np.uint8).reshape(_BATCH, size + _TAG_BYTES)
    rows = realtime.aligned_rows(_BATCH, size + _TAG_BYTES, seed=0)
    sizes, results = np.full(_BATCH, size, np.int64), np.zeros(_BATCH, np.uint8)

    def ours() -> None:
        np.copyto(rows, sealed)
        if cipher.open(rows, nonces, sizes, results, text_offset=0) != _BATCH:
            raise PunktfunkError(f"{case}: a packet does not open, so it is not timed")

    ours()
    if [row[:size].tobytes() for row in rows] != texts:
        raise PunktfunkError(f"{case}: the result is wrong, so it is not timed")
    theirs = _each(list(zip(starts, packets, strict=True)), baseline.decrypt)
    return replace(_row(case, theirs, looped(ours), rounds), work_bytes=size)


def _row(case: str, theirs: Work, ours: Work, rounds: int) -> Row:
    scale = 1e9 / _BATCH
    theirs_s, ours_s = measure_works(theirs, ours, rounds=rounds, clock=own_ns)
    return paired("seal", case, "ns", CRYPTOGRAPHY, theirs_s * scale, ours_s * scale)


def _each(packets: list[tuple[bytes, bytes]], call: Callable[[bytes, bytes, None], bytes]) -> Work:
    def work(count: int) -> None:
        for _ in range(count):
            for nonce, text in packets:
                call(nonce, text, None)

    return work
