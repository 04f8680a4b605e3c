"""Authenticated encryption: ``punktfunk bench seal``, whose body is ``punktfunk.measure.seal``."""

from benchmarks.measured import run

if __name__ == "__main__":
    run("seal")
