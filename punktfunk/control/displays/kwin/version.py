"""Which KWin runs, from what it tells about itself on the session's bus."""

import re
from collections.abc import Mapping
from typing import Final

import trio
from jeepney import DBusAddress, new_method_call

from punktfunk.control.displays.kwin.sessions import inside, runtime_folder
from punktfunk.control.system.dbus import call, open_bus
from punktfunk.errors import EnvironmentProblem

KWIN: Final = DBusAddress("/KWin", "org.kde.KWin", "org.kde.KWin")
LINE: Final = re.compile(r"^KWin version: ([0-9.]{1,20})\s*$", re.MULTILINE)


async def kwin_version(environment: Mapping[str, str]) -> str:
    """Ask KWin for its version, such as "6.7.4"; empty where it does not say."""
    address = environment.get("DBUS_SESSION_BUS_ADDRESS") or inside(environment, "").get(
        "DBUS_SESSION_BUS_ADDRESS", f"unix:path={runtime_folder(environment)}/bus"
    )
    try:
        async with open_bus(address) as bus:
            (text,) = await call(bus, new_method_call(KWIN, "supportInformation"))
    except (EnvironmentProblem, ValueError):
        await trio.lowlevel.checkpoint()
        return ""
    return parse_version(text) if isinstance(text, str) else ""


def parse_version(support_information: str) -> str:
    """Find the version in KWin's support information; empty if it is not there."""
    found = LINE.search(support_information)
    return found.group(1) if found else ""
