"""A recorded network: which packets of a session came, and when. No content, no addresses, no time of day.

    offset  size  field          meaning
    ------  ----  -------------  -----------------------------------------------------------------
         0     8  magic          ``PFRECORD``
         8     2  version        1, little-endian as all numbers
        10     2  reserved       0
        12     4  header_bytes   of the JSON that follows: the session's numbers, see ``Facts``
        16     -  header         UTF-8
         -     -  rows           one zlib stream to the end of the file

    row     size  field          meaning
    ------  ----  -------------  -----------------------------------------------------------------
         0     8  sequence       of the sealed datagram; what is missing between two rows was lost
         8     8  arrival_ns     since the first row
        16    40  header         of the packet (wire.native.packet), its pts counted from the first row's

Rows lie in the order of arrival. A shard's payload is not among them, nor is anything that names a person
or a machine, so a recording can be given away. Reading is bounded: a file says at most ``ROWS_MAX`` rows.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final, NamedTuple, Self

from punktfunk.errors import ConfigError, EnvironmentProblem, LocalProtocolError, RemoteProtocolError
from punktfunk.wire.native.blocks import FIELD_SHARDS, Geometry
from punktfunk.wire.native.packet import (
    HEADER_BYTES,
    USER_PROBE,
    FecScheme,
    Header,
    build_header,
    parse_packet,
)

MAGIC: Final = b"PFRECORD"
VERSION: Final = 1
ROWS_MAX: Final = 20_000_000
_HEAD: Final = Struct("<8sHHI")
_TIMES: Final = Struct("<Qq")
ROW_BYTES: Final = _TIMES.size + HEADER_BYTES
_HEADER_BYTES_MAX: Final = 4096
_SHARD_BYTES_AT: Final = 34
_CHUNK_BYTES: Final = ROW_BYTES * 4096
_WHERE: Final = "`punktfunk record FILE` writes them."


class Row(NamedTuple):
    """One packet that came."""

    sequence: int
    arrival_ns: int
    header: Header


@dataclass(frozen=True, slots=True)
class Facts:
    """The numbers of Welcome that say how frames were cut, and what the stream was to be."""

    shard_bytes: int
    data_max: int
    fec_scheme: int
    fec_percent: int
    bitrate_kbps: int
    refresh_hz: int

    def geometry(self) -> Geometry:
        """Return how a host with these numbers cuts frames."""
        return Geometry(self.shard_bytes, self.data_max, FecScheme(self.fec_scheme), self.fec_percent)

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Make them from a file's header; ConfigError for numbers that no session has."""
        names = [one.name for one in fields(cls)]
        known = isinstance(values, dict) and all(type(values.get(name)) is int for name in names)
        if not known:
            raise ConfigError("the recording's header lacks the session's numbers", hint=_WHERE)
        found = cls(**{name: values[name] for name in names})
        limits = (
            1 <= found.refresh_hz <= 1000,
            0 <= found.bitrate_kbps <= 10**8,
            found.fec_scheme in set(FecScheme),
        )
        if not all(limits) or not 1 <= found.data_max <= FIELD_SHARDS[FecScheme(found.fec_scheme)]:
            raise ConfigError(f"the recording's header has numbers that no session has: {found}", hint=_WHERE)
        try:
            found.geometry()
        except LocalProtocolError as error:
            raise ConfigError(f"the recording cannot be one: {error}", hint=_WHERE) from error
        return found


