"""How programs of this folder run a benchmark of the installed package: ``punktfunk bench NAME``."""

import sys

from punktfunk.cli import main


def run(name: str) -> None:
    """Do as ``punktfunk bench NAME`` with this program's flags."""
    sys.argv[1:1] = ["bench", name]
    main()
