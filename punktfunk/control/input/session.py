"""All input of one session: desk and pads behind one injector, and what games ask of the pads.

keys, text, mouse -> the desk: EIS, compositor or uinput (``choice``)
touch, pen        -> the desk, else devices of the kernel on this output, else as a mouse
pads              -> ``punktfunk.control.pads``
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

import trio

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.input.base import Injector
from punktfunk.control.input.choice import AUTO, open_desk_input
from punktfunk.control.input.contacts import ContactsAsMouse
from punktfunk.control.pads.hub import PAD_EVENTS, PadHub, PadMeans, Tell, open_pads
from punktfunk.errors import EnvironmentProblem
from punktfunk.wire.input import NO_MODIFIERS, InputEvent, Key, Pen, Touch

PRIVATE_SWAY: Final = "sway"
"""A sway of our own has no seat, so it reads no devices."""
LAYOUT, SCANCODE = "layout", "scancode"
KEYBOARDS: Final = (LAYOUT, SCANCODE)
"""What a key means: ``layout`` takes the client's word for the character; ``scancode`` is the key's place on
the keyboard and nothing else, as games want it."""


def _say_nothing(_line: str) -> None:
    """Drop a line."""


@dataclass(frozen=True, slots=True)
class InputMeans:
    """What every session's input uses: the settings ``input``, ``keyboard`` and ``pads``."""

    setting: str = AUTO
    keyboard: str = LAYOUT
    pads: PadMeans = field(default_factory=PadMeans)
    report: Callable[[str], None] = _say_nothing

    def told_to(self, report: Callable[[str], None]) -> "InputMeans":
        """Return the same for one session, whose lines go elsewhere."""
        return replace(self, pads=replace(self.pads, report=report), report=report)


class SessionInput:
    """See ``Injector``: hands each event to who can make it real."""

    def __init__(self, desk: Injector, hub: PadHub, *, scancodes: bool = False) -> None:
        self.injected = desk.injected
        self.unsupported = desk.unsupported
        self.pads = hub
        self._desk, self._hub = desk, hub
        self._contacts: Injector | None = None
        self._scancodes = scancodes
        handles = getattr(desk, "handles", None)
        self._desk_takes = frozenset((Touch, Pen)) if handles is None else handles
        self._mouse = ContactsAsMouse(desk.inject)

    def inject(self, event: InputEvent) -> None:
        """See ``Injector``."""
        if isinstance(event, PAD_EVENTS):
            counter = self.injected if self._hub.inject(event) else self.unsupported
            counter[type(event).__name__] += 1
        elif isinstance(event, Touch | Pen) and type(event) not in self._desk_takes:
            self._contact(event)
        elif isinstance(event, Key) and self._scancodes:
            self._desk.inject(replace(event, normalised=True, modifiers=NO_MODIFIERS))
        else:
            self._desk.inject(event)

    def release_all(self) -> None:
        """See ``Injector``."""
        self._mouse.release()
        if self._contacts is not None:
            self._contacts.release_all()
        self._desk.release_all()
        self._hub.release_all()

    def use_contacts(self, contacts: Injector | None) -> None:
        """Give touch and pen devices of their own, or take them away; what is down goes up first."""
        self._mouse.release()
        if self._contacts is not None:
            self._contacts.release_all()
        self._contacts = contacts

    def _contact(self, event: Touch | Pen) -> None:
        if self._contacts is not None:
            self._contacts.inject(event)
        elif isinstance(event, Touch):
            self._mouse.touch(event)
        else:
            self._mouse.pen(event)
        self.injected[type(event).__name__] += 1


@asynccontextmanager
async def open_session_input(
    output: VirtualOutput, means: InputMeans, owner: str, tell: Tell
) -> AsyncGenerator[SessionInput]:
    """Open everything; ``tell`` gets what games ask of the pads of ``owner``.

    Raises EnvironmentProblem if there is no way to press keys in the output. At the end, everything held is
    released.
    """
    async with (
        open_desk_input(output, means.setting, means.report) as desk,
        open_pads(means.pads, owner, tell) as hub,
        trio.open_nursery() as nursery,
    ):
        joined = SessionInput(desk, hub, scancodes=means.keyboard == SCANCODE)
        # Beside the session: a compositor takes its time to notice devices, and nobody waits for a pen.
        nursery.start_soon(_hold_contacts, joined, output, desk)
        try:
            yield joined
        finally:
            joined.release_all()
            nursery.cancel_scope.cancel()


async def _hold_contacts(joined: SessionInput, output: VirtualOutput, desk: Injector) -> None:
    """Make touchscreen and pen for a desk without, if its compositor sees them; it must not be a guess."""
    handles = getattr(desk, "handles", None)
    has_seat = output.ipc_socket_path is not None and output.backend != PRIVATE_SWAY
    if handles is None or {Touch, Pen} <= handles or not has_seat:
        return
    from punktfunk.control.input.uinput.injector import CONTACT_DEVICES, open_devices
    from punktfunk.control.input.uinput.sway_map import map_devices

    with suppress(EnvironmentProblem):
        async with open_devices(CONTACT_DEVICES) as devices:
            if await map_devices(output, CONTACT_DEVICES):
                joined.use_contacts(devices)
                try:
                    await trio.sleep_forever()
                finally:
                    joined.use_contacts(None)
