"""What a researcher's file imports: decorators that name a variant, and ways to reach memory by address.

    from punktfunk.realtime.lab import fec8, rows_at

    @fec8("mine")
    def encode(context, data, data_stride, parity, parity_stride, data_count, parity_count, shard_bytes):
        rows, sums = rows_at(data, data_count, data_stride), rows_at(parity, parity_count, parity_stride)
        ...
        return 0

Such a function is machine code that runs without the GIL: no Python object, no allocation, no exception.
``docs/lab.md`` explains every kind with its arguments. ``default_fec8`` and its like (``default_`` and a
kind) are the defaults, called like any function, with ``default_context(context)`` first.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, cast

import numba
from llvmlite import ir
from numba import types
from numba.extending import register_jitable

from punktfunk.errors import ConfigError
from punktfunk.realtime.kernels.jit import address_of_entry, entry, intrinsic
from punktfunk.realtime.kernels.layout import BAD_SIZE, CODE_OWN, UNSUPPORTED_SHAPE
from punktfunk.realtime.kernels.views import bytes_at, words_at
from punktfunk.realtime.variants import CODE_DEFAULT, Prepare

__all__ = [
    "BAD_SIZE",
    "UNSUPPORTED_SHAPE",
    "bytes_at",
    "decode",
    "default_context",
    "fec8",
    "fec16",
    "helper",
    "load_word",
    "own_word",
    "pace",
    "rows_at",
    "seal",
    "set_own_word",
    "store_word",
    "words_at",
]

Entry = Callable[..., int]
Decorator = Callable[[Entry], Entry]

_FEC: Final = (
    "context", "data", "data_stride", "parity", "parity_stride", "data_count", "parity_count", "shard_bytes",
)  # fmt: skip
ARGUMENTS: Final = {
    "fec8": _FEC,
    "fec16": _FEC,
    "seal": (
        "context", "rows", "stride", "count",
        "text_offset", "text_bytes", "tag_offset", "aad_bytes", "nonces",
    ),
    "pace": ("context", "start_ns", "window_ns", "first", "total"),
    "decode": ("context", "data_count", "parity_count", "missing_count", "shard_bytes"),
}  # fmt: skip
"""What a variant of each kind is called with: int64 all of them."""

DEFAULT_ENTRIES: Final = {
    "fec8": ("rs8", "encode"),
    "fec16": ("encode16", "encode"),
    "seal": ("evp", "seal"),
    "pace": ("pace", "deadline"),
    "decode": ("choose16", "choose"),
}
"""Kernel module and name of each default. Of several seals it is libcrypto's, which every CPU can run."""

_I64 = ir.IntType(64)


@dataclass(frozen=True, slots=True)
class Declared:
    """A variant as its file declares it, compiled."""

    kind: str
    name: str
    address: int
    prepare: Prepare | None


_declared: dict[str, list[Declared]] = {}


def declared(module_name: str) -> list[Declared]:
    """Variants that a module has declared so far; asked once it is imported."""
    return list(_declared.get(module_name, ()))


def fec8(name: str, *, prepare: Prepare | None = None) -> Decorator:
    """Declare an encoder of GameStream's code over GF(2^8)."""
    return _variant("fec8", name, prepare)


def fec16(name: str, *, prepare: Prepare | None = None) -> Decorator:
    """Declare an encoder of punktfunk/1's code over GF(2^16)."""
    return _variant("fec16", name, prepare)


def seal(name: str, *, prepare: Prepare | None = None) -> Decorator:
    """Declare an encryption of whole batches by AES-128-GCM."""
    return _variant("seal", name, prepare)


def pace(name: str, *, prepare: Prepare | None = None) -> Decorator:
    """Declare when the datagrams of a frame may leave."""
    return _variant("pace", name, prepare)


def decode(name: str, *, prepare: Prepare | None = None) -> Decorator:
    """Declare which decoder restores a block: 0 direct, 1 Cauchy, 2 full, 3 transposed."""
    return _variant("decode", name, prepare)


def _variant(kind: str, name: str, prepare: Prepare | None) -> Decorator:
    wanted = ARGUMENTS[kind]

    def decorate(function: Entry) -> Entry:
        given = tuple(inspect.signature(function).parameters)
        if len(given) != len(wanted):
            raise ConfigError(
                f"{function.__name__} takes {len(given)} arguments; a {kind} variant takes {len(wanted)}",
                hint=f"They are {', '.join(wanted)}.",
            )
        compiled = entry(f"int64({', '.join(['int64'] * len(wanted))})")(function)
        found = Declared(kind, name, address_of_entry(compiled), prepare)
        _declared.setdefault(function.__module__, []).append(found)
        return compiled

    return decorate


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let variants call ``function``: it becomes part of whatever calls it."""
    return cast("Callable[..., Any]", numba.njit(nogil=True, error_model="numpy")(function))


@intrinsic
def load_word(_typing: Any, _address: Any) -> Any:
    """Eight bytes from any address, as int64."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _I64.as_pointer()), align=1)

    return types.int64(types.int64), generate


@intrinsic
def store_word(_typing: Any, _address: Any, _value: Any) -> Any:
    """Write an int64 to any address."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], _I64.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@register_jitable  # type: ignore[untyped-decorator]
def rows_at(address: int, count: int, stride: int) -> Any:
    """Bytes at an address as an array (count, stride): row i begins at address + i * stride.

    Only the part of a row that the arguments name may be touched; what follows belongs to others.
    """
    return numba.carray(bytes_at(address), (count, stride))


@register_jitable  # type: ignore[untyped-decorator]
def default_context(context: int) -> int:
    """Return the context that the default gets: what to call ``default_fec8`` and its like with."""
    return load_word(context + 8 * CODE_DEFAULT)  # type: ignore[no-any-return]


@register_jitable  # type: ignore[untyped-decorator]
def own_word(context: int, index: int) -> int:
    """Word ``index`` of those that ``prepare`` answered: a number, or the address of an array."""
    return load_word(context + 8 * (CODE_OWN + index))  # type: ignore[no-any-return]


@register_jitable  # type: ignore[untyped-decorator]
def set_own_word(context: int, index: int, value: int) -> None:
    """Keep a number until the next call; one thread at a time calls with one context."""
    store_word(context + 8 * (CODE_OWN + index), value)


def __getattr__(name: str) -> Any:
    kind = name.removeprefix("default_")
    if kind == name or kind not in DEFAULT_ENTRIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, function = DEFAULT_ENTRIES[kind]
    return getattr(import_module(f"punktfunk.realtime.kernels.{module}"), function)
