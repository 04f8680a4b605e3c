"""The /applist document, and app ids that stay the same over restarts.

    <root status_code="200">
        <App><IsHdrSupported>0</IsHdrSupported><AppTitle>...</AppTitle><ID>...</ID></App> ...
    </root>

but without any white space: moonlight-android fails on a text node before the first App. Clients store ids
(as signed 32-bit numbers) in shortcuts and caches, so an id depends on the app's name alone unless two
collide. Spec: gamestream.md section 2.5; peer: Sunshine src/process.cpp, calculate_app_id.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from zlib import crc32

from punktfunk.errors import LocalProtocolError
from punktfunk.wire.gamestream.serverinfo import MAX_APP_ID, build_document, build_element, clean_text


@dataclass(frozen=True, slots=True)
class AppEntry:
    """One app of the list; ``hdr`` says that it may be streamed in 10 bit."""

    app_id: int
    title: str
    hdr: bool = False


def build_applist(apps: Sequence[AppEntry]) -> bytes:
    """Build the document; what moonlight-qt throws on (no title, an id out of range or twice) is refused."""
    seen: set[int] = set()
    entries = []
    for app in apps:
        if not 1 <= app.app_id <= MAX_APP_ID or app.app_id in seen:
            raise LocalProtocolError(
                f"app {app.title!r} has id {app.app_id}: it must be unique, 1..{MAX_APP_ID}"
            )
        if not clean_text(app.title).strip():
            raise LocalProtocolError(f"app {app.app_id} has no title")
        seen.add(app.app_id)
        fields = (("IsHdrSupported", app.hdr), ("AppTitle", app.title), ("ID", app.app_id))
        entries.append("<App>" + "".join(build_element(name, value) for name, value in fields) + "</App>")
    return build_document("".join(entries))


def stable_app_id(name: str, taken: Collection[int]) -> int:
    """Make an id of 31 bits, never 0, from the name's CRC-32, stepping over ``taken`` ones."""
    attempt = 0
    seed = name.encode("utf-8", "surrogatepass")
    while True:
        app_id = crc32(seed + b"\0%d" % attempt if attempt else seed) & MAX_APP_ID
        if app_id and app_id not in taken:
            return app_id
        attempt += 1
