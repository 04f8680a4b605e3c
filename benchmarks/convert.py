"""Colour conversion: ``punktfunk bench convert``, whose body is ``punktfunk.measure.convert``."""

from benchmarks.measured import run

if __name__ == "__main__":
    run("convert")
