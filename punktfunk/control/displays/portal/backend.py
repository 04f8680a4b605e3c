"""The portal as a display: a screen that its user chose in the desktop's own dialog."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace

import trio

from punktfunk.control.displays.base import Capabilities, DisplayOptions, Region, VirtualOutput
from punktfunk.control.displays.portal.grant import Grant
from punktfunk.control.displays.portal.input import open_portal_input
from punktfunk.control.displays.portal.requests import Portal, Shared
from punktfunk.control.displays.portal.session import FIRST_EIS, Session, look, open_session
from punktfunk.control.displays.session_variables import pipewire_socket_of, session_bus_of
from punktfunk.control.input.base import Injector
from punktfunk.control.input.mapped import letterbox
from punktfunk.control.system.dbus_link import open_link
from punktfunk.control.system.journal import Journal
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError
from punktfunk.plan import Mode, PipeWireSource

HINT = (
    "Install xdg-desktop-portal and the portal of your desktop (-gnome, -kde, -wlr, -hyprland, -cosmic), "
    "and start punktfunk inside that desktop's session."
)
DIALOG_HINT = (
    "Run `punktfunk portal ask` at that desktop once: choose a screen in its dialog, allow remote control. "
    "Most desktops remember it, and no later stream asks again."
)
NO_INPUT = "this desktop's portal takes no input; only the kernel's devices (uinput) can help"
VARIABLES = (
    "WAYLAND_DISPLAY",
    "DISPLAY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_CURRENT_DESKTOP",
)


class PortalDesktop:
    """Shows a screen of whatever desktop runs."""

    name = "portal"

    def __init__(
        self,
        journal: Journal,  # noqa: ARG002 - the portal ends what it made with our connection
        *,
        options: DisplayOptions | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._options = options or DisplayOptions()
        self._environment = os.environ if environment is None else environment
        self._grant = Grant(self._options.state_folder)
        self._sessions: dict[str, Session] = {}

    async def probe(self) -> Capabilities:
        """Ask the portal, if the session has one, whether it shares screens; that opens no dialog."""
        try:
            async with open_link(session_bus_of(self._environment)) as link:
                offers = await look(Portal(link))
        except EnvironmentProblem as error:
            return Capabilities(available=False, reason=f"no portal shares screens here: {error}", hint=HINT)
        known = "a screen was chosen before" if self._grant.token() else "its dialog will ask for a screen"
        taken = "" if offers.remote_version else f"; {NO_INPUT}"
        return Capabilities(
            available=True,
            reason=f"the desktop's portal shares a screen; {known}{taken}",
            takes_input=bool(offers.remote_version),
        )

    @asynccontextmanager
    async def create(self, mode: Mode, identity: str) -> AsyncGenerator[VirtualOutput]:  # noqa: ARG002 - the user chooses the screen
        """Share a screen, after the desktop asked its user if need be, and stop at the end."""
        async with open_link(session_bus_of(self._environment)) as link, AsyncExitStack() as stack:
            try:
                session = await stack.enter_async_context(
                    open_session(Portal(link), self._options.cursor, self._grant)
                )
            except EnvironmentProblem as error:
                raise EnvironmentProblem(str(error), hint=error.hint or DIALOG_HINT) from error
            except RemoteProtocolError as error:
                raise EnvironmentProblem(f"the desktop's portal: {error}", hint=DIALOG_HINT) from error
            output = self._describe(session, mode)
            self._sessions[output.name] = session
            stack.callback(self._sessions.pop, output.name)
            yield output

    def _describe(self, session: Session, mode: Mode) -> VirtualOutput:
        shared = session.shared
        source = PipeWireSource(mode, shared.node_id, remote_fd=session.remote_fd, cursor=session.cursor)
        inside = {name: self._environment[name] for name in VARIABLES if self._environment.get(name)}
        notes = [_what(shared, mode)]
        if not session.remote_version:
            notes.append(NO_INPUT)
        output = VirtualOutput(
            f"portal-{shared.node_id}",
            mode,
            source,
            self.name,
            inside,
            notes=tuple(notes),
            input_kind="eis" if session.remote_version >= FIRST_EIS else "compositor",
            pipewire_remote=pipewire_socket_of(self._environment),
            dbus_address=session_bus_of(self._environment),
            region=region_of(shared, mode),
        )
        return _with_input(output, session)

    async def change_mode(self, output: VirtualOutput, mode: Mode) -> VirtualOutput:
        """Scale the pictures into another mode: the screen keeps its own."""
        await trio.lowlevel.checkpoint()
        session = self._sessions.get(output.name)
        if session is None or not isinstance(output.source, PipeWireSource):
            raise EnvironmentProblem(f"{output.name} is no screen of the portal")
        changed = replace(output, mode=mode, source=replace(output.source, mode=mode))
        return _with_input(changed, session)


def _with_input(output: VirtualOutput, session: Session) -> VirtualOutput:
    region = region_of(session.shared, output.mode)
    screen = replace(output.mode, width_px=region.width, height_px=region.height)

    def open_input() -> AbstractAsyncContextManager[Injector]:
        return open_portal_input(session, region, letterbox(output.mode, screen))

    return replace(output, open_input=open_input)


def region_of(shared: Shared, mode: Mode) -> Region:
    """Return the place of the shared screen; where the portal tells no size, that of the stream."""
    if shared.width:
        return Region(shared.x, shared.y, shared.width, shared.height)
    return Region(0, 0, mode.width_px, mode.height_px)


def _what(shared: Shared, mode: Mode) -> str:
    size = f" of {shared.width}x{shared.height}" if shared.width else ""
    wanted = f"{mode.width_px}x{mode.height_px}"
    return f"the desktop's portal shares a screen{size}, scaled to {wanted} where it is larger or smaller"
