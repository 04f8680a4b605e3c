"""Run the kernel tests once more in every SIMD mode of this CPU that a plain run does not use, side by side.

    python scripts/run_modes.py              all other modes
    python scripts/run_modes.py -k leopard   what follows goes to pytest

Each mode compiles its own kernels first, which takes about a minute of CPU time; they stay in the cache.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack

from punktfunk import realtime


def main(words: list[str]) -> int:
    """Print what each run printed, one after the other; the exit status of the last that failed."""
    modes = [mode for mode in realtime.runnable_modes() if mode != realtime.simd_mode()]
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "--color=no",
        "-p",
        "no:cacheprovider",
        "-m",
        "simd and not slow",
    ]
    with ExitStack() as stack:
        runs = []
        for mode in modes:
            output = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
            environment = os.environ | {"PUNKTFUNK_SIMD": mode}
            child = subprocess.Popen([*pytest, *words], env=environment, stdout=output, stderr=output)
            runs.append((mode, output, stack.enter_context(child)))
        status = 0
        for mode, output, child in runs:
            status = child.wait() or status
            output.seek(0)
            print(f"--- {mode} ---\n{output.read()}", flush=True)
    return status


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        sys.exit()
    sys.exit(main(sys.argv[1:]))
