"""Which computing kernels answer otherwise than their twins; ``checks`` has one file for each."""

from collections.abc import Iterable
from importlib import import_module
from typing import Final

import numpy as np

_SEED: Final = 20240229


def differing(names: Iterable[str]) -> list[str]:
    """Those of these checks that fail; empty when all is well."""
    modules = ((name, import_module(f"punktfunk.realtime.checks.{name}")) for name in names)
    return [name for name, module in modules if not module.agrees(np.random.default_rng(_SEED))]
