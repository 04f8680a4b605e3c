"""One access unit as it came, with what is known about it. No Numba."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """A whole access unit of punktfunk/1. Times in ns: ``pts_ns`` of the host's CLOCK_REALTIME, others ours.

    ``packet_count`` are packets that were of use, ``recovered_count`` shards that parity restored of
    ``data_count``.
    """

    frame_index: int
    pts_ns: int
    user_flags: int
    access_unit: bytes
    first_ns: int  # CLOCK_MONOTONIC of its first packet
    complete_ns: int  # and of its last, with all losses repaired
    packet_count: int
    recovered_count: int
    data_count: int
    block_count: int
