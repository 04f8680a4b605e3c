"""What goes through /dev/uhid: events with a type in front, packed, native byte order (linux/uhid.h).

    type  from    event            body
    ----  ------  ---------------  ------------------------------------------------------------------------
       1  us      destroy
       2  kernel  Started          u64 flags
       3  kernel  Stopped
       4  kernel  Opened
       5  kernel  Closed
       6  kernel  OutputReport     4096 data, u16 size, u8 kind
       9  kernel  FeatureAsked     u32 id, u8 report, u8 kind
      10  us      feature answer   u32 id, u16 error, u16 size, data
      11  us      create           128 name, 64 phys, 64 uniq, u16 descriptor size, u16 bus, u32 vendor,
                                   u32 product, version, country, descriptor
      12  us      input            u16 size, data
      13  kernel  ReportSet        u32 id, u8 report, u8 kind, u16 size, 4096 data
      14  us      set answer       u32 id, u16 error

The kernel takes an event that is cut short as one with zeros behind it.
"""

from dataclasses import dataclass
from errno import EIO
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Final

from punktfunk.errors import RemoteProtocolError
from punktfunk.wire.pads.hid import Identity

DATA_MAX: Final = 4096
EVENT_BYTES: Final = 4376
"""Size of struct uhid_event: its largest member is create2."""
OUTPUT_REPORT: Final = 1

_TYPE: Final = Struct("=I")
_CREATE: Final = Struct("=I128s64s64sHHIIII")
_INPUT: Final = Struct("=IH")
_OUTPUT_TAIL: Final = Struct("=HB")
_ASKED: Final = Struct("=IBB")
_ANSWER: Final = Struct("=IIHH")
_SET: Final = Struct("=IBBH")
_SET_ANSWER: Final = Struct("=IIH")


@dataclass(frozen=True, slots=True)
class Opened:
    """Somebody has opened the pad."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nobody has the pad open any more."""


@dataclass(frozen=True, slots=True)
class Started:
    """A driver has taken the pad."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The driver has let go of the pad."""


@dataclass(frozen=True, slots=True)
class OutputReport:
    """A report for the pad, its id first."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FeatureAsked:
    """A driver waits for a feature report; it gets ``build_feature_answer`` with this number."""

    number: int
    report_id: int


@dataclass(frozen=True, slots=True)
class ReportSet:
    """A driver sets a report and waits for ``build_set_answer``."""

    number: int
    is_output: bool
    data: bytes


UhidEvent = Opened | Closed | Started | Stopped | OutputReport | FeatureAsked | ReportSet
_PLAIN: Final[dict[int, UhidEvent]] = {2: Started(), 3: Stopped(), 4: Opened(), 5: Closed()}


def build_create(identity: Identity, place: str, unique: str) -> bytes:
    """Make a device. ``place`` (phys) says who made it, ``unique`` is its serial number."""
    head = _CREATE.pack(
        11,
        identity.name.encode()[:127],
        place.encode()[:63],
        unique.encode()[:63],
        len(identity.descriptor),
        identity.bus,
        identity.vendor,
        identity.product,
        identity.version,
        0,
    )
    return head + identity.descriptor


def build_destroy() -> bytes:
    """Take the device away."""
    return _TYPE.pack(1)


def build_input(report: bytes) -> bytes:
    """Hand in an input report."""
    return _INPUT.pack(12, len(report)) + report


def build_feature_answer(number: int, report: bytes | None) -> bytes:
    """Answer a FeatureAsked; None says that there is no such report."""
    return _ANSWER.pack(10, number, EIO if report is None else 0, len(report or b"")) + (report or b"")


def build_set_answer(number: int) -> bytes:
    """Answer a ReportSet: taken."""
    return _SET_ANSWER.pack(14, number, 0)


def parse_event(data: bytes) -> UhidEvent | None:
    """Read an event of the kernel; None for one of a kind that is not known. RemoteProtocolError if cut."""
    try:
        (kind,) = _TYPE.unpack_from(data)
        body = data[_TYPE.size :]
        if kind in _PLAIN:
            return _PLAIN[kind]
        if kind == 6:
            size, _kind = _OUTPUT_TAIL.unpack_from(body, DATA_MAX)
            return OutputReport(body[: min(size, DATA_MAX)])
        if kind == 9:
            return FeatureAsked(*_ASKED.unpack_from(body)[:2])
        if kind == 13:
            number, _report, rtype, size = _SET.unpack_from(body)
            return ReportSet(number, rtype == OUTPUT_REPORT, body[_SET.size :][: min(size, DATA_MAX)])
    except StructError as error:
        raise RemoteProtocolError(f"an event of uhid is cut: {len(data)} bytes") from error
    return None
