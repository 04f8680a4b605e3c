"""Which code seals and opens with AES-128-GCM on this CPU. Imports no Numba.

    name   module       wants
    -----  -----------  ----------------------------------------------------------------------
    vaes   gcm_vaes     VAES, VPCLMULQDQ and AVX2: two blocks in a register
    aesni  gcm_aesni    AES-NI, PCLMULQDQ and SSSE3: one block in a register
    evp    evp          libcrypto, which is always there; every other algorithm goes by it too

The choice has nothing to do with the SIMD mode of the other kernels. A kernel must never be compiled for a
CPU without its instructions: LLVM would end the process.
"""

import os
from functools import cache
from typing import Final

from punktfunk.errors import ConfigError
from punktfunk.realtime.kernels.cache import cpu_lines

SEAL_VARIABLE: Final = "PUNKTFUNK_SEAL"
SEAL_MODULES: Final = {"vaes": "gcm_vaes", "aesni": "gcm_aesni", "evp": "evp"}
"""Kernel module of each implementation."""

_NEEDS: Final = {"vaes": {"vaes", "vpclmulqdq", "avx2"}, "aesni": {"aes", "pclmulqdq", "ssse3"}}
# With these Numba compiles for another CPU than this one, of which we know no flags.
_OTHER_CPU: Final = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")


def runnable_for(flags: frozenset[str]) -> tuple[str, ...]:
    """Name the implementations that a CPU with these flags of /proc/cpuinfo can run, the fastest first."""
    aesni = _NEEDS["aesni"] <= flags
    vaes = aesni and _NEEDS["vaes"] <= flags
    return *(("vaes",) if vaes else ()), *(("aesni",) if aesni else ()), "evp"


@cache
def runnable_seals() -> tuple[str, ...]:
    """Name the implementations that this CPU can run, the fastest first; ``evp`` is always the last."""
    if any(os.environ.get(name) for name in _OTHER_CPU):
        return ("evp",)
    return runnable_for(cpu_lines()[1])


@cache
def seal_choice() -> str:
    """Name the implementation to use: the fastest, or the one that ``PUNKTFUNK_SEAL`` forces.

    ConfigError for a name that is none, or that this CPU cannot run.
    """
    runnable = runnable_seals()
    forced = os.environ.get(SEAL_VARIABLE, "")
    if forced and forced not in runnable:
        what = "does not run on this CPU" if forced in SEAL_MODULES else "is no way to seal"
        raise ConfigError(f"{SEAL_VARIABLE}={forced} {what}", hint=f"Use one of {', '.join(runnable)}.")
    return forced or runnable[0]
