"""What is set aside is walked no more, and what comes after it still goes."""

import gc
import weakref

import pytest

from punktfunk.control.system.garbage import set_aside_what_stays


class Ring:
    """Only the cycle collector frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def given_back():
    yield
    gc.unfreeze()


def test_what_lives_is_set_aside_and_walked_no_more():
    kept = [Ring() for _ in range(1000)]
    aside = set_aside_what_stays()
    assert aside > 1000
    walked = gc.get_objects()
    assert not any(ring is thing for ring in kept[:3] for thing in walked)
    assert len(walked) < aside / 10


def test_what_comes_later_is_still_collected():
    set_aside_what_stays()
    ghost = weakref.ref(Ring())
    gc.collect()
    assert ghost() is None
