"""Variants that punktfunk ships beside its defaults: names for what a default chooses from by itself."""

from collections.abc import Iterator

from punktfunk.errors import Misuse
from punktfunk.realtime.variants import DEFAULT, DEFAULT_NUMBER, KINDS, SHIPPED, Variant


def shipped_variants() -> Iterator[tuple[str, str, int]]:
    """Kind, name and number of everything that punktfunk has itself, the defaults first."""
    for kind in KINDS:
        yield kind, DEFAULT, DEFAULT_NUMBER
        for name, number in SHIPPED.get(kind, {}).items():
            yield kind, name, number


def is_shipped(kind: str, name: str) -> bool:
    """Tell whether punktfunk has a variant of that name itself."""
    return name in SHIPPED.get(kind, {})


def load_shipped(kind: str, name: str) -> Variant:
    """Load it from punktfunk's own kernels; Misuse for a seal that this CPU cannot run."""
    address = _seal(name) if kind == "seal" else _decoder(name)
    return Variant(kind, name, SHIPPED[kind][name], address)


def _seal(name: str) -> int:
    from punktfunk.realtime.ciphers import seal_addresses
    from punktfunk.realtime.kernels.seal_choice import runnable_seals

    if name not in runnable_seals():
        raise Misuse(f"seal {name} does not run on this CPU", hint=f"It runs {', '.join(runnable_seals())}.")
    return seal_addresses(name)[0]


def _decoder(name: str) -> int:
    from punktfunk.realtime.kernels.jit import address_of_entry
    from punktfunk.realtime.workshop import decoders

    return address_of_entry(getattr(decoders, name))
