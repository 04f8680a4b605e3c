"""``python -m punktfunk.measure.session_host UNITS``: the host of ``punktfunk bench session``.

It is the product's, settings from the environment as ever, with one difference where UNITS names a file: its
test card is not drawn and encoded, but a circle of access units that were encoded before
(`measure.session_units`), so that no encoder's time is in what is measured.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio

from punktfunk.config_loading import load_settings
from punktfunk.control import host
from punktfunk.control.displays import testcard
from punktfunk.control.displays.base import VirtualOutput
from punktfunk.log import set_up_logging
from punktfunk.measure.session_units import read_units
from punktfunk.plan import Mode, PreparedSource


class PreparedCard(testcard.Testcard):
    """A test card whose pictures were encoded before; its mode only says how fast they follow."""

    def __init__(self, units: tuple[bytes, ...]) -> None:
        super().__init__()
        self._units = units

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:
        """Describe the card: the units, at the rate of ``mode``."""
        async with super().create(mode, identity) as output:
            yield replace(output, source=PreparedSource(mode, self._units))

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Describe the card at another rate."""
        changed = await super().change_mode(output, mode)
        return replace(changed, source=PreparedSource(mode, self._units))


def main() -> None:
    """Serve until told to stop."""
    if sys.argv[1]:
        units = read_units(Path(sys.argv[1]))
        vars(testcard)["Testcard"] = lambda **_settings: PreparedCard(units)
    settings = load_settings().settings
    set_up_logging(settings.log_level)
    trio.run(partial(host.serve, settings, report=partial(print, flush=True)))


if __name__ == "__main__":
    main()
