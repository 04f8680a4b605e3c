"""What a pad is that the kernel takes for a real HID device, and items of its report descriptor."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from punktfunk.wire.pads.pad import PadView
from punktfunk.wire.pads.wishes import PadWish


class Bus(IntEnum):
    """Buses of linux/input.h."""

    USB = 0x03
    BLUETOOTH = 0x05


@dataclass(frozen=True, slots=True)
class Identity:
    """What the kernel's drivers and games recognise a pad by; ``descriptor`` is empty for uinput pads."""

    name: str
    vendor: int
    product: int
    version: int
    bus: Bus = Bus.USB
    descriptor: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an output report comes to: wishes for the client, and reports that the pad answers with."""

    wishes: tuple[PadWish, ...] = ()
    replies: tuple[bytes, ...] = ()


class HidPad(Protocol):
    """One pad on the HID bus. It keeps counters and what the driver has switched on, nothing else.

    period_ns    a report is due this often although nothing changed; drivers wait for it
    """

    identity: Identity
    period_ns: int
    has_motion: bool

    def report(self, view: PadView, now_ns: int, /) -> bytes:
        """Build the input report of this moment (CLOCK_MONOTONIC)."""

    def feature(self, report_id: int, /) -> bytes | None:
        """Answer a GET_REPORT of a feature; None for one that the pad does not have."""

    def output(self, data: bytes, view: PadView, /) -> Answer:
        """Take an output report, from a driver or from any program with the hidraw node. Raises nothing."""


def feature_items(*rows: tuple[int, int, int]) -> bytes:
    """Items of vendor features: report id, usage, and size in bytes each (HID 1.11 section 6.2.2)."""
    return b"".join(
        bytes((0x85, number, 0x09, usage, 0x95, count, 0xB1, 0x02)) for number, usage, count in rows
    )
