"""Bells of both kinds: eventfds, and the pairs of sockets of systems that have none."""

import errno
import select
from pathlib import Path

import pytest

from punktfunk.realtime import bells


@pytest.fixture(params=[True, False], ids=["eventfd", "sockets"])
def kind(request, monkeypatch):
    monkeypatch.setattr(bells, "_HAS_EVENTFD", request.param)


def readable(bell):
    return bool(select.select([bell], [], [], 0)[0])


@pytest.mark.usefixtures("kind")
def test_a_bell_is_readable_from_its_ring_to_its_hush():
    first, second = opened = bells.open_bells(2)
    assert not readable(first)
    for _ in range(3):
        bells.ring(first)
    assert readable(first)
    assert not readable(second)
    bells.hush(first)
    bells.hush(second)
    assert not readable(first)
    bells.ring(first)
    assert readable(first)
    for bell in opened:
        bells.close_bell(bell)
    assert not bells._pairs
    with pytest.raises(OSError, match="Bad file descriptor"):
        bells.ring(first)


@pytest.mark.usefixtures("kind")
def test_a_bell_that_nobody_hears_can_be_rung_for_ever():
    (bell,) = bells.open_bells(1)
    for _ in range(100_000):
        bells.ring(bell)
    bells.hush(bell)
    assert not readable(bell)
    bells.close_bell(bell)


@pytest.mark.usefixtures("kind")
def test_bells_are_opened_all_or_none(monkeypatch):
    before = set(Path("/proc/self/fd").iterdir())
    real, opened = bells._open, []

    def third_fails():
        if len(opened) == 2:
            raise OSError(errno.EMFILE, "Too many open files")
        opened.append(real())
        return opened[-1]

    monkeypatch.setattr(bells, "_open", third_fails)
    with pytest.raises(OSError, match="Too many"):
        bells.open_bells(3)
    assert set(Path("/proc/self/fd").iterdir()) == before
