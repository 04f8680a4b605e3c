#!/usr/bin/env python3
"""Writes the bindings under punktfunk/wire/wayland from the protocol descriptions in scripts/wayland.

pywayland brings the bindings of every protocol of wayland-protocols; only those of wlroots, of the virtual
keyboard and of KDE are ours to make. Their XML came with the crates wayland-protocols-wlr and
wayland-protocols-misc, both 0.3.12, and with plasma-wayland-protocols 1.21.0 (each file carries its own
notice, which the scanner copies into the binding). With ``--check`` nothing is written and the exit status is
1 if a binding is not what the scanner makes of its XML.
"""

import inspect
import sys
import tempfile
from pathlib import Path

from pywayland.protocol import wayland as core
from pywayland.protocol_core import Interface
from pywayland.scanner.protocol import Protocol

ROOT = Path(__file__).resolve().parent.parent
DESCRIPTIONS = ROOT / "scripts" / "wayland"
BINDINGS = ROOT / "punktfunk" / "wire" / "wayland"


def core_interfaces() -> dict[str, str]:
    """Map each interface of the core protocol to the module that holds it."""
    return {
        value.name: "wayland"
        for _, value in inspect.getmembers(core, inspect.isclass)
        if issubclass(value, Interface) and value is not Interface
    }


def generate(folder: Path) -> None:
    """Write one module for each description into ``folder``."""
    protocols = [Protocol.parse_file(str(path)) for path in sorted(DESCRIPTIONS.glob("*.xml"))]
    homes = core_interfaces() | {
        interface.name: protocol.name for protocol in protocols for interface in protocol.interface
    }
    for protocol in protocols:
        protocol.output(str(folder), homes)
    for path in folder.glob("*.py"):
        # One WlOutput class must serve every protocol, or objects of one cannot be passed to another.
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace("from .wayland import", "from pywayland.protocol.wayland import"), encoding="utf-8"
        )


def main() -> int:
    """Generate, or check what was generated."""
    if "--check" not in sys.argv[1:]:
        generate(BINDINGS)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = [
            path.name
            for path in sorted(Path(scratch).glob("*.py"))
            if not (BINDINGS / path.name).exists() or (BINDINGS / path.name).read_bytes() != path.read_bytes()
        ]
    for name in stale:
        print(f"{BINDINGS / name} is stale: run scripts/generate_wayland.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
