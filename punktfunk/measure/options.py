"""What can be asked of each benchmark, checked before anything is measured.

Every class has only fields of plain values, so that it can be handed to a child process as JSON. ``check``
raises Misuse, which names the flag, its value, and what would do.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from punktfunk.errors import Misuse

Shape = tuple[int, int]

FIELDS: Final = ("gf16", "gf8")
DECODERS: Final = ("auto", "direct", "cauchy", "transposed", "full")
CIPHERS: Final = ("aes-128-gcm", "chacha20-poly1305")
IMPLEMENTATIONS: Final = ("auto", "evp", "aesni", "vaes")
PROTOCOLS: Final = ("punktfunk", "gamestream")

SHAPES: Final[Mapping[str, tuple[Shape, ...]]] = {
    "gf16": ((20, 4), (50, 10), (200, 40), (500, 100), (1000, 200)),
    "gf8": ((20, 4), (50, 10), (100, 20), (200, 40), (212, 43)),
}
"""What is measured where no --shape is given."""

_SHAPE = re.compile(r"(\d{1,5}):(\d{1,5})")
_FIELD_SHARDS: Final = {"gf8": 255, "gf16": 65536}


def parse_shape(text: str) -> Shape:
    """Read ``20:4``: data shards and parity shards."""
    match = _SHAPE.fullmatch(text)
    if match is None or "0" in (match[1].lstrip("0") or "0", match[2].lstrip("0") or "0"):
        raise Misuse(
            f"--shape {text} is no number of data and parity shards", hint="Write it like --shape 200:40."
        )
    return int(match[1]), int(match[2])


def parse_size(text: str) -> Shape:
    """Read ``1920x1080``: width and height in pixels."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None:
        raise Misuse(f"--size {text} is no size of a picture", hint="Write it like --size 1920x1080.")
    return int(match[1]), int(match[2])


def has_shape(field: str, shape: Shape) -> bool:
    """Whether a code over ``field`` has so many shards."""
    fewer, more = sorted(shape)
    if field == "gf16":
        fewer = 1 << (fewer - 1).bit_length()
    return fewer + more <= _FIELD_SHARDS[field]


