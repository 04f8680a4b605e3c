"""The default sink and source of a PipeWire daemon, as its user configured them.

They are properties of the metadata object ``default``, which belongs to the session manager: WirePlumber
follows ``default.configured.*``, keeps it for the next login, and moves programs there that name no device.
Source: WirePlumber, modules/module-default-nodes.c.
"""

import json
from typing import Final

from punktfunk.errors import EnvironmentProblem
from punktfunk.plan import SoundRole
from punktfunk.realtime.pipewire.core import METADATA, Core, Metadata
from punktfunk.realtime.pipewire.loop import Loop

_KEYS: Final = {
    SoundRole.SINK: "default.configured.audio.sink",
    SoundRole.MICROPHONE: "default.configured.audio.source",
}
_EFFECTIVE: Final = {SoundRole.SINK: "default.audio.sink", SoundRole.MICROPHONE: "default.audio.source"}
_KIND: Final = "Spa:String:JSON"
_SUBJECT: Final = 0
NAME_MAX: Final = 1024


class Defaults:
    """A daemon's defaults: ``configured`` by the user, ``effective`` now; empty where there is none."""

    def __init__(self, configured: str, effective: str) -> None:
        self.configured = configured
        self.effective = effective


def change_default(
    socket_path: str, role: SoundRole, name: str | None, *, only_if: str | None = None
) -> Defaults:
    """Make the node ``name`` the default for ``role``; "" clears the user's choice, None only looks.

    ``only_if`` changes nothing unless that node is the configured default now. Returns what was before.
    Takes some milliseconds, at most some seconds; EnvironmentProblem if the daemon does not answer, or has no
    session manager.
    """
    with Loop() as loop, Core(loop, socket_path) as core:
        core.watch()
        core.roundtrip()
        known = core.find(METADATA, "default")
        if known is None:
            raise EnvironmentProblem(
                "PipeWire has no session manager that knows a default sink",
                hint="Start WirePlumber: systemctl --user start wireplumber.",
            )
        metadata = Metadata(core, known)
        core.roundtrip()
        before = Defaults(
            read_name(metadata.properties.get((_SUBJECT, _KEYS[role]), ("", ""))[1]),
            read_name(metadata.properties.get((_SUBJECT, _EFFECTIVE[role]), ("", ""))[1]),
        )
        if name is not None and only_if in (None, before.configured):
            value = json.dumps({"name": name}) if name else None
            metadata.set(_SUBJECT, _KEYS[role], _KIND, value)
            core.roundtrip()
        return before


def read_name(value: str) -> str:
    """Read the name in a metadata value such as ``{"name": "alsa_output.x"}``; empty if it has none."""
    try:
        fields = json.loads(value) if len(value) <= NAME_MAX else None
    except (ValueError, RecursionError):
        return ""
    name = fields.get("name") if isinstance(fields, dict) else None
    return name if isinstance(name, str) else ""
