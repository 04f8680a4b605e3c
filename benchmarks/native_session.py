"""Whole sessions of punktfunk/1: ``punktfunk bench session``, whose body is ``punktfunk.measure.session``."""

from benchmarks.measured import run

if __name__ == "__main__":
    run("session")
