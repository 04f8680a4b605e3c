"""Faults are done to the same hosts and clients as in ``tests/peers``: its harness is used from here."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "peers"))
