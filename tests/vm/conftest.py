"""Tests of the virtual machine use the peers' hosts and clients."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "peers"))
