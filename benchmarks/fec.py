"""Erasure codes: ``punktfunk bench fec``, whose body is ``punktfunk.measure.fec``."""

from benchmarks.measured import run

if __name__ == "__main__":
    run("fec")