def _one_of(flag: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise Misuse(f"{flag} {value} is not known", hint=f"Use one of {', '.join(known)}.")


def _between(flag: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise Misuse(f"{flag} {value} is out of range", hint=f"It may be {least} to {most}.")


class _Plain:
    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Make it from what JSON made of its fields: lists become tuples again."""
        return cls(**{key: _tuples(value) for key, value in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class FecOptions(_Plain):
    """Fields, shapes (data, parity), and how many data shards are lost; empty ones mean the usual."""

    fields: tuple[str, ...] = FIELDS
    shapes: tuple[Shape, ...] = ()
    losses: tuple[int, ...] = ()
    shard_bytes: int = 1408
    decoder: str = "auto"
    rounds: int = 40

    def check(self) -> None:
        """Misuse for what no code has."""
        for field in self.fields:
            _one_of("--field", field, FIELDS)
        _one_of("--decoder", self.decoder, DECODERS)
        _between("--shard-bytes", self.shard_bytes, 2, 1 << 20)
        _between("--rounds", self.rounds, 5, 100_000)
        if "gf16" in self.fields and self.shard_bytes % 2:
            raise Misuse(
                f"--shard-bytes {self.shard_bytes} is odd",
                hint="GF(2^16) needs an even number; or --field gf8.",
            )
        for data_count, parity_count in self.shapes:
            for loss in self.losses:
                _between(f"--losses of {data_count}:{parity_count}", loss, 1, min(data_count, parity_count))
        for shape in self.shapes:
            if not any(has_shape(field, shape) for field in self.fields):
                raise Misuse(
                    f"--shape {shape[0]}:{shape[1]} is more than a code over {' or '.join(self.fields)} has",
                    hint="gf8: together at most 255. gf16: the smaller, rounded up to a power of two, plus "
                    "the larger at most 65536.",
                )

    def shapes_of(self, field: str) -> tuple[Shape, ...]:
        """Shapes to measure over one field."""
        chosen = self.shapes or SHAPES[field]
        return tuple(shape for shape in chosen if has_shape(field, shape))

    def losses_of(self, shape: Shape) -> tuple[int, ...]:
        """Numbers of lost data shards to measure: one, a quarter of the parity, all of it."""
        most = min(shape)
        usual = {1, max(1, most // 4), most}
        return tuple(loss for loss in sorted(set(self.losses) or usual) if loss <= most)


@dataclass(frozen=True, slots=True)
class SealOptions(_Plain):
    """Sizes of a packet's plaintext, ciphers, and ways to compute them; ``auto`` is all that the CPU has."""

    text_bytes: tuple[int, ...] = (1408,)
    ciphers: tuple[str, ...] = CIPHERS
    implementations: tuple[str, ...] = ("auto",)
    rounds: int = 40

    def check(self) -> None:
        """Misuse for sizes that no packet has, and unknown names."""
        for size in self.text_bytes:
            _between("--bytes", size, 1, 65_000)
        for cipher in self.ciphers:
            _one_of("--cipher", cipher, CIPHERS)
        for implementation in self.implementations:
            _one_of("--implementation", implementation, IMPLEMENTATIONS)
        _between("--rounds", self.rounds, 5, 100_000)


@dataclass(frozen=True, slots=True)
class RingOptions(_Plain):
    """How many items go from thread to thread, and how many wake-ups are timed."""

    items: int = 5_000_000
    wakes: int = 2000
    rounds: int = 5
    priority: int = 20

    def check(self) -> None:
        """Misuse for numbers that measure nothing, or never end."""
        _between("--items", self.items, 10_000, 1_000_000_000)
        _between("--wakes", self.wakes, 100, 100_000)
        _between("--rounds", self.rounds, 3, 1000)
        _between("--priority", self.priority, 0, 99)


@dataclass(frozen=True, slots=True)
class SendOptions(_Plain):
    """Size of a datagram, how many are handed to the system at once, and whether a thread receives them."""

    datagram_bytes: int = 1400
    batch: int = 46
    rounds: int = 40
    receive: bool = False
    ipv6: bool = False

    def check(self) -> None:
        """Misuse for more than one call of the system takes."""
        _between("--bytes", self.datagram_bytes, 16, 65_000)
        _between("--rounds", self.rounds, 5, 100_000)
        _between("--batch", self.batch, 2, 64)
        if self.batch * self.datagram_bytes > 65_000:
            raise Misuse(
                f"--batch {self.batch} of --bytes {self.datagram_bytes} is more than 65000 bytes",
                hint=f"With that size use --batch {65_000 // self.datagram_bytes} at most.",
            )


@dataclass(frozen=True, slots=True)
class FrameOptions(_Plain):
    """Frames of so many bytes, so many a second, with so much parity, beside what else the host may do."""

    frame_bytes: int = 700_000
    rate: int = 240
    frames: int = 960
    percent: int = 20
    protocol: str = "punktfunk"
    hog: bool = True
    priority: int = 20
    cpu: int = -1  # the last that this process may use
    rounds: int = 60

    def check(self) -> None:
        """Misuse for frames that no sender takes, and CPUs that are not ours."""
        _one_of("--protocol", self.protocol, PROTOCOLS)
        _between("--bytes", self.frame_bytes, 1000, 4_000_000)
        _between("--rate", self.rate, 1, 2000)
        _between("--frames", self.frames, 10, 1_000_000)
        _between("--percent", self.percent, 0, 90 if self.protocol == "punktfunk" else 255)
        _between("--priority", self.priority, 0, 99)
        _between("--rounds", self.rounds, 5, 100_000)
        usable = sorted(os.sched_getaffinity(0))
        if self.cpu != -1 and self.cpu not in usable:
            raise Misuse(
                f"--cpu {self.cpu} is not one that this process may use",
                hint=f"Use one of {', '.join(map(str, usable))}.",
            )

    @property
    def pinned_cpu(self) -> int:
        """CPU that the sending thread is pinned to."""
        return max(os.sched_getaffinity(0)) if self.cpu == -1 else self.cpu


@dataclass(frozen=True, slots=True)
class ThroughputOptions(_Plain):
    """A stream from a sender to a receiver on this machine, for so long and with so much lost on the way."""

    rate_mbps: int = 1400  # of access units
    refresh_hz: int = 240
    percent: int = 20
    loss_percent: float = 1.0
    seconds: int = 5
    highest: bool = True  # also look for the highest rate at which nothing is lost
    priority: int = 20

    def check(self) -> None:
        """Misuse for streams that no session has."""
        _between("--rate", self.rate_mbps, 1, 20_000)
        _between("--refresh", self.refresh_hz, 1, 1000)
        _between("--percent", self.percent, 0, 90)
        _between("--seconds", self.seconds, 1, 3600)
        _between("--priority", self.priority, 0, 99)
        if not 0 <= self.loss_percent <= 100:
            raise Misuse(f"--loss {self.loss_percent} is out of range", hint="It may be 0 to 100 percent.")
        if self.rate_mbps * 125_000 // self.refresh_hz > 16_000_000:
            raise Misuse(
                f"--rate {self.rate_mbps} at --refresh {self.refresh_hz} makes frames of more than 16 MB",
                hint="Use a lower rate, or more frames a second.",
            )


@dataclass(frozen=True, slots=True)
class SessionOptions(_Plain):
    """How long streams are watched; how many modes, clock series and turns of floods are tried."""

    seconds: int = 20
    changes: int = 12
    series: int = 60
    flood_rounds: int = 3
    flood_seconds: int = 5

    def check(self) -> None:
        """Misuse for numbers that measure nothing, or never end."""
        _between("--seconds", self.seconds, 2, 3600)
        _between("--changes", self.changes, 1, 1000)
        _between("--series", self.series, 1, 400)
        _between("--flood-rounds", self.flood_rounds, 1, 100)


@dataclass(frozen=True, slots=True)
class DisplaysOptions(_Plain):
    """Which desktop sessions, how long each is captured, how many clients dial it."""

    sessions: tuple[str, ...] = ("sway", "gnome")
    seconds: int = 10
    connects: int = 8

    def check(self) -> None:
        """Misuse for sessions that do not exist and numbers that measure nothing, or never end."""
        for name in self.sessions:
            _one_of("--session", name, ("sway", "gnome", "plasma"))
        _between("--seconds", self.seconds, 1, 3600)
        _between("--connects", self.connects, 1, 1000)


@dataclass(frozen=True, slots=True)
class ConvertOptions(_Plain):
    """Sizes of the pictures that are converted."""

    sizes: tuple[Shape, ...] = ((1920, 1080),)
    rounds: int = 40

    def check(self) -> None:
        """Misuse for sizes that no display has."""
        for size in self.sizes:
            for side in size:
                _between("--size", side, 16, 8192)
        _between("--rounds", self.rounds, 5, 100_000)


Options = (
    FecOptions
    | SealOptions
    | RingOptions
    | SendOptions
    | FrameOptions
    | ThroughputOptions
    | SessionOptions
    | DisplaysOptions
    | ConvertOptions
)
KINDS: Final[Mapping[str, type[Options]]] = {
    "fec": FecOptions,
    "seal": SealOptions,
    "ring": RingOptions,
    "send": SendOptions,
    "frame": FrameOptions,
    "throughput": ThroughputOptions,
    "session": SessionOptions,
    "displays": DisplaysOptions,
    "convert": ConvertOptions,
}
"""Options of each benchmark, by its name."""
