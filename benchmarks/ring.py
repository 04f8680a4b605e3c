"""Rings and wake-ups: ``punktfunk bench ring``, whose body is ``punktfunk.measure.ring``."""

from benchmarks.measured import run

if __name__ == "__main__":
    run("ring")
