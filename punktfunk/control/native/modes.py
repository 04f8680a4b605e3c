"""When a client may have another mode, and which one it gets. Pure: times come in.

Spec: punktfunk-1 section 2.5, mode change.
"""

from dataclasses import dataclass
from typing import Final

from punktfunk.control.native.negotiate import requested_mode
from punktfunk.plan import Mode
from punktfunk.wire.native.control import Reconfigure, Reconfigured

LEAST_DISTANCE_NS: Final = 500_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a Reconfigure; ``mode`` is what to build, None where nothing is to be done."""

    answer: Reconfigured
    mode: Mode | None


class ModeDesk:
    """Answers one session's wishes for another mode. ``live`` is the mode that is shown now."""

    def __init__(self, live: Mode) -> None:
        self.live = live
        self._heading_for = live
        self._accepted_ns: int | None = None

    def ask(self, wish: Reconfigure, now_ns: int) -> Verdict:
        """Answer at once; what is accepted is built afterwards, the newest only."""
        mode = requested_mode(wish.width_px, wish.height_px, wish.refresh_hz)
        early = self._accepted_ns is not None and now_ns - self._accepted_ns < LEAST_DISTANCE_NS
        if mode is None or early:
            return Verdict(said(self.live, accepted=False), None)
        self._accepted_ns = now_ns
        changed = mode != self._heading_for
        self._heading_for = mode
        return Verdict(said(mode, accepted=True), mode if changed else None)

    def built(self, mode: Mode, *, more: bool = False) -> Reconfigured | None:
        """Note what is live after a rebuild; the correction to send where it is not what was promised.

        ``more``: a newer wish is being built already, and what is live now was never meant to stay.
        """
        self.live = mode
        # A compositor may show a millihertz less than it was asked for, which the wire cannot say.
        if more or said(mode, accepted=True) == said(self._heading_for, accepted=True):
            return None
        self._heading_for = mode
        return said(mode, accepted=True)


def said(mode: Mode, *, accepted: bool) -> Reconfigured:
    """Return the message that names a mode."""
    return Reconfigured(accepted, mode.width_px, mode.height_px, round(mode.refresh_millihertz / 1000))
