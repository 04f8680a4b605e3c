"""The generated bindings are what the scanner makes of the protocol descriptions beside the generator."""

import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
GENERATOR = CHECKOUT / "scripts" / "generate_wayland.py"


@pytest.mark.skipif(
    not (CHECKOUT / "punktfunk").exists(), reason="beside the installed wheel; lint checks it"
)
def test_bindings_are_fresh():
    checked = subprocess.run(
        [sys.executable, str(GENERATOR), "--check"], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_bindings_share_the_core_classes():
    from pywayland.protocol.wayland import WlOutput

    from punktfunk.wire.wayland import wlr_screencopy_unstable_v1

    assert wlr_screencopy_unstable_v1.WlOutput is WlOutput
