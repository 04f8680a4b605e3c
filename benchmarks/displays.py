"""Desktop sessions: ``punktfunk bench displays``, whose body is ``punktfunk.measure.displays``."""

from benchmarks.measured import run

if __name__ == "__main__":
    run("displays")
