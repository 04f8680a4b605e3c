"""Logs of a session's parts: bounded, rotated, and never a reason to fail."""

import os
from pathlib import Path

import pytest
import trio

from punktfunk.control.desktop.logs import TAIL_BYTES, RotatedLog, logged


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_files_are_rotated_and_bounded(tmp_path):
    log = RotatedLog(tmp_path, "compositor", most_bytes=100, old_count=2)
    log.begin("sway")
    for number in range(200):
        log.write(f"line {number:03}\n".encode())
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sorted(sizes) == ["compositor.log", "compositor.log.1", "compositor.log.2"]
    assert max(sizes.values()) <= 100
    assert (tmp_path / "compositor.log").read_text().endswith("line 199\n")
    assert (tmp_path / "compositor.log.1").read_text() < (tmp_path / "compositor.log").read_text()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_one_huge_write_is_bounded_too(tmp_path):
    log = RotatedLog(tmp_path, "a", most_bytes=1000)
    log.write(b"x" * 100_000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3000
    assert len(log.tail) == TAIL_BYTES


def test_last_words_are_of_this_start_only(tmp_path):
    log = RotatedLog(tmp_path, "a")
    log.write(b"old\n")
    log.begin("again")
    log.write(b"bro\xffken\n")
    assert log.tail == "bro\N{REPLACEMENT CHARACTER}ken"


def test_a_folder_that_cannot_be_written_costs_only_lines(tmp_path):
    log = RotatedLog(tmp_path / "missing", "a")
    log.begin("start")
    log.write(b"said\n")
    assert log.tail == "said"


@pytest.mark.trio
async def test_what_is_written_into_the_pipe_arrives_before_the_block_ends(tmp_path):
    log = RotatedLog(tmp_path, "a")
    async with logged(log) as writing:
        os.write(writing, b"first\n")
        await trio.testing.wait_all_tasks_blocked()
        os.write(writing, b"last\n")
    assert log.path.read_text() == "first\nlast\n"
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(writing)


@pytest.mark.trio
async def test_a_grandchild_that_keeps_the_pipe_open_does_not_hold_us(tmp_path, autojump_clock):
    async with logged(RotatedLog(tmp_path, "a")) as writing:
        kept = os.dup(writing)
    os.close(kept)


@pytest.mark.trio
async def test_cancelled_blocks_leave_no_descriptor(tmp_path):
    before = open_descriptors()
    with trio.move_on_after(0):
        async with logged(RotatedLog(tmp_path, "a")):
            await trio.sleep_forever()
    assert open_descriptors() == before
