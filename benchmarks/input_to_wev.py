"""Input from its packet to a program: p99 below 5 ms on a quiet machine.

Its body is ``punktfunk.measure.input_path``: a datagram in, a line of wev out. Not as root: sway refuses.
"""

from benchmarks.paired import run
from punktfunk.measure.input_path import InputOptions, rows

if __name__ == "__main__":
    run(lambda: list(rows(InputOptions())), __doc__)
