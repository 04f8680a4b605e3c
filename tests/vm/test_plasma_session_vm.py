"""``serve --session plasma`` in the virtual machine: a Plasma of the host's own, with nothing started before it."""

import os
import sys
from pathlib import Path

import pytest
from harness import Host, paired
from launching import list_apps, said, wait_for, wait_to_hear
from vm_pictures import COMPILED, barcodes, streaming

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]
PAINTER = Path(__file__).resolve().parents[1] / "peers" / "painter.py"


def kwins():
    """Pids of living KWins."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().startswith("kwin_wayland") and "Z" not in (
                (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
            ):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_a_plasma_of_our_own_is_streamed_and_ends_with_the_host(tmp_path):
    before = kwins()
    list_apps(tmp_path, Painter=[sys.executable, str(PAINTER), "--pause", "0.5"])
    variables = {"XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"], **COMPILED}
    with Host(
        tmp_path, display="auto", PUNKTFUNK_SESSION="plasma", LIBGL_ALWAYS_SOFTWARE="1", **variables
    ) as host:
        print("\n".join(host.lines.seen))
        assert len(kwins()) == len(before) + 1
        with paired(tmp_path, host):
            pass
        with streaming(tmp_path, host, "Painter", width=640, height=360, fps=15) as client:
            assert len(barcodes(client, at_least=5)) >= 5
            wait_to_hear(host, "mode 640x360", seconds=5)
            print(said(host))
            client("save", path="/work/shots/own-plasma.png")
            client("stop")
            client("quit")
        host.stop()
    wait_for(lambda: kwins() == before, "KWin has ended", 60)
