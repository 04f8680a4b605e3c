"""Kernels that repeat a call for benchmarks: how often, with what, and what comes of a failure."""

import os
import time

import numpy as np
import pytest

from punktfunk.errors import LocalProtocolError
from punktfunk.realtime import instruments
from punktfunk.realtime.ciphers import Cipher
from punktfunk.realtime.code8 import Code8
from punktfunk.realtime.code16 import entry_at
from punktfunk.realtime.instruments import (
    DECODERS,
    Repeated,
    TickTimes,
    aligned_rows,
    copying,
    deciding_code,
    decoding,
    encoding,
    frame_times,
    matrix_code,
    reads_for,
    sealing,
)
from punktfunk.realtime.kernels import layout
from punktfunk.realtime.kernels.jit import address_of_entry, entry
from punktfunk.realtime.kernels.repeat import choose_always, feed_frames, loop_at_ticks, repeat_entry
from punktfunk.realtime.kernels.views import words_at
from punktfunk.realtime.rings import ByteRing


@entry("int64(int64, int64, int64)")
def _note3(words: int, value: int, fail_at: int) -> int:
    log = words_at(words)
    log[0] += 1
    log[1] = value
    return -7 if log[0] == fail_at else log[0]


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def _note8(words: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int) -> int:
    log = words_at(words)
    log[0] += 1
    log[1] = b + 10 * c + 100 * d + 1000 * e + 10_000 * f + 100_000 * g + 1_000_000 * h
    return log[0]


