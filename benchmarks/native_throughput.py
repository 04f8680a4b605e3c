"""punktfunk/1 over loopback: ``punktfunk bench throughput``; its body is ``punktfunk.measure.throughput``."""

from benchmarks.measured import run

if __name__ == "__main__":
    run("throughput")
