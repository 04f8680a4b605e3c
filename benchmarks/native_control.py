"""The QUIC control plane: 500 idle connections, handshakes, and floods beside a live connection.

Its body is ``punktfunk.measure.native_control``. The floor: 500 idle connections add less than 100 MB.
"""

from benchmarks.paired import run
from punktfunk.measure.native_control import Amount, rows

if __name__ == "__main__":
    run(lambda: list(rows(Amount())), __doc__)