@entry("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def _note10(words: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int, i: int, j: int) -> int:
    log = words_at(words)
    log[0] += 1
    log[1] = b + 10 * c + 100 * d + 1000 * e + 10_000 * f + 100_000 * g + 1_000_000 * h + 7 * i + 5 * j
    return log[0]


def test_every_repetition_is_a_call_with_all_arguments():
    log = np.zeros(2, np.int64)
    assert repeat_entry(address_of_entry(_note3), np.array([log.ctypes.data, 5, 0]), 1000) == 1000
    assert log.tolist() == [1000, 5]
    assert repeat_entry(address_of_entry(_note8), np.array([log.ctypes.data, *range(1, 8)]), 3) == 1003
    assert log.tolist() == [1003, 7654321]
    assert repeat_entry(address_of_entry(_note10), np.array([log.ctypes.data, *range(1, 10)]), 1) == 1004
    assert log.tolist() == [1004, 7654321 + 56 + 45]
    assert repeat_entry(address_of_entry(_note3), np.array([log.ctypes.data, 5, 0]), 0) == 0
    assert log[0] == 1004


def test_the_first_failure_ends_it():
    log = np.zeros(2, np.int64)
    failing = Repeated(address_of_entry(_note3), (log.ctypes.data, 1, 4), (log,))
    with pytest.raises(LocalProtocolError, match="-7"):
        failing(10)
    assert log[0] == 4


@pytest.mark.parametrize("count", [0, 1, 2, 4, 7, 11])
def test_other_counts_of_arguments_are_refused(count):
    assert repeat_entry(0, np.zeros(count, np.int64), 1) == layout.BAD_SIZE


def test_copying_copies_and_checks_sizes():
    source, target = aligned_rows(3, 100, seed=1), aligned_rows(3, 100)
    copying(target, source)(2)
    assert (source == target).all()
    assert source.ctypes.data % 64 == 0
    with pytest.raises(LocalProtocolError):
        copying(aligned_rows(2, 100), source)
    with pytest.raises(LocalProtocolError):
        copying(target[:, ::2], source[:, :50])


def test_shards_of_two_sizes_are_refused():
    with pytest.raises(LocalProtocolError, match="10 and of 12"):
        encoding(None, aligned_rows(2, 10), aligned_rows(1, 12))  # type: ignore[arg-type]


def test_feed_frames_pushes_one_frame_a_tick_and_numbers_them():
    ring = ByteRing(1 << 14)
    header = np.zeros(layout.RECORD_HEADER_WORD_COUNT, np.int64)
    header[layout.RECORD_SEQUENCE] = 6
    doorbell = os.eventfd(0, os.EFD_NONBLOCK)
    try:
        frame = np.frombuffer(bytes(range(100)), np.uint8)
        assert feed_frames(ring.words, ring.storage, header, frame, doorbell, 1000, 3) == 0
        assert os.eventfd_read(doorbell) == 3
    finally:
        os.close(doorbell)
    target, seen = np.zeros(200, np.uint8), []
    while record := ring.pop(target):
        seen.append(record[0])
        assert (record[1], target[:100].tobytes()) == (100, frame.tobytes())
    assert [row[layout.RECORD_SEQUENCE] for row in seen] == [7, 8, 9]
    ticks = [int(row[layout.RECORD_CAPTURED_NS]) for row in seen]
    assert np.diff(ticks).tolist() == [1000, 1000]
    assert all(row[layout.RECORD_ENCODED_NS] >= row[layout.RECORD_CAPTURED_NS] for row in seen)
    too_long = np.zeros(1 << 15, np.uint8)
    assert feed_frames(ring.words, ring.storage, header, too_long, doorbell, 1000, 1) == layout.BAD_SIZE
    assert feed_frames(ring.words, ring.storage, header[:3], frame, doorbell, 1, 1) == layout.BAD_SIZE


@pytest.mark.parametrize("decoder", [*DECODERS, "auto"])
def test_a_forced_decoder_restores_what_the_chosen_one_does(decoder):
    code = deciding_code(20, 8, 96, decoder)
    data, parity = aligned_rows(20, 96, seed=3), aligned_rows(8, 96)
    code.encode(data, parity)
    original = data.copy()
    present = np.ones(28, np.uint8)
    present[[0, 7, 19]] = 0
    data[[0, 7, 19]] = 0
    assert decoding(code, data, parity, present)(2) == 3
    assert (data == original).all()


@pytest.mark.parametrize("number", DECODERS.values())
def test_choose_always_answers_its_word(number):
    word = np.array([number])
    choose = entry_at(address_of_entry(choose_always), 5)
    assert choose(word.ctypes.data, 1000, 200, 50, 1408) == number


def test_decoding_wants_a_flag_for_each_shard():
    with pytest.raises(LocalProtocolError, match="20:8"):
        decoding(None, aligned_rows(20, 96), aligned_rows(8, 96), np.ones(20, np.uint8))  # type: ignore[arg-type]


def test_the_matrix_alone_makes_the_same_parity():
    data = aligned_rows(60, 64, seed=4)
    parities = [aligned_rows(20, 64), aligned_rows(20, 64)]
    Code8(60, 20, 64).encode(data, parities[0])
    encoding(matrix_code(60, 20, 64), data, parities[1])(1)
    assert (parities[0] == parities[1]).all()


def test_sealing_seals_as_the_cipher_does():
    with Cipher(bytes(16)) as cipher:
        rows, nonces = aligned_rows(3, 90, seed=5), aligned_rows(3, 16, seed=6)
        expected = rows.copy()
        sizes = {"text_offset": 8, "text_bytes": 66, "tag_offset": 74, "aad_bytes": 8}
        cipher.seal(expected, nonces, **sizes)
        sealing(cipher, rows, nonces, **sizes)(1)
        assert (rows == expected).all()
        with pytest.raises(LocalProtocolError, match="91 bytes"):
            sealing(cipher, rows, nonces, **sizes | {"tag_offset": 75})
        with pytest.raises(LocalProtocolError, match="nonces"):
            sealing(cipher, rows, nonces[:2], **sizes)


def test_frame_times_are_the_columns_of_the_log():
    log = np.zeros((2, layout.LATENCY_COLUMN_COUNT), np.int64)
    log[:, layout.LATENCY_LAST_NS] = 5, 6
    log[:, layout.LATENCY_CAPTURED_NS] = 1, 2
    times = frame_times(log)
    assert times.last_ns.tolist() == [5, 6]
    assert times.captured_ns.tolist() == [1, 2]


def test_loop_at_ticks_begins_no_loop_before_its_tick_and_ends_all_in_order():
    times = np.zeros((3, 3), np.int64)
    before_ns = time.monotonic_ns()
    assert loop_at_ticks(times, 1000, 50) == 0
    assert np.diff(times[:, 0]).tolist() == [1000, 1000]
    assert times[0, 0] >= before_ns + 1000
    flat = times[:, 1:].ravel()
    assert (np.diff(flat) >= 0).all()  # a loop begins when the one before it is done
    assert (times[:, 1] >= times[:, 0]).all()
    assert flat[-1] <= time.monotonic_ns()


def test_a_loop_without_reads_ends_as_it_begins():
    times = np.zeros((2, 3), np.int64)
    assert loop_at_ticks(times, 1, 0) == 0
    assert (times[:, 1] == times[:, 2]).all()
    assert times[:, 1].all()


def test_loop_at_ticks_wants_three_columns():
    assert loop_at_ticks(np.zeros((2, 4), np.int64), 1, 1) == layout.BAD_SIZE
    assert loop_at_ticks(np.zeros((0, 3), np.int64), 1, 1) == 0


def test_tick_times_are_columns_one_element_a_tick():
    found = instruments.loop_at_ticks(1000, 10, 4)
    assert [column.shape for column in found] == [(4,)] * 3
    assert (found.tick_ns <= found.first_ns).all()
    assert (found.first_ns <= found.last_ns).all()


def test_reads_fill_the_time_by_what_the_median_of_many_takes(monkeypatch):
    def loop(_interval_ns, read_count, count):
        last_ns = np.full(count, 50 * read_count)
        last_ns[: count // 3] *= 1000  # taken away by the machine
        return TickTimes(np.zeros(count), np.zeros(count), last_ns)

    monkeypatch.setattr(instruments, "loop_at_ticks", loop)
    assert reads_for(600_000) == 12_000
    assert reads_for(0) == 1
