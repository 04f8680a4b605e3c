"""Recordings of a host and a client put on one clock, frame by frame.

That clock is the host's CLOCK_REALTIME, as pts is: a host's stamps move by its own difference between the two
clocks at the time of writing, a client's also by the offset that it had measured when the frame came.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from punktfunk.control.flight import CLIENT_COLUMNS, FORMAT, HOST_COLUMNS, VERSION
from punktfunk.errors import ConfigError

COLUMNS: Final = {"host": HOST_COLUMNS, "client": CLIENT_COLUMNS}
HOST_STAMPS: Final = {
    "captured": "captured_ns",
    "begun": "begun_ns",
    "encoded": "encoded_ns",
    "first_sent": "first_sent_ns",
    "last_sent": "last_sent_ns",
}
CLIENT_STAMPS: Final = {
    "first_received": "first_ns",
    "complete": "complete_ns",
    "taken": "taken_ns",
    "decoded": "decoded_ns",
    "presented": "presented_ns",
}
_FACTS: Final = (
    "frame_index", "frame_bytes", "packets", "parity_percent", "send_thread", "send_cpu", "user_flags",
    "data_packets", "recovered", "shown", "decode_thread", "decode_cpu",
)  # fmt: skip
_RECORDING_BYTES_MAX: Final = 256 << 20
_CELL_MOST: Final = 1 << 63


@dataclass(slots=True)
class Flight:
    """One frame: when it passed each stage (ns of the host's CLOCK_REALTIME), and what is known of it."""

    pts_ns: int
    stamps: dict[str, int] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)

    def span_ns(self, begin: str, end: str) -> int | None:
        """Time between two stamps; None where one is missing."""
        if begin not in self.stamps or end not in self.stamps:
            return None
        return self.stamps[end] - self.stamps[begin]

    @property
    def total_ns(self) -> int:
        """From the capture to the last stamp that it has."""
        return max(self.stamps.values()) - self.stamps.get("captured", self.pts_ns) if self.stamps else 0


def read_recordings(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Read files; each holds a recording, or ``{"recordings": [..]}``. ConfigError for what is none."""
    found: list[dict[str, Any]] = []
    for path in paths:
        try:
            if path.stat().st_size > _RECORDING_BYTES_MAX:
                raise ConfigError(f"{path} is too large for a flight recording", hint="Is it one?")
            values = json.loads(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="Name a file.") from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path} is no flight recording: no JSON", hint=_WHERE) from error
        entries = (
            values.get("recordings") if isinstance(values, dict) and "recordings" in values else [values]
        )
        if not isinstance(entries, list):
            raise ConfigError(f"{path} is no flight recording", hint=_WHERE)
        found += [check_recording(entry, str(path)) for entry in entries]
    return found


_WHERE: Final = "`punktfunk why-late --save FILE` and `punktfunk connect --flight FILE` write them."


def check_recording(values: Any, source: str) -> dict[str, Any]:
    """Return a recording that is one; ConfigError otherwise."""
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ConfigError(f"{source} is no flight recording", hint=_WHERE)
    if values.get("version") != VERSION:
        raise ConfigError(
            f"{source} has version {str(values.get('version'))[:20]} of the format, not {VERSION}",
            hint="Read it with the punktfunk that wrote it.",
        )
    side, columns, rows = values.get("side"), values.get("columns"), values.get("rows")
    if side not in COLUMNS or columns != list(COLUMNS[side]) or not isinstance(rows, list):
        raise ConfigError(f"{source} has other columns than a flight recording", hint=_WHERE)
    numbers = [values.get("monotonic_ns"), values.get("realtime_ns")]
    whole = all(isinstance(row, list) and len(row) == len(columns) for row in rows)
    if (
        not whole
        or not all(map(_is_number, numbers))
        or not all(_is_number(cell) for row in rows for cell in row)
    ):
        raise ConfigError(f"{source} has rows that are no numbers", hint=_WHERE)
    return values


def _is_number(cell: Any) -> bool:
    return type(cell) is int and -_CELL_MOST <= cell < _CELL_MOST


def join(recordings: Sequence[Mapping[str, Any]]) -> list[Flight]:
    """Put all recordings on one clock, frames in the order of their capture."""
    flights: dict[int, Flight] = {}
    for recording in recordings:
        stamps = HOST_STAMPS if recording["side"] == "host" else CLIENT_STAMPS
        shift_ns = recording["realtime_ns"] - recording["monotonic_ns"]
        for cells in recording["rows"]:
            row = dict(zip(recording["columns"], cells, strict=True))
            flight = flights.setdefault(row["pts_ns"], Flight(row["pts_ns"]))
            offset_ns = shift_ns + row.get("offset_ns", 0)
            flight.stamps |= {name: row[column] + offset_ns for name, column in stamps.items() if row[column]}
            flight.facts |= {name: row[name] for name in _FACTS if name in row}
    return [flights[pts_ns] for pts_ns in sorted(flights)]
