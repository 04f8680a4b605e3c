"""Runs of slabs for what unfinished frames store: the lowest run that is long enough, from fixed memory.

Says only who has which slabs, and moves a frame's shards when it grows where it cannot stand: the model is
``wire.native.slabs``.
"""

from punktfunk.realtime.kernels import layout_receive as at
from punktfunk.realtime.kernels.jit import entry, int64
from punktfunk.realtime.kernels.views import bytes_at, words_at
from punktfunk.wire.native.slabs import SLAB_BYTES


@entry("int64(int64)")
def slabs_for(size_bytes: int) -> int:
    """Count the slabs that hold ``size_bytes``, at least one."""
    return max((size_bytes + SLAB_BYTES - 1) // SLAB_BYTES, int64(1))


@entry("int64(int64, int64, int64, int64)")
def _mark(receiver: int, first: int, count: int, used: int) -> int:
    """Note that slabs are in use, 1, or free, 0."""
    words = words_at(receiver)
    flags = bytes_at(words[at.USED] + first)
    for i in range(count):
        flags[i] = used
    if used:
        words[at.SLABS_IN_USE] += count
        words[at.SLABS_MOST] = max(words[at.SLABS_MOST], words[at.SLABS_IN_USE])
        if first == words[at.LOWEST]:
            words[at.LOWEST] = first + count
    else:
        words[at.SLABS_IN_USE] -= count
        words[at.LOWEST] = min(words[at.LOWEST], first)
    return 0


@entry("int64(int64, int64)")
def take_run(receiver: int, count: int) -> int:
    """Take the lowest ``count`` free slabs that lie together: the first of them, -1 where there are none.

    receiver   address of the receiver's words
    count      at least 1
    """
    words = words_at(receiver)
    flags, total = bytes_at(words[at.USED]), words[at.SLAB_COUNT]
    first, found = words[at.LOWEST], int64(0)
    while found < count:
        if first + count > total:
            return int64(-1)
        if flags[first + found]:
            first, found = first + found + 1, int64(0)
        else:
            found += 1
    _mark(receiver, first, count, int64(1))
    return int64(first)


@entry("int64(int64, int64, int64, int64)")
def extend_run(receiver: int, first: int, count: int, more: int) -> int:
    """Take the ``more`` slabs behind a run: 1, or 0 where one of them is in use or there are none.

    receiver       address of the receiver's words
    first, count   the run
    more           at least 1
    """
    words = words_at(receiver)
    flags, end = bytes_at(words[at.USED]), first + count
    if end + more > words[at.SLAB_COUNT]:
        return int64(0)
    for i in range(more):
        if flags[end + i]:
            return int64(0)
    return int64(1) + _mark(receiver, end, more, int64(1))


@entry("int64(int64, int64, int64)")
def free_run(receiver: int, first: int, count: int) -> int:
    """Give a run back; 0.

    receiver       address of the receiver's words
    first, count   the run
    """
    return _mark(receiver, first, count, int64(0))
