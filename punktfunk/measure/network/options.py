"""What ``punktfunk loss`` can be asked: axes of a sweep, and the stream that goes through it."""

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from punktfunk.errors import Misuse
from punktfunk.measure.network.host_model import StreamSettings
from punktfunk.measure.network.link import LinkSettings
from punktfunk.wire.native.packet import FecScheme

WAYS: Final = ("model", "sockets", "netem")
SCHEMES: Final = {"gf16": FecScheme.GF16, "gf8": FecScheme.GF8}
MS: Final = 1_000_000
_CASES_MAX: Final = 500
_MODEL_KBPS_MAX: Final = 500_000
_SOCKETS_KBPS_MAX: Final = 200_000


@dataclass(frozen=True, slots=True)
class Case:
    """One point of the sweep."""

    link: LinkSettings
    fec_percent: int | None

    @property
    def clean(self) -> "Case":
        """Return the same with nothing lost, late or out of order: what latency is compared with."""
        link = self.link
        return Case(LinkSettings(link.rate_kbps, link.queue_ns, link.delay_ns), self.fec_percent)

    def words(self) -> str:
        """Say what the network does: what it does not do is left out."""
        link, said = self.link, []
        if link.loss_ppm:
            said.append(f"loss {link.loss_ppm / 10_000:g} %")
            said += [f"in bursts of {link.burst_packets}"] if link.burst_packets > 1 else []
        said += [f"reordered {link.reorder_ppm / 10_000:g} %"] if link.reorder_ppm else []
        said += [f"jitter {link.jitter_ns / MS:g} ms"] if link.jitter_ns else []
        said += [f"{link.rate_kbps / 1000:g} Mbit/s"] if link.rate_kbps else []
        return ", ".join(said) or "clean"


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Axes (every combination is a case), the stream, and how long each case lasts. Shares are in percent."""

    losses: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0)
    bursts: tuple[int, ...] = (1,)
    reorders: tuple[float, ...] = (0.0,)
    jitters_ms: tuple[float, ...] = (0.0,)
    rates_kbps: tuple[int, ...] = (100_000,)
    parities: tuple[int | None, ...] = (None,)
    bitrate_kbps: int = 20_000
    refresh_hz: int = 60
    scheme: str = "gf16"
    shard_bytes: int = 1408
    automatic: bool = False
    invalidate: bool = False
    smooth: bool = True
    delay_ms: float = 5.0
    queue_ms: float = 100.0
    seconds: float = 20.0
    seed: int = 1
    way: str = "model"

    def check(self) -> None:
        """Misuse for what cannot be: with the flag, its value, and what would do."""
        _one_of("--by", self.way, WAYS)
        _one_of("--scheme", self.scheme, tuple(SCHEMES))
        for flag, values, least, most in (
            ("--loss", self.losses, 0, 100),
            ("--burst", self.bursts, 1, 10_000),
            ("--reorder", self.reorders, 0, 100),
            ("--jitter", self.jitters_ms, 0, 1000),
            ("--rate", self.rates_kbps, 0, 100_000_000),
            ("--parity", [value for value in self.parities if value is not None], 0, 90),
            ("--bitrate", [self.bitrate_kbps], 500, self._most_kbps),
            ("--hz", [self.refresh_hz], 1, 1000),
            ("--shard-bytes", [self.shard_bytes], 512, 8908),
            ("--delay", [self.delay_ms], 0, 5000),
            ("--queue", [self.queue_ms], 0, 10_000),
            ("--seconds", [self.seconds], 0.5, 3600),
        ):
            for value in values:
                if not least <= value <= most:
                    raise Misuse(f"{flag} {value:g} is out of range", hint=f"It may be {least} to {most}.")
        if self.shard_bytes % 2:
            raise Misuse(f"--shard-bytes {self.shard_bytes} is odd", hint="Shards have an even size.")
        if self.way != "model" and self.automatic:
            raise Misuse("--automatic needs a host that encodes", hint="Use it with --by model.")
        count = len(list(self.cases()))
        if count > _CASES_MAX:
            raise Misuse(f"that makes {count} cases", hint=f"At most {_CASES_MAX}: leave some values out.")
        for case in self.cases():
            case.link.check()

    @property
    def _most_kbps(self) -> int:
        return _MODEL_KBPS_MAX if self.way == "model" else _SOCKETS_KBPS_MAX

    def cases(self) -> Iterator[Case]:
        """Every combination; bursts of nothing are left out."""
        for loss, burst, reorder, jitter, rate, parity in itertools.product(
            self.losses, self.bursts, self.reorders, self.jitters_ms, self.rates_kbps, self.parities
        ):
            if not loss and burst != self.bursts[0]:
                continue
            link = LinkSettings(
                rate_kbps=rate,
                queue_ns=round(self.queue_ms * MS),
                delay_ns=round(self.delay_ms * MS),
                jitter_ns=round(jitter * MS),
                loss_ppm=round(loss * 10_000),
                burst_packets=burst if loss else 1,
                reorder_ppm=round(reorder * 10_000),
            )
            yield Case(link, parity)

    def stream(self, case: Case) -> StreamSettings:
        """Return the stream of a case."""
        return StreamSettings(
            bitrate_kbps=self.bitrate_kbps,
            refresh_hz=self.refresh_hz,
            fec_percent=case.fec_percent,
            fec_scheme=SCHEMES[self.scheme],
            shard_bytes=self.shard_bytes,
            automatic=self.automatic,
            ceiling_kbps=max(self.bitrate_kbps, 100_000),
            smooth=self.smooth,
            can_invalidate=self.invalidate,
            audio_kbps=0,
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values, for reports."""
        return asdict(self)


def _one_of(flag: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise Misuse(f"{flag} {value} is not known", hint=f"Use one of {', '.join(known)}.")
