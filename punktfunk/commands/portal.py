"""The verbs of ``punktfunk portal``: the dialog before a client comes, instead of when it does."""

import os
from pathlib import Path

import trio

from punktfunk.config_loading import load_settings
from punktfunk.control.chosen import display_options
from punktfunk.control.displays.portal.backend import DIALOG_HINT
from punktfunk.control.displays.portal.grant import Grant
from punktfunk.control.displays.portal.requests import Portal
from punktfunk.control.displays.portal.session import open_session
from punktfunk.control.displays.session_variables import session_bus_of
from punktfunk.control.system.dbus_link import open_link
from punktfunk.errors import EnvironmentProblem, RemoteProtocolError

PATIENCE_S = 300.0
"""Who runs this sits at the desktop, and may read the dialog."""


def ask(state: Path | None) -> None:
    """Open the dialog, keep the answer, and say what was chosen."""
    options = display_options(load_settings({"state": state}).settings)
    grant = Grant(options.state_folder)
    print("Your desktop asks now which screen to share, and whether it may be controlled.", flush=True)

    async def run() -> str:
        async with (
            open_link(session_bus_of(os.environ)) as link,
            open_session(Portal(link), options.cursor, grant, PATIENCE_S) as session,
        ):
            shared = session.shared
            size = f" of {shared.width}x{shared.height}" if shared.width else ""
            taken = "with" if session.remote_version else "without"
            return f"A screen{size} is shared, {taken} keyboard and mouse."

    try:
        print(trio.run(run))
    except RemoteProtocolError as error:
        raise EnvironmentProblem(f"the desktop's portal: {error}", hint=DIALOG_HINT) from error
    if grant.token():
        print('Clients of display = "portal" see it from now on, and nobody is asked.')
    else:
        print("This desktop remembers nothing: it will ask again when a client comes.")


def forget(state: Path | None) -> None:
    """Forget what was kept."""
    grant = Grant(load_settings({"state": state}).settings.state)
    known = bool(grant.token())
    grant.keep("")
    print("forgotten" if known else "nothing was kept")
