"""All input of one session: desk and pads behind one injector, and what games ask of the pads.

keys, text, mouse -> the desk: EIS, compositor or uinput (``choice``)
touch, pen        -> the desk, else devices of the kernel on this output, else as a mouse
pads              -> ``punktfunk.control.pads``
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from punktfunk.control.displays.base import VirtualOutput
from punktfunk.control.input.base import CountingInjector, Injector
from punktfunk.control.input.choice import AUTO, open_desk_input
from punktfunk.control.input.contacts import ContactsAsMouse
from punktfunk.control.pads.hub import PAD_EVENTS, PadHub, PadMeans, Tell, open_pads
from punktfunk.errors import EnvironmentProblem
from punktfunk.wire.input import NO_MODIFIERS, InputEvent, Key, Pen, Touch

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

    def __init__(
        self, desk: Injector, hub: PadHub, *, contacts: Injector | None = None, scancodes: bool = False
    ) -> None:
        self.injected = desk.injected
        self.unsupported = desk.unsupported
        self.pads = hub
        self._desk, self._hub, self._contacts = desk, hub, contacts
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
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(open_desk_input(output, means.setting, means.report))
        hub = await stack.enter_async_context(open_pads(means.pads, owner, tell))
        contacts = await _open_contacts(stack, output, desk)
        joined = SessionInput(desk, hub, contacts=contacts, scancodes=means.keyboard == SCANCODE)
        stack.callback(joined.release_all)
        yield joined


async def _open_contacts(stack: AsyncExitStack, output: VirtualOutput, desk: Injector) -> Injector | None:
    """Make touchscreen and pen for a desk without, if its compositor sees them; it must not be a guess."""
    handles = getattr(desk, "handles", None)
    if handles is None or isinstance(desk, CountingInjector) or {Touch, Pen} <= handles:
        return None
    from punktfunk.control.input.uinput.injector import CONTACT_DEVICES, open_devices
    from punktfunk.control.input.uinput.sway_map import map_devices

    async with AsyncExitStack() as trial:
        try:
            devices = await trial.enter_async_context(open_devices(CONTACT_DEVICES))
        except EnvironmentProblem:
            return None
        if not await map_devices(output, CONTACT_DEVICES):
            return None
        stack.push_async_exit(trial.pop_all())
        return devices
