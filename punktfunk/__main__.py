"""``python -m punktfunk`` is the command ``punktfunk``."""

from punktfunk.cli import main

main()