class Writer:
    """Writes a recording as packets come; a context manager. EnvironmentProblem where that fails."""

    def __init__(self, path: Path, facts: Facts) -> None:
        self._path = path
        self._deflate = zlib.compressobj(6)
        self._first: tuple[int, int] | None = None
        self.row_count = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("wb")
            text = json.dumps(asdict(facts)).encode()
            self._file.write(_HEAD.pack(MAGIC, VERSION, 0, len(text)) + text)
        except OSError as error:
            raise _unwritable(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self._file.write(self._deflate.flush())
            self._file.close()
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def write(self, rows: Iterable[Row]) -> None:
        """Append packets in the order of arrival; filler of probes is left out."""
        packed = bytearray()
        for sequence, arrival_ns, header in rows:
            if header.user_flags & USER_PROBE or self.row_count >= ROWS_MAX:
                continue
            if self._first is None:
                self._first = arrival_ns, header.pts_ns
            first_arrival_ns, first_pts_ns = self._first
            pts_ns = (header.pts_ns - first_pts_ns) % (1 << 64)
            packed += _TIMES.pack(sequence, arrival_ns - first_arrival_ns)
            packed += build_header(header._replace(pts_ns=pts_ns))
            self.row_count += 1
        try:
            self._file.write(self._deflate.compress(bytes(packed)))
        except OSError as error:
            raise _unwritable(self._path, error) from error


def _unwritable(path: Path, error: OSError) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"{path} cannot be written: {error.strerror}", hint="Name a file that you may write."
    )


def read(path: Path) -> tuple[Facts, list[Row]]:
    """Read a recording whole. ConfigError for a file that is none, or that is cut or damaged."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="Name a recording.") from error
    return parse(data, str(path))


def parse(data: bytes, source: str) -> tuple[Facts, list[Row]]:
    """Read a recording's bytes; ConfigError for what is none."""
    if len(data) < _HEAD.size:
        raise ConfigError(f"{source} is no recording of a network", hint=_WHERE)
    magic, version, _reserved, header_bytes = _HEAD.unpack_from(data)
    if magic != MAGIC or header_bytes > _HEADER_BYTES_MAX:
        raise ConfigError(f"{source} is no recording of a network", hint=_WHERE)
    if version != VERSION:
        raise ConfigError(
            f"{source} has version {version} of the format, not {VERSION}",
            hint="Read it with the punktfunk that wrote it.",
        )
    begin = _HEAD.size + header_bytes
    try:
        facts = Facts.from_json(json.loads(data[_HEAD.size : begin]))
        rows = [_row(packed) for packed in _rows(data[begin:])]
    except (ValueError, RecursionError, zlib.error, RemoteProtocolError) as error:
        raise ConfigError(f"{source} is damaged: {error}", hint="Record it again.") from error
    return facts, rows


def _rows(compressed: bytes) -> Iterator[bytes]:
    """Inflate piece by piece; ValueError where it ends in the middle, or never."""
    inflate = zlib.decompressobj()
    left, waiting, count = b"", compressed, 0
    while waiting and not inflate.eof:
        left += inflate.decompress(waiting, _CHUNK_BYTES)
        waiting = inflate.unconsumed_tail
        whole = len(left) // ROW_BYTES
        count += whole
        if count > ROWS_MAX:
            raise ValueError(f"more than {ROWS_MAX} packets")
        for place in range(whole):
            yield left[place * ROW_BYTES : (place + 1) * ROW_BYTES]
        left = left[whole * ROW_BYTES :]
    if left or not inflate.eof:
        raise ValueError("it ends in the middle")


def _row(packed: bytes) -> Row:
    sequence, arrival_ns = _TIMES.unpack_from(packed)
    return Row(sequence, arrival_ns, parse_header(packed[_TIMES.size :]))


def parse_header(text: bytes) -> Header:
    """Read the 40 bytes of a header without its shard; RemoteProtocolError for what is none."""
    shard_bytes = int.from_bytes(text[_SHARD_BYTES_AT : _SHARD_BYTES_AT + 2], "little")
    header, _payload = parse_packet(text + bytes(shard_bytes))
    return header


def rows_of_log(log: Iterable[Any]) -> Iterator[Row]:
    """Read rows of ``VideoReceiver.packets``: sequence, arrival, the header's bytes in five words, size."""
    for row in log:
        yield Row(int(row[0]), int(row[1]), parse_header(row[2:7].tobytes()))
