"""Objects of a display wait for its end, whoever refers to them."""

import gc
import socket
import weakref
from types import SimpleNamespace

import pytest

from punktfunk.wayland_display import LOOK_AFTER, Kept, open_display


@pytest.fixture
def display():
    ours, theirs = socket.socketpair()
    with theirs:
        opened = open_display(ours.detach())
        yield opened
        opened.disconnect()


def test_what_nobody_refers_to_is_not_collected_before_the_display_ends(display):
    forgotten = weakref.ref(display.sync())
    gc.collect()
    assert forgotten() is not None
    assert not forgotten().destroyed
    display.disconnect()
    assert forgotten() is None or forgotten().destroyed


def test_what_was_destroyed_is_forgotten_from_time_to_time(display):
    for _ in range(3 * LOOK_AFTER):
        display.sync().destroy()
    assert len(display._children) <= LOOK_AFTER


def test_what_lives_is_looked_through_ever_less_often():
    kept, looked = Kept(), 0

    class Proxy(SimpleNamespace):
        __hash__ = object.__hash__

        @property
        def destroyed(self):
            nonlocal looked
            looked += 1
            return False

    for _ in range(1000):
        kept.add(Proxy())
    assert len(kept) == 1000
    assert looked < 3000
