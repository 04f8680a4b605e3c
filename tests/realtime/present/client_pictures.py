"""Pictures without pixels, for what only looks at their times."""

from types import SimpleNamespace

from punktfunk.realtime.decode.base import DecodedPicture

MS = 1_000_000
FRAME_NS = 16_666_667


def picture(index, delay_ns=5 * MS, interval_ns=FRAME_NS):
    pts_ns = 1_000_000 * MS + index * interval_ns
    unit = SimpleNamespace(
        frame_index=index, pts_ns=pts_ns, user_flags=1, first_ns=pts_ns + 1 * MS, complete_ns=pts_ns + 2 * MS
    )
    return DecodedPicture(SimpleNamespace(index=index), unit, pts_ns + 3 * MS, pts_ns + delay_ns, index == 0)
