"""UDP: ``punktfunk bench send``, whose body is ``punktfunk.measure.send``."""

from benchmarks.measured import run

if __name__ == "__main__":
    run("send")
