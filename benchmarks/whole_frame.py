"""Whole frames, also in turns with Python: ``punktfunk bench frame``, body in ``punktfunk.measure.frame``."""

from benchmarks.measured import run

if __name__ == "__main__":
    run("frame")
