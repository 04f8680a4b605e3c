"""Python's cycle collector, kept away from what lives as long as the host.

A full collection walks every object that the collector knows, with the GIL held: no encoder thread gets
on meanwhile. A host that has loaded Numba knows some 130,000, which takes 110 ms, and none of them ever goes.
Set aside, they cost nothing; and full collections, which come once what is new is a quarter of what is old,
come soon enough to give a session's memory back before the next one.
"""

import gc


def set_aside_what_stays() -> int:
    """Take everything that is alive now out of all later collections; return how many objects that are.

    For when start-up is over, and once. Source: Python's ``gc.freeze``.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # "old" is counted anew: it was everything, and is next to nothing now
    return gc.get_freeze_count()
